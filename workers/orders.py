"""Turns accepted orders into rows.

Consumes  orders, cancelled and opened from the lane's outbox
Calls     nothing
Writes    sales, orders; the outbox of commands, for orders of known games (`workers/handover.py`)
Emits     order events, when its entries are settled
Fails     an order whose buyer has used its key before, or that no unit exists for, becomes a row in state `failed`;
          the first gives its units back. An order that comes before the opening of its sale, or before a cancellation
          that may have freed its units, is retried.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg
import msgspec

import lua
from contract.messages import Order, OrderAccepted, OrderCancelled, SaleOpened, decode_entry, decode_record
from contract.order_ids import parse_order_id
from contract.transport import Stream
from sql import Connection
from workers import handover
from workers.records import row_record
from workers.worker import Context, Done, Outcome, Placed, Retry, Worker

PERSISTED = Done(lua.PERSISTED)
DUPLICATE = "duplicate: the buyer's idempotency key has ordered before"
OVERSOLD = "oversold: the sale has no unit for this order"
Sales = dict[tuple[str, int], int]
"""Units by product and epoch."""
BATCH_ENTRIES = 64
"""Entries of one read; an entry holds at most the gateway's batch of orders, so memory stays under some megabytes."""
PAGE_ENTRIES = 500
"""Entries of one look into the outbox."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An accepted order: its position in the batch, its place in the outbox, and the sale that it counts against."""

    position: int
    ms: int
    seq: int
    order_id: str
    sale: tuple[str, int]
    command: OrderAccepted


class Cancelled(msgspec.Struct, frozen=True, gc=False):
    """A cancellation: its position in the batch, its place in the outbox, and the sale that its units go back to."""

    position: int
    ms: int
    seq: int
    sale: tuple[str, int]
    command: OrderCancelled


Insert = Callable[[Context, Connection, list[Accepted]], Awaitable[set[str]]]
"""Inserts orders, at least one; gives the ids of those that were not there, and whose key had not ordered before."""


async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
    """Write a batch in one transaction: openings first, then orders and cancellations."""
    try:
        return await _handle(context, placed, _insert_new)
    except asyncpg.UniqueViolationError:
        # Some of it was delivered before, or its key has ordered before. Nothing has been written: now with a look.
        return await _handle(context, placed, _insert_unknown)


async def _handle(context: Context, placed: list[Placed], insert: Insert) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    accepted: list[Accepted] = []
    cancelled: list[Cancelled] = []
    for i, item in enumerate(placed):
        command = item.command
        if isinstance(command, OrderAccepted):
            sale = (command.order.product_id, command.epoch)
            accepted.append(Accepted(i, item.ms, item.seq, command.order_id, sale, command))
        elif isinstance(command, OrderCancelled):
            sale = (command.order.product_id, command.epoch)
            cancelled.append(Cancelled(i, item.ms, item.seq, sale, command))
    async with context.pool.acquire() as connection, connection.transaction():
        for i, item in enumerate(placed):
            if isinstance(item.command, SaleOpened):
                await _open_sale(context, connection, item.command)
                outcomes[i] = Done()
        if accepted or cancelled:
            outcomes |= await _write(context, connection, accepted, cancelled, insert)
    return [outcomes[i] for i in range(len(placed))]


async def _open_sale(context: Context, connection: Connection, sale: SaleOpened) -> None:
    if sale.closed_epoch:
        books = (sale.product_id, sale.closed_epoch, sale.closed_left, sale.closed_returned)
        await connection.execute(context.queries["close_sale"], *books)
    opening = (sale.product_id, sale.epoch, sale.total, sale.limit, sale.opened_us)
    await connection.execute(context.queries["insert_sale"], *opening)


async def _write(
    context: Context,
    connection: Connection,
    accepted: list[Accepted],
    cancelled: list[Cancelled],
    insert: Insert,
) -> dict[int, Outcome]:
    """Insert the orders whose sale is known and mark the cancelled ones. Gives an outcome for each position.

    The units that the batch frees and takes are set off against each other before they are counted: an order may have
    been accepted for a unit that a cancellation beside it gave back.
    """
    unsold, games = await _lock_sales(context, connection, (item.sale for item in (*accepted, *cancelled)))
    early = Retry("the opening of its sale has not been handled yet")
    outcomes: dict[int, Outcome] = {item.position: early for item in accepted if item.sale not in unsold}
    known = [item for item in accepted if item.sale in unsold]
    inserted = await insert(context, connection, known) if known else set[str]()
    sold: Sales = defaultdict(int)
    given_back: set[str] = set()
    rows: list[Any] = []
    if cancelled:
        rows, decided = await _cancel(context, connection, cancelled)
        outcomes |= decided
        given_back = {str(row["order_id"]) for row in rows}
        for row in rows:
            # An order that comes and goes with this batch has never counted.
            if str(row["order_id"]) not in inserted:
                sold[row["product_id"], row["epoch"]] -= row["quantity"]
    short: list[Accepted] = []
    live: list[handover.Handed] = []
    for item in known:
        if item.order_id not in inserted:
            continue
        quantity = 0 if item.order_id in given_back else item.command.order.quantity
        if sold[item.sale] + quantity > unsold[item.sale]:
            short.append(item)
        else:
            sold[item.sale] += quantity
            outcomes[item.position] = PERSISTED
            if quantity and item.sale in games:
                live.append((item.order_id, item.command.order.user_id))
    if short:
        outcomes |= await _fall_short(context, connection, short)
    await _count_sold(context, connection, sold)
    if games:
        returned = [row for row in rows if (row["product_id"], row["epoch"]) in games]
        gone = [(order_id, row["user_id"]) for row in returned if (order_id := str(row["order_id"])) not in inserted]
        await handover.hand_over(context, connection, live, gone)
    rest = [item for item in known if item.order_id not in inserted]
    return outcomes | (await _explain(context, connection, rest) if rest else {})


async def _insert_new(context: Context, connection: Connection, items: list[Accepted]) -> set[str]:
    """Raises UniqueViolationError when one of them was there, or its key had ordered before."""
    await connection.execute(context.queries["insert_new_orders"], *_columns(items))
    return {item.order_id for item in items}


async def _insert_unknown(context: Context, connection: Connection, items: list[Accepted]) -> set[str]:
    return {str(row["order_id"]) for row in await connection.fetch(context.queries["insert_orders"], *_columns(items))}


async def _fall_short(context: Context, connection: Connection, short: list[Accepted]) -> dict[int, Outcome]:
    """Orders that the sale has no unit for, although Redis had one: a cancellation that freed it is not written yet.

    An order that is cancelled itself counts no more, and waits for nothing: its cancellation waits for the order. One
    that waits for the cancellation of another order is retried. Where there is none on its way, the order is oversold.
    """
    outcomes: dict[int, Outcome] = {}
    digests = [found[1] if (found := parse_order_id(item.order_id)) else "" for item in short]
    records = await lua.read_records(context.redis, context.keys, digests)
    gone = [item for item, record in zip(short, records, strict=True) if _is_cancelled(record, item.order_id)]
    if gone:
        # When and where, the cancellation tells that is still to come; until then nothing is known but the order's own.
        times, places = [item.command.accepted_us for item in gone], ([i.ms for i in gone], [i.seq for i in gone])
        await connection.fetch(context.queries["cancel_orders"], [item.order_id for item in gone], times, *places)
        outcomes |= {item.position: PERSISTED for item in gone}
    rest = [item for item in short if item.position not in outcomes]
    freed = await _being_freed(context, {item.sale for item in rest})
    early = [item for item in rest if item.sale in freed]
    if early:
        await connection.execute(context.queries["withdraw_orders"], [item.order_id for item in early])
        retry = Retry("a cancellation on its way may free the unit that it needs")
        outcomes |= {item.position: retry for item in early}
    oversold = [item for item in rest if item.position not in outcomes]
    if oversold:
        ids = [item.order_id for item in oversold]
        context.log.error("orders beyond the stock of their sale", orders=ids)
        await connection.execute(context.queries["fail_orders"], ids, OVERSOLD)
    return outcomes | {item.position: Done(lua.FAILED_WITHOUT_UNITS) for item in oversold}


def _is_cancelled(record: bytes | None, order_id: str) -> bool:
    """Whether the record of an order says that its buyer has cancelled it."""
    found = decode_record(record) if record else None
    return found is not None and (found.order_id, found.state) == (order_id, "cancelled")


async def _being_freed(context: Context, sales: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of these sales that a cancellation is on its way to. It may be younger than an order that it makes room
    for: somebody else has had the unit in between, and was faster."""
    freed: set[tuple[str, int]] = set()
    stream = Stream(context.redis, context.keys.outbox, lua.GROUP_OF_ORDERS, "")
    after = ""
    while freed < sales and (page := await stream.entries_until("+", PAGE_ENTRIES, after)):
        for delivery in page:
            if delivery.fields.get(b"kind") == b"cancelled":
                commands = [item for item in decode_entry(delivery.fields) if isinstance(item, OrderCancelled)]
                freed |= sales & {(command.order.product_id, command.epoch) for command in commands}
        after = page[-1].entry_id
    return freed


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
            outcomes[item.position] = PERSISTED
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


async def _cancel(
    context: Context, connection: Connection, cancelled: list[Cancelled]
) -> tuple[list[Any], dict[int, Outcome]]:
    """Mark orders as cancelled; gives the rows that were marked now, and the outcomes. Orders that are not persisted
    any more were cancelled before, or had failed."""
    ids = [item.command.order_id for item in cancelled]
    times = [item.command.cancelled_us for item in cancelled]
    places = [item.ms for item in cancelled], [item.seq for item in cancelled]
    rows = await connection.fetch(context.queries["cancel_orders"], ids, times, *places)
    found = await connection.fetch(context.queries["find_orders"], ids)
    # What is persisted after it was to be cancelled was written by another worker between these two statements.
    known = {str(row["order_id"]) for row in found if row["state"] != "persisted"}
    early = Retry("the order that it cancels has not been handled yet")
    done = Done(lua.CANCELLED)
    return rows, {item.position: done if item.command.order_id in known else early for item in cancelled}


async def _lock_sales(
    context: Context, connection: Connection, sales: Iterable[tuple[str, int]]
) -> tuple[Sales, set[tuple[str, int]]]:
    """Lock the sales in one order; gives the units that each has not sold yet, and those that sell a game."""
    wanted = sorted(set(sales))
    names, epochs = [name for name, _ in wanted], [epoch for _, epoch in wanted]
    rows = await connection.fetch(context.queries["lock_sales"], names, epochs)
    unsold = {(row["product_id"], row["epoch"]): row["total"] - row["sold"] for row in rows}
    return unsold, {(row["product_id"], row["epoch"]) for row in rows if row["is_game"]}


async def _count_sold(context: Context, connection: Connection, units: Sales) -> None:
    if units:
        names, epochs = [name for name, _ in units], [epoch for _, epoch in units]
        await connection.execute(context.queries["count_sold"], names, epochs, list(units.values()))


def _columns(items: list[Accepted]) -> list[str]:
    """The orders as columns, in the order that the insert queries take them; a line for each order."""
    orders = [item.command.order for item in items]
    columns: tuple[Iterable[str], ...] = (
        [item.order_id for item in items],
        [order.product_id for order in orders],
        [str(item.command.epoch) for item in items],
        [order.user_id for order in orders],
        [str(order.quantity) for order in orders],
        [order.idempotency_key for order in orders],
        [str(item.command.accepted_us) for item in items],
        [str(item.ms) for item in items],
        [str(item.seq) for item in items],
    )
    return ["\n".join(column) for column in columns]


ORDERS = Worker(group=lua.GROUP_OF_ORDERS, handle=handle, query_file="orders", batch_entries=BATCH_ENTRIES)
