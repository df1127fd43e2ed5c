"""The caller of `fulfil.lua`: an order of a sale that is being delivered can be cancelled no more."""

from enum import IntEnum
from typing import Any

from lua.keys import LaneKeys
from lua.scripts import Client, call

FULFIL_KEYS = ("record",)


class FulfilStatus(IntEnum):
    """What `fulfil.lua` says; the header of the script tells what each detail is."""

    FULFILLED = 1
    FORBIDDEN = 2
    ABSENT = 3


async def fulfil(
    client: Client, keys: LaneKeys, *, digest: str, order_id: str, ttl_s: int = 0
) -> tuple[FulfilStatus, Any]:
    """Mark the order with this record as delivered. Gives the status and the detail that the script's header tells.

    The record has no end until this is called again with `ttl_s`, when Postgres knows of the delivery too: as long as
    it stands, no cancellation comes between the two.
    """
    status, detail = await call(client, "fulfil", [keys.order(digest)], [order_id, ttl_s * 1000])
    return FulfilStatus(status), detail
