"""Sandboxes of the parties that the workers call: processes of their own, which share no code with the clients.

g2a           the process that plays G2A: its routes, and the way of one request through it
state         everything that it remembers, in one place
serving       HTTP/1.1 on a socket: requests in, answers out, also such as no sound server gives
replies       answers in JSON, in the shape of errors that each of the two APIs has
catalogue     products, computed from a seed and a number
listing       pages of the catalogue, filtered or not
trade         orders, their keys, the wallet, the stock
contract_api  the API as the contract of this project has it
export_api    the export API as G2A itself has it
control       what can be told to misbehave, and its limits
control_api   the routes of tests and of the curious
faults        which request goes wrong, and how
journal       what was asked, and what became of it
signing       signatures of webhooks, right and wrong
webhooks      sending them
"""
