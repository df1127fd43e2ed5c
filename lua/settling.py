"""The callers of `settle.lua`, `replay_dead.lua` and `forget_consumers.lua`: what becomes of entries, and of who took
them, after the worker's commit."""

from typing import Any, NamedTuple

import msgspec

from lua.keys import LaneKeys, product_digest
from lua.scripts import Client, call

SETTLE_KEYS = ("outbox", "dead", "figures")
REPLAY_DEAD_KEYS = ("outbox", "dead", "figures")
FORGET_CONSUMERS_KEYS = ("outbox",)

PERSISTED = "p"
CANCELLED = "x"
FAILED = "e"
FAILED_WITHOUT_UNITS = "o"


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one command: PERSISTED, CANCELLED, FAILED or FAILED_WITHOUT_UNITS.

    `entry` is the entry's index in the call. `kept` replaces the order's record when it failed ("": its own stays).
    """

    entry: int
    digest: str
    order_id: str
    outcome: str
    product_id: str
    quantity: int
    buyer: str
    kept: bytes | str = ""


class Dead(NamedTuple):
    """A command that cannot be handled, as it stood in its entry, and why."""

    entry: int
    kind: str
    at: str
    name: str
    value: bytes
    reason: str


async def settle(
    client: Client,
    keys: LaneKeys,
    *,
    group: str,
    ttl_s: int,
    entries: list[tuple[str, int]],
    outcomes: list[Outcome],
    dead: list[Dead],
) -> int:
    """Acknowledge and delete `entries` (id, commands in it) and apply what became of their commands.

    Gives how many of them this call settled; the others had been settled before, and nothing of theirs is applied.
    """
    products: dict[str, int] = {}
    of_persisted: list[str] = []
    of_others: list[str] = []
    persisted: list[Any] = []
    others: list[Any] = []
    for item in outcomes:
        product = products.setdefault(item.product_id, len(products) + 1)
        record = keys.order(item.digest)
        if item.outcome == PERSISTED:
            of_persisted.append(record)
            persisted += (item.entry + 1, "a" + item.order_id, product)
        else:
            of_others.append(record)
            others += (item.entry + 1, item.order_id, item.outcome, product, item.quantity, item.buyer, item.kept)
    every = [keys.outbox, keys.dead, keys.figures]
    for product_id in products:
        every += keys.product(product_digest(product_id))
    counts = [len(products), len(entries), len(of_others), len(dead)]
    # Packed in one piece: every argument of its own costs the driver, the wire and Redis a string.
    args: list[Any] = [keys.events, keys.gates, group, ttl_s * 1000, *counts, msgspec.msgpack.encode(persisted)]
    for entry in entries:
        args += entry
    args += others
    for corpse in dead:
        args += (corpse.entry + 1, *corpse[1:])
    return await call(client, "settle", every + of_persisted + of_others, args)


async def forget_consumers(client: Client, keys: LaneKeys, group: str, idle_ms: int) -> int:
    """Forget consumers that hold nothing and were not seen for `idle_ms`; gives how many."""
    return await call(client, "forget_consumers", [keys.outbox], [group, idle_ms])


async def replay_dead(client: Client, keys: LaneKeys, entry_id: str) -> bool:
    """Put a dead-lettered command back into the outbox; False when there is no such entry."""
    return bool(await call(client, "replay_dead", [keys.outbox, keys.dead, keys.figures], [entry_id]))
