"""The errors that have a meaning across processes.

FluxGateError
|-- NotReady      Redis is away or did not answer in time: nothing may be promised; repeat with the same key
|-- Overloaded    a named limit is reached; nothing was taken; come back later
`-- Unsettled     a command cannot be settled yet, though nothing is wrong with it; try again shortly
"""


class FluxGateError(Exception):
    """The root of our own errors."""


class NotReady(FluxGateError):
    """Redis is away or did not answer in time, so the outcome is unknown; the same key may be repeated."""


class Overloaded(FluxGateError):
    """A named limit of this process is reached; nothing was taken."""


class Unsettled(FluxGateError):
    """A command depends on another that has not been handled yet, such as an order on the opening of its sale."""
