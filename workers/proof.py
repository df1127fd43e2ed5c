"""Reads Redis and Postgres for the proof, as of one entry in the outbox of each lane, while the sale goes on."""

import uuid
from collections.abc import AsyncGenerator

from redis.exceptions import ResponseError

import lua
from contract.messages import decode_entry
from contract.transport import Delivery, Stream
from workers.books import Books, Transit, compare
from workers.faults import is_damage
from workers.worker import Context

PAGE_ENTRIES = 500
LOOKS_MAX = 3
"""Looks before a difference is believed: between two reads a failed order's units are in neither for an instant."""


async def prove(context: Context) -> list[Books]:
    """The books of every sale epoch that Redis or Postgres knows, of all lanes.

    Those of a lane that cannot be read, because somebody has damaged it, have that as their fault.
    """
    books: list[Books] = []
    for _ in range(LOOKS_MAX):
        books = await _look(context)
        if not any(book.fault for book in books):
            break
    return books


def living(delivery: Delivery) -> dict[bytes, bytes]:
    """The outbox entry that a dead-lettered command would be if it were alone in it."""
    fields = delivery.fields
    at, name = fields.get(b"at", b""), fields.get(b"name", b"")
    return {b"kind": fields.get(b"kind", b""), b"at": at, name: fields.get(b"value", b"")}


async def _look(context: Context) -> list[Books]:
    lanes = context.settings.lanes
    transit, sales = Transit(), list[lua.SaleBooks]()
    running: list[tuple[str, int, int, int]] = []
    damaged: dict[int, str] = {}
    for keys in lua.every_lane(lanes):
        snapshot = lua.Snapshot("0-0", [])
        try:
            snapshot = await _read_lane(context, keys, transit)
        except ResponseError as error:
            if not is_damage(error):
                raise
            context.log.error("a lane cannot be read", lane=keys.lane, error=str(error))
            damaged[keys.lane] = f"lane {keys.lane} cannot be read: {error}"
        sales += snapshot.sales
        ms, _, seq = snapshot.last_entry.partition("-")
        running += [(sale.product_id, sale.epoch, int(ms), int(seq)) for sale in snapshot.sales if sale.epoch]
    ids = [order_id for order_id in {*transit.accepted, *transit.cancelled} if _is_uuid(order_id)]
    # Postgres last: what has left the outboxes since they were read is there by now.
    async with context.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await connection.fetch(context.queries["sale_books"], *_columns(running))
        known = await connection.fetch(context.queries["known_orders"], ids)
    books = compare(sales, transit, rows, {str(row["order_id"]): row["state"] for row in known})
    return [book._replace(fault=damaged.get(lua.lane_of(book.product_id, lanes), book.fault)) for book in books]


def _columns(running: list[tuple[str, int, int, int]]) -> list[list[object]]:
    return [[sale[i] for sale in running] for i in range(4)]


async def _read_lane(context: Context, keys: lua.LaneKeys, transit: Transit) -> lua.Snapshot:
    """What a lane sells, and what is on its way in it, which joins the transit."""
    snapshot = await lua.snapshot(context.redis, keys)
    async for delivery in _entries(context, keys.outbox, snapshot.last_entry):
        transit.note(decode_entry(delivery.fields))
    # Dead letters have places of their own; each is a command that was in the outbox before.
    async for delivery in _entries(context, keys.dead, "+"):
        transit.note(decode_entry(living(delivery)))
    return snapshot


async def _entries(context: Context, name: str, last: str) -> AsyncGenerator[Delivery]:
    stream = Stream(context.redis, name, lua.GROUP_OF_ORDERS, "")
    after = ""
    while page := await stream.entries_until(last, PAGE_ENTRIES, after):
        for delivery in page:
            yield delivery
        after = page[-1].entry_id


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
