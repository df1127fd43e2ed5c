"""Flash-sale orders as store orders: one of a known game and user is paid, and its keys are bought, like any other.

Consumes  take_flash_order and return_flash_order, which `workers/handover.py` leaves with the rows of the sale, and
          cancel_flash_order, as commands of the worker `orders`
Calls     nothing
Writes    store_orders, store_order_items, ledger, users.balance; for cancel_flash_order the order's record in Redis
Emits     purchase for the worker `g2a`, cancel_flash_order for its own
Fails     an order that its buyer cannot pay becomes FAILED, and its units go back to the sale

Taking and returning one order hold the lock of its user, and a cancellation stands in the row of the sale before
anybody is told to return: whichever comes first, what was charged comes back, once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

import lua
from contract.bus import BusCommand
from contract.order_ids import parse_order_id
from sql import Connection, load_queries
from workers.follow_ups import follow_up
from workers.money import add_up
from workers.once import once, tell
from workers.order_steps import QUERIES, give_back, lock_user, pay, stale_of
from workers.records import row_record
from workers.service import Desk, Ending, Handler, Later, Replied, replied

YOUNGER = "its idempotency key has another order now, whose record lapses"


class OneFlashOrder(msgspec.Struct, frozen=True, rename="camel"):
    """Which order of a flash sale is meant."""

    order_id: UUID


_one = msgspec.json.Decoder(OneFlashOrder)


async def take_flash_order(desk: Desk, command: BusCommand) -> Ending:
    """Make the store order of a flash-sale order, with the same id, and pay it; or have it cancelled."""
    order_id = _one.decode(command.body).order_id

    async def work(connection: Connection) -> Replied:
        balance = await lock_user(connection, command.user_id)
        found = await connection.fetchrow(QUERIES["find_flash_order"], order_id)
        taken = await connection.fetchrow(QUERIES["find_order"], order_id, command.user_id)
        if taken is not None or found is None or found["state"] != "persisted":
            return replied(None)
        sums = add_up([(found["price"], found["quantity"])])
        await connection.execute(QUERIES["insert_order"], order_id, command.user_id, *sums, None, None)
        await connection.execute(
            QUERIES["add_items"], order_id, [found["product_id"]], [found["quantity"]], [found["price"]]
        )
        if sums.total <= balance:
            row = await pay(connection, order_id, command)
        else:
            reason = f"the order comes to {sums.total}, and the balance was {balance}"
            row = await connection.fetchrow(QUERIES["set_status"], order_id, "FAILED", reason)
            await tell_to_cancel(connection, order_id, command)
        return replied(None, stale=stale_of(row))

    return await once(desk, command, work)


async def return_flash_order(desk: Desk, command: BusCommand) -> Ending:
    """The buyer has given the units back to the sale: give him his money back, where he has paid."""
    order_id = _one.decode(command.body).order_id

    async def work(connection: Connection) -> Replied:
        await lock_user(connection, command.user_id)
        row = await connection.fetchrow(QUERIES["lock_order"], order_id, command.user_id)
        if row is not None and row["status"] == "PROCESSING":
            # The units are somebody else's already. Keys that are being bought stay with the shop.
            status = "CANCELLED" if row["purchase_began_at"] is None else "REFUNDED"
            _, stale = await give_back(connection, row, status)
            return replied(None, stale=stale)
        if row is not None and row["status"] == "COMPLETED":
            desk.log.error("a delivered order was given back to its sale; it stays paid", order=str(order_id))
        return replied(None)

    return await once(desk, command, work)


async def cancel_flash_order(desk: Desk, command: BusCommand) -> Ending:
    """Give the units of an order back to its sale, as its buyer could. Safe to repeat: Redis does it once."""
    order_id = str(_one.decode(command.body).order_id)
    found = await _find_record(desk, order_id)
    if found is None or found.row["state"] != "persisted":
        return replied(None)
    row = found.row
    of_row = {"product_id": row["product_id"], "quantity": row["quantity"], "buyer": row["user_id"]}
    own: dict[str, Any] = {"digest": found.digest, "order_id": order_id, **of_row}
    status, detail = await lua.cancel(desk.redis, found.keys, **own)
    if status == lua.CancelStatus.ABSENT:
        await found.restore(desk)
        status, detail = await lua.cancel(desk.redis, found.keys, **own)
    if status == lua.CancelStatus.ABSENT:
        return Later(desk.settings.idempotency_ttl_s, YOUNGER)
    if status == lua.CancelStatus.FORBIDDEN:
        desk.log.error("a flash-sale order cannot be cancelled any more", order=order_id, state=detail)
    return replied(None)


async def begin_delivery(desk: Desk, order_id: UUID) -> bool | None:
    """Mark an order as being delivered in Redis, so that it cannot be cancelled any more; False where it has been, None
    where that cannot be said before a younger order of its key has lapsed.

    Postgres is to be told, and then `delivery_has_begun`. Safe to repeat.
    """
    found = await _find_record(desk, str(order_id))
    if found is None or found.row["state"] not in ("persisted", "fulfilled"):
        return False
    status, _ = await lua.fulfil(desk.redis, found.keys, digest=found.digest, order_id=str(order_id))
    if status == lua.FulfilStatus.ABSENT:
        await found.restore(desk)
        status, _ = await lua.fulfil(desk.redis, found.keys, digest=found.digest, order_id=str(order_id))
    return None if status == lua.FulfilStatus.ABSENT else status == lua.FulfilStatus.FULFILLED


async def delivery_has_begun(desk: Desk, order_id: UUID) -> None:
    """Postgres knows that an order is being delivered: its record in Redis lapses like any other."""
    if (place := parse_order_id(str(order_id))) is not None:
        lane, digest = place
        keys = lua.LaneKeys(lua.lane_of_order(lane, desk.settings.lanes), desk.settings.lanes)
        ttl_s = desk.settings.idempotency_ttl_s
        await lua.fulfil(desk.redis, keys, digest=digest, order_id=str(order_id), ttl_s=ttl_s)


class _Found(NamedTuple):
    """The row of a flash-sale order, where its record is, and until when what the row says may be told."""

    row: Mapping[str, Any]
    keys: lua.LaneKeys
    digest: str
    until_ms: int

    async def restore(self, desk: Desk) -> None:
        await lua.restore_records(desk.redis, self.keys, {self.digest: row_record(self.row)}, self.until_ms)


async def _find_record(desk: Desk, order_id: str) -> _Found | None:
    # What Postgres says now may be told as long as a settled record lives, and no longer.
    until_ms = await lua.now_ms(desk.redis) + desk.settings.idempotency_ttl_s * 1000
    row = await desk.pool.fetchrow(load_queries("orders")["find_orders"], [order_id])
    place = parse_order_id(order_id)
    if row is None or place is None:
        return None
    lane, digest = place
    keys = lua.LaneKeys(lua.lane_of_order(lane, desk.settings.lanes), desk.settings.lanes)
    return _Found(row, keys, digest, until_ms)


async def tell_to_cancel(connection: Connection, order_id: UUID, command: BusCommand) -> None:
    """Have the units of an order given back to its sale, once this transaction stands."""
    await tell(connection, "orders", follow_up(order_id, "cancel_flash_order", command.user_id, cause=command))


HANDLERS: dict[str, Handler] = {
    "take_flash_order": take_flash_order,
    "return_flash_order": return_flash_order,
    "cancel_flash_order": cancel_flash_order,
}
