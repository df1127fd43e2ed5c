"""What a worker of the command bus is: a name, a handler for each kind of command, and a file of queries.

A handler gets a context and a command, and gives one of four outcomes; it may run twice on the same command, so
whatever it writes it writes through `workers.once`. What an outcome means stands in `workers/bus.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

import lua
from contract.bus import BusCommand, Problem, encode
from contract.settings import Settings
from sql import Pool, load_queries


class Desk(NamedTuple):
    """Everything that a handler may use; nothing is global. `tools` is what its service made at its start."""

    settings: Settings
    redis: lua.Client
    pool: Pool
    queries: Mapping[str, str]
    log: Any
    tools: Any = None


class Replied(NamedTuple):
    """Handled. Who asked gets `status` and the data or the problem; then the caches of the patterns `stale` go."""

    status: int
    data: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None
    stale: tuple[str, ...] = ()


class Later(NamedTuple):
    """Not yet; it comes back after so many seconds as another attempt."""

    after_s: float
    reason: str


class More(NamedTuple):
    """A part of it is done, and kept. It goes on after so many seconds, as the same command, and as no other attempt;
    it is done however late that is, and who asked gets the reply of its end."""

    after_s: float = 0.0


class Never(NamedTuple):
    """It cannot be handled; it is parked with this reason."""

    reason: str


Ending = Replied | Later | More | Never
Handler = Callable[[Desk, BusCommand], Awaitable[Ending]]


HANDLE_WITHIN_S = 30.0
"""The longest that a handler may take, as a rule; more is a fault of a server, or a hang."""


class Service(NamedTuple):
    """A worker of the bus as data. `name` is that of its stream, its group, its tests, and its file of queries unless
    `query_file` names another. No handler takes longer than `within_s`."""

    name: str
    handlers: Mapping[str, Handler]
    open_tools: Callable[[Settings], Any] | None = None
    close_tools: Callable[[Any], Awaitable[None]] | None = None
    query_file: str = ""
    within_s: float = HANDLE_WITHIN_S

    @property
    def queries(self) -> Mapping[str, str]:
        """Its queries by name."""
        return load_queries(self.query_file or self.name)


class Refuse(Exception):
    """Raised inside a handler: nothing was changed, and this is why. What was begun is rolled back."""

    def __init__(self, status: int, code: str, message: str, *, retryable: bool = False, action: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(code, message, retryable, action)


def replied(data: Any, *, status: int = 200, stale: tuple[str, ...] = ()) -> Replied:
    """A success with a document as its data."""
    return Replied(status, msgspec.Raw(encode(data)), None, stale)
