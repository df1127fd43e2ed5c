"""Which idempotency keys have an order: what a gateway process has to know before it refuses anybody from memory."""

from typing import Any, cast

from lua.keys import LaneKeys
from lua.scripts import Client

SCANNED_AT_ONCE = 1_000
"""Keys that one step looks at: a third of a millisecond in which Redis does nothing else."""


def accepted_tails(message: bytes) -> list[str] | None:
    """The tails of the order ids that `admit.lua` told the gateway processes of; None when it is other news."""
    if message[:1] != b"a":
        return None
    ids = message[1:].decode()
    return [ids[end - 12 : end] for end in range(36, len(ids) + 1, 36)]


def tail_of(digest: str) -> str:
    """The tail of every order id that a key with this digest can have: 48 bits of it, enough to tell keys apart."""
    return digest[4:]


async def known_tails(client: Client, keys: LaneKeys, most: int) -> set[str] | None:
    """The tails of all orders that have a record now; None when Redis holds more than `most` keys."""
    redis = cast(Any, client)
    if await redis.dbsize() > most:
        return None
    prefix = keys.order("")
    found: set[str] = set()
    cursor = 0
    while True:
        cursor, names = await redis.scan(cursor, match=prefix + "*", count=SCANNED_AT_ONCE)
        found.update(tail_of(name.decode()[len(prefix) :]) for name in names)
        if not int(cursor):
            return found
