"""Sandboxes of the parties that the workers call: processes of their own, which share no code with the clients.

g2a      plays G2A
amazon   plays Amazon: its Selling Partner API, and Login with Amazon
goated   plays Goated: the leaderboard of an affiliate
serving  HTTP/1.1 on a socket: requests in, answers out, also such as no sound server gives
running  a sandbox as a process
routing  which handler a request is for
replies  answers in JSON, refusals, and reading what a sandbox is told
faults   which request goes wrong, and how
journal  what was asked, and what became of it
"""
