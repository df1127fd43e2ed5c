"""Purchases: the keys of a paid order are bought at G2A, each unit once, whichever process dies at whichever moment.

Consumes  purchase and collect, as commands of the worker `g2a`
Calls     G2A
Writes    g2a_purchases, g2a_keys, store_orders, ledger, users.balance; of a flash sale's order also its row and record
Emits     nothing; nobody waits for it
Fails     what passes is waited for, for hours; then, and where G2A sells nothing, the buyer has his money back

Every step is on disk before the next. What may cost money is noted before it is done, by whoever does it alone; what is
noted, and has no outcome, was begun by a worker that died: G2A is asked what became of it, and only where it knows of
nothing is it done again. `docs/keys.md` goes through every crash.
"""

import datetime
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from contract.bus import BusCommand
from workers import flash_orders, order_steps
from workers.g2a_steps import Work, take_step
from workers.key_orders import OPEN, QUERIES, end_order, intend, lock
from workers.order_steps import Row, stale_of
from workers.service import Desk, Ending, Handler, Later, More, replied

BUSY_S = 8.0
"""How long one command goes on beginning steps; what is left comes back at once, and others have had their turn."""
UNITS_MAX = 1_000
"""Units of one order that are bought; only a flash sale allows more, and nobody downloads so many games."""


class OneOrder(msgspec.Struct, frozen=True, rename="camel"):
    """Which order is to be bought for."""

    order_id: UUID


class OnePurchase(msgspec.Struct, frozen=True, rename="camel"):
    """Which purchase has news."""

    purchase_id: UUID


_order = msgspec.json.Decoder(OneOrder)
_purchase = msgspec.json.Decoder(OnePurchase)


async def purchase(desk: Desk, command: BusCommand) -> Ending:
    """Buy the keys of an order that is paid, as far as it goes now."""
    return await _go_on(desk, _order.decode(command.body).order_id, command.user_id)


async def collect(desk: Desk, command: BusCommand) -> Ending:
    """Fetch what G2A has for one purchase, about which it has told us. `purchase` would do it later."""
    wanted = _purchase.decode(command.body).purchase_id
    found = await desk.pool.fetchrow(QUERIES["find_purchase"], wanted)
    if found is None:
        return replied(None)
    ending = await _go_on(desk, found["order_id"], found["user_id"], wanted)
    if isinstance(ending, More):
        found = await desk.pool.fetchrow(QUERIES["find_purchase"], wanted)
        # The rest of the order is not ours to wait for.
        return ending if found["state"] in OPEN else replied(None)
    return ending


async def _go_on(desk: Desk, order_id: UUID, user_id: str, only: UUID | None = None) -> Ending:
    """Take the next step of every purchase of an order, or of this one only, and of those that nobody has begun."""
    order, rows = await _read(desk, order_id, user_id)
    if order is None:
        return replied(None)
    if order["status"] == "PROCESSING" and not rows:
        begun = await _begin(desk, order)
        if begun is not None:
            return begun
        order, rows = await _read(desk, order_id, user_id)
    if order["from_sale"] and rows:
        await flash_orders.delivery_has_begun(desk, order_id)
    if order["status"] != "PROCESSING":
        return replied(None, stale=stale_of(order))
    age = datetime.datetime.now(datetime.UTC) - order["purchase_began_at"]
    work = Work(desk, age.total_seconds())
    until = time.monotonic() + BUSY_S
    waits: list[float] = []
    for row in rows:
        if row["state"] not in OPEN or (only not in (None, row["id"]) and row["state"] != "intended"):
            continue
        if time.monotonic() > until:
            return More()
        if (wait_s := await take_step(work, row)) is not None:
            waits.append(wait_s)
    async with desk.pool.acquire() as connection, connection.transaction():
        stale = await end_order(connection, await lock(connection, order_id, user_id))
    return replied(None, stale=stale) if stale is not None else More(min(waits, default=0.0))


async def _read(desk: Desk, order_id: UUID, user_id: str) -> tuple[Any, Sequence[Row]]:
    """An order, None where there is none, and its purchases; these first, so that the order of such is seen to have
    begun."""
    rows = await desk.pool.fetch(QUERIES["find_purchases"], order_id)
    return await desk.pool.fetchrow(order_steps.QUERIES["find_order"], order_id, user_id), rows


async def _begin(desk: Desk, order: Row) -> Ending | None:
    """Write down what is to be bought, after nobody can cancel the order any more; None when that is done."""
    wanted = await desk.pool.fetch(QUERIES["find_wanted"], order["id"])
    if all(item["product_id"] is None for item in wanted):
        # It may be sold by hand; until somebody delivers it, its buyer can cancel it.
        desk.log.warning("an order waits for somebody: none of its games has a product at G2A", order=str(order["id"]))
        return replied(None)
    if not await _note_beginning(desk, order, begins=True):
        return replied(None)
    if order["from_sale"]:
        delivering = await flash_orders.begin_delivery(desk, order["id"])
        if delivering is None:
            return Later(desk.settings.idempotency_ttl_s, flash_orders.YOUNGER)
        if not delivering:
            # Its buyer was faster; the command that gives him his money back is on its way.
            await _note_beginning(desk, order, begins=False)
            return replied(None)
    units_max: int = desk.tools.g2a.units_max
    lines = [
        (item, number, units)
        for item in wanted
        if item["product_id"] is not None
        for number, units in enumerate(_split(item["quantity"], units_max), 1)
    ]
    is_too_much = sum(item["quantity"] for item in wanted) > UNITS_MAX
    async with desk.pool.acquire() as connection, connection.transaction():
        row = await lock(connection, order["id"], order["user_id"])
        if row["status"] != "PROCESSING":
            return replied(None, stale=stale_of(row))
        if order["from_sale"] and not await connection.fetchval(QUERIES["fulfil_flash_order"], order["id"]):
            desk.log.error("an order of a sale is to be delivered, and does not stand", order=str(order["id"]))
            return replied(None)
        if is_too_much:
            reason = f"G2A_OUT_OF_STOCK: no more than {UNITS_MAX} units can be bought at once"
            await connection.execute(order_steps.QUERIES["set_status"], order["id"], "FAILED", reason)
            _, stale = await order_steps.give_back(connection, row, "REFUNDED")
            return replied(None, stale=stale)
        await intend(connection, order["id"], lines)
    return None


async def _note_beginning(desk: Desk, order: Row, *, begins: bool) -> bool:
    """Note that an order is being bought for; False where it has ended."""
    async with desk.pool.acquire() as connection, connection.transaction():
        row = await lock(connection, order["id"], order["user_id"])
        if row["status"] == "PROCESSING":
            await connection.execute(QUERIES["begin_order"], order["id"], begins)
        return row["status"] == "PROCESSING"


def _split(quantity: int, units_max: int) -> list[int]:
    """So many units in orders of at most `units_max`; those of an order that is refused are not worth listing."""
    quantity = min(quantity, UNITS_MAX)
    return [min(units_max, quantity - first) for first in range(0, quantity, units_max)]


HANDLERS: dict[str, Handler] = {"purchase": purchase, "collect": collect}
