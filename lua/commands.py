"""Handing commands to workers, for the first time or again, and the counts of what became of them."""

from typing import Any, cast

import msgspec

from lua.keys import HANDLED, commands_key, dead_commands_key
from lua.scripts import Client, call

SUBMIT_KEYS = ("commands",)
REPLAY_COMMAND_KEYS = ("commands", "dead_commands")


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


async def count_handled(client: Client, worker: str, kind: str, status: str, seconds: float) -> None:
    """Add one command to the counts. `kind` and `status` are words of ours, so that the counts stay few."""
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        pipe.hincrby(HANDLED, f"{worker}/{kind}/{status}", 1)
        pipe.hincrby(HANDLED, f"{worker}/{kind}/{status}/us", int(seconds * 1e6))
        await pipe.execute()


async def read_handled(client: Client) -> list[Handled]:
    """The counts of all workers."""
    found: dict[bytes, bytes] = await cast(Any, client).hgetall(HANDLED)
    handled: list[Handled] = []
    for field, count in sorted(found.items()):
        if field.endswith(b"/us"):
            continue
        worker, kind, status = field.decode().split("/")
        seconds = int(found.get(field + b"/us", b"0")) / 1e6
        handled.append(Handled(worker, kind, status, int(count), seconds))
    return handled
