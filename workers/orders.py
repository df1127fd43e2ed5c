"""Turns accepted orders into rows.

Consumes  orders, cancelled and opened from the lane's outbox
Calls     nothing
Writes    sales, orders
Emits     order events, when its entries are settled
Fails     an order whose buyer has used its key before, or that no unit exists for, becomes a row in state `failed`;
          the first gives its units back. An order that comes before the opening of its sale is retried.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import lua
from contract.messages import Order, OrderAccepted, OrderCancelled, SaleOpened
from sql import Connection
from workers.records import row_record
from workers.worker import Context, Done, Outcome, Placed, Retry, Worker

DUPLICATE = "duplicate: the buyer's idempotency key has ordered before"
OVERSOLD = "oversold: the sale has no unit for this order"
BATCH_ENTRIES = 64
"""Entries of one read; an entry holds at most the gateway's batch of orders, so memory stays under some megabytes."""


class Accepted(NamedTuple):
    """An accepted order with its position in the batch and its place in the outbox."""

    position: int
    ms: int
    seq: int
    command: OrderAccepted

    @property
    def order_id(self) -> str:
        """The id of the order."""
        return self.command.order_id

    @property
    def sale(self) -> tuple[str, int]:
        """The sale that it counts against: product and epoch."""
        return self.command.order.product_id, self.command.epoch


class Cancelled(NamedTuple):
    """A cancellation with its position in the batch and its place in the outbox."""

    position: int
    ms: int
    seq: int
    command: OrderCancelled


async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
    """Write a batch in one transaction: openings first, then orders, then cancellations."""
    outcomes: dict[int, Outcome] = {}
    accepted: list[Accepted] = []
    cancelled: list[Cancelled] = []
    for i, (ms, seq, command) in enumerate(placed):
        if isinstance(command, OrderAccepted):
            accepted.append(Accepted(i, ms, seq, command))
        elif isinstance(command, OrderCancelled):
            cancelled.append(Cancelled(i, ms, seq, command))
    async with context.pool.acquire() as connection, connection.transaction():
        for i, item in enumerate(placed):
            if isinstance(item.command, SaleOpened):
                await _open_sale(context, connection, item.command)
                outcomes[i] = Done()
        if accepted:
            outcomes |= await _persist(context, connection, accepted)
        if cancelled:
            outcomes |= await _cancel(context, connection, cancelled)
    return [outcomes[i] for i in range(len(placed))]


async def _open_sale(context: Context, connection: Connection, sale: SaleOpened) -> None:
    if sale.closed_epoch:
        books = (sale.product_id, sale.closed_epoch, sale.closed_left, sale.closed_returned)
        await connection.execute(context.queries["close_sale"], *books)
    opening = (sale.product_id, sale.epoch, sale.total, sale.limit, sale.opened_us)
    await connection.execute(context.queries["insert_sale"], *opening)


async def _persist(context: Context, connection: Connection, accepted: list[Accepted]) -> dict[int, Outcome]:
    """Insert the orders whose sale is known. Gives an outcome for each index."""
    unsold = await _lock_sales(context, connection, (item.sale for item in accepted))
    early = Retry("the opening of its sale has not been handled yet")
    outcomes: dict[int, Outcome] = {item.position: early for item in accepted if item.sale not in unsold}
    known = [item for item in accepted if item.sale in unsold]
    rows = await connection.fetch(context.queries["insert_orders"], *_columns(known))
    inserted = {str(row["order_id"]) for row in rows}
    sold: dict[tuple[str, int], int] = defaultdict(int)
    oversold: list[str] = []
    for item in known:
        if item.order_id not in inserted:
            continue
        quantity = item.command.order.quantity
        if sold[item.sale] + quantity > unsold[item.sale]:
            oversold.append(item.order_id)
            outcomes[item.position] = Done(lua.FAILED_WITHOUT_UNITS)
        else:
            sold[item.sale] += quantity
            outcomes[item.position] = Done(lua.PERSISTED)
    if oversold:
        context.log.error("orders beyond the stock of their sale", orders=oversold)
        await connection.execute(context.queries["fail_orders"], oversold, OVERSOLD)
    await _count_sold(context, connection, sold)
    rest = [item for item in known if item.order_id not in inserted]
    return outcomes | (await _explain(context, connection, rest) if rest else {})


async def _explain(context: Context, connection: Connection, rest: list[Accepted]) -> dict[int, Outcome]:
    """Why these orders were not inserted: they were delivered before, or their key has ordered before."""
    rows = await connection.fetch(context.queries["find_orders"], [item.order_id for item in rest])
    reasons: dict[str, str | None] = {str(row["order_id"]): row["reason"] for row in rows}
    duplicates = [item for item in rest if item.order_id not in reasons]
    if duplicates:
        context.log.warning("keys that have ordered before", orders=[item.order_id for item in duplicates])
        await connection.execute(context.queries["insert_duplicates"], *_columns(duplicates), DUPLICATE)
        reasons |= {item.order_id: DUPLICATE for item in duplicates}
    failed = [item.command.order for item in rest if reasons[item.order_id] == DUPLICATE]
    originals = await _originals(context, connection, failed)
    outcomes: dict[int, Outcome] = {}
    for item in rest:
        reason, order = reasons[item.order_id], item.command.order
        if reason is None:
            outcomes[item.position] = Done(lua.PERSISTED)
        elif reason == DUPLICATE:
            outcomes[item.position] = Done(lua.FAILED, originals.get((order.user_id, order.idempotency_key), b""))
        else:
            outcomes[item.position] = Done(lua.FAILED_WITHOUT_UNITS)
    return outcomes


async def _originals(context: Context, connection: Connection, orders: list[Order]) -> dict[tuple[str, str], bytes]:
    """The records of the orders that these buyers' keys made first; a repeated key is answered from them."""
    if not orders:
        return {}
    users, keys = [order.user_id for order in orders], [order.idempotency_key for order in orders]
    rows = await connection.fetch(context.queries["find_originals"], users, keys)
    return {(row["user_id"], row["idempotency_key"]): row_record(row) for row in rows}


async def _cancel(context: Context, connection: Connection, cancelled: list[Cancelled]) -> dict[int, Outcome]:
    """Mark orders as cancelled. Those that are not persisted any more were cancelled before, or had failed."""
    await _lock_sales(context, connection, ((item.command.order.product_id, item.command.epoch) for item in cancelled))
    ids = [item.command.order_id for item in cancelled]
    times = [item.command.cancelled_us for item in cancelled]
    places = [item.ms for item in cancelled], [item.seq for item in cancelled]
    given_back: dict[tuple[str, int], int] = defaultdict(int)
    for row in await connection.fetch(context.queries["cancel_orders"], ids, times, *places):
        given_back[row["product_id"], row["epoch"]] -= row["quantity"]
    await _count_sold(context, connection, given_back)
    known = {str(row["order_id"]) for row in await connection.fetch(context.queries["find_orders"], ids)}
    early = Retry("the order that it cancels has not been handled yet")
    return {item.position: Done(lua.CANCELLED) if item.command.order_id in known else early for item in cancelled}


async def _lock_sales(
    context: Context, connection: Connection, sales: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Lock the sales in one order; gives the units that each has not sold yet."""
    wanted = sorted(set(sales))
    names, epochs = [name for name, _ in wanted], [epoch for _, epoch in wanted]
    rows = await connection.fetch(context.queries["lock_sales"], names, epochs)
    return {(row["product_id"], row["epoch"]): row["total"] - row["sold"] for row in rows}


async def _count_sold(context: Context, connection: Connection, units: dict[tuple[str, int], int]) -> None:
    if units:
        names, epochs = [name for name, _ in units], [epoch for _, epoch in units]
        await connection.execute(context.queries["count_sold"], names, epochs, list(units.values()))


def _columns(items: list[Accepted]) -> list[list[object]]:
    """The orders as columns, in the order that the insert queries take them."""
    return [
        [item.order_id for item in items],
        [item.command.order.product_id for item in items],
        [item.command.epoch for item in items],
        [item.command.order.user_id for item in items],
        [item.command.order.quantity for item in items],
        [item.command.order.idempotency_key for item in items],
        [item.command.accepted_us for item in items],
        [item.ms for item in items],
        [item.seq for item in items],
    ]


ORDERS = Worker(group=lua.GROUP_OF_ORDERS, handle=handle, query_file="orders", batch_entries=BATCH_ENTRIES)
