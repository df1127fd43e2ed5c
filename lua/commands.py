"""Handing commands to workers, for the first time or again; how many wait, and the counts of what became of them."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from lua.keys import DEFERRED, HANDLED, commands_key, dead_commands_key
from lua.sales import now_ms
from lua.scripts import Client, call

SUBMIT_KEYS = ("commands",)
REPLAY_COMMAND_KEYS = ("commands", "dead_commands")
DEFERRED_TTL_S = 60
"""How long it is believed what waits in the outbox, when nobody looks any more."""


async def submit(client: Client, worker: str, command: bytes, waiting_max: int) -> bool:
    """Append a command to its worker's stream; False when `waiting_max` wait there already, and nothing was taken."""
    return bool(await call(client, "submit", [commands_key(worker)], [waiting_max, command]))


async def replay_command(client: Client, worker: str, entry_id: str, command: bytes) -> bool:
    """Hand a dead-lettered command in again, as `command` has it now; False when there is no such entry."""
    keys = [commands_key(worker), dead_commands_key(worker)]
    return bool(await call(client, "replay_command", keys, [entry_id, command]))


class Handled(msgspec.Struct, frozen=True):
    """How many commands of one kind a worker has answered with one status, and how long they took together."""

    worker: str
    kind: str
    status: str
    times: int
    seconds: float
    # The trace and the request of the latest of them.
    trace_id: str = ""
    request_id: str = ""


async def count_handled(
    client: Client, worker: str, kind: str, status: str, seconds: float, *, trace_id: str = "", request_id: str = ""
) -> None:
    """Add one command to the counts. `kind` and `status` are words of ours, so that the counts stay few."""
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.hincrby(HANDLED, f"{worker}/{kind}/{status}", 1)
        pipe.hincrby(HANDLED, f"{worker}/{kind}/{status}/us", int(seconds * 1e6))
        if trace_id:
            pipe.hset(HANDLED, f"{worker}/{kind}/{status}/latest", f"{trace_id} {request_id}")
        await pipe.execute()


async def read_handled(client: Client) -> list[Handled]:
    """The counts of all workers."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(HANDLED)
    handled: list[Handled] = []
    for field, count in sorted(found.items()):
        if field.endswith((b"/us", b"/latest")):
            continue
        worker, kind, status = field.decode().split("/")
        seconds = int(found.get(field + b"/us", b"0")) / 1e6
        trace_id, _, request_id = found.get(field + b"/latest", b"").decode().partition(" ")
        handled.append(Handled(worker, kind, status, int(count), seconds, trace_id, request_id))
    return handled


class Queue(msgspec.Struct, frozen=True):
    """The commands of one worker: those that are not settled, the age of the oldest of them in seconds (0 where there
    is none), and those that it could not handle."""

    worker: str
    waiting: int
    oldest_s: float
    dead: int


async def read_queues(client: Client, workers: Sequence[str]) -> list[Queue]:
    """The queues of these workers, in their order."""
    now = await now_ms(client)
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        for worker in workers:
            pipe.xlen(commands_key(worker)).xrange(commands_key(worker), count=1).xlen(dead_commands_key(worker))
        found: list[Any] = await pipe.execute()
    queues: list[Queue] = []
    for number, worker in enumerate(workers):
        waiting, oldest, dead = found[3 * number : 3 * number + 3]
        since_ms = int(oldest[0][0].split(b"-")[0]) if oldest else now
        queues.append(Queue(worker, waiting, max(0, now - since_ms) / 1000, dead))
    return queues


async def publish_deferred(client: Client, deferred: bytes) -> None:
    """Keep what waits in the outbox for whoever reads the metrics; it lapses when nobody renews it."""
    await cast(Any, client).set(DEFERRED, deferred, ex=DEFERRED_TTL_S)


async def read_deferred(client: Client) -> bytes | None:
    """What waits in the outbox, as JSON; None when nobody has looked lately."""
    return await cast(Any, client).get(DEFERRED)
