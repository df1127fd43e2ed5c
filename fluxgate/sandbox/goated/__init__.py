"""Goated, played: the leaderboard of an affiliate, whose people wager more with every minute, and new tokens.

process      its routes, and the way of one request through it
state        everything that it remembers, in one place
leaderboard  the one list that there is, as it is told at a moment
people       who is on it, and how much each has wagered, computed from numbers
names        what people are called
clock        the time that it is there, and when the counters of days, weeks and months began
when         moments as they are written
forms        the envelopes that the list has come in
odd          entries that are not as they should be
tokens       bearer tokens and refresh tokens
refusals     errors
books        what is true, for proofs
control      what can be told to misbehave, and its limits
control_api  the routes of tests and of the curious
"""
