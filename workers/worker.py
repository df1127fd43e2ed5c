"""What a worker is: a stream, a group, and `handle(context, batch)`, which gives one outcome for each command."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

import lua
from contract.messages import Command
from contract.settings import Settings
from sql import Pool


class Context(NamedTuple):
    """Everything that a handler may use; nothing is global. `keys` are those of the lane that it works in."""

    settings: Settings
    redis: lua.Client
    pool: Pool
    keys: lua.LaneKeys
    queries: Mapping[str, str]
    log: Any


class Placed(msgspec.Struct, frozen=True, gc=False):
    """A command with its place: the id of its entry in the outbox, as milliseconds and sequence."""

    ms: int
    seq: int
    command: Command


class Done(NamedTuple):
    """Handled. `outcome` and `kept` say how its record changes; see `lua.Outcome`. Empty: it has no record."""

    outcome: str = ""
    kept: bytes | str = ""


class Retry(NamedTuple):
    """Not yet; the entry stays pending and comes back after the lease."""

    reason: str


class DeadLetter(NamedTuple):
    """Never; the command is parked with this reason."""

    reason: str


Outcome = Done | Retry | DeadLetter
Handle = Callable[[Context, list[Placed]], Awaitable[list[Outcome]]]


class Worker(NamedTuple):
    """A worker as data. `group` is its consumer group and its name on the command line."""

    group: str
    handle: Handle
    query_file: str
    batch_entries: int
