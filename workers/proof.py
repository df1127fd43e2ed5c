"""Reads Redis and Postgres for the proof, as of one entry of the outbox, while the sale goes on."""

import uuid

import lua
from contract.messages import decode_entry
from contract.transport import Delivery, Stream
from workers.books import Books, Transit, compare
from workers.worker import Context

PAGE_ENTRIES = 500
LOOKS_MAX = 3
"""Looks before a difference is believed: between two reads a failed order's units are in neither for an instant."""


async def prove(context: Context) -> list[Books]:
    """The books of every sale epoch that Redis or Postgres knows."""
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
    snapshot = await lua.snapshot(context.redis, context.keys)
    transit = Transit()
    await _read(context, context.keys.outbox, snapshot.last_entry, transit)
    # Dead letters have places of their own; each is a command that was in the outbox before.
    await _read(context, context.keys.dead, "+", transit)
    ms, _, seq = snapshot.last_entry.partition("-")
    ids = [order_id for order_id in {*transit.accepted, *transit.cancelled} if _is_uuid(order_id)]
    # Postgres last: what has left the outbox since it was read is there by now.
    async with context.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        rows = await connection.fetch(context.queries["sale_books"], int(ms), int(seq))
        known = await connection.fetch(context.queries["known_orders"], ids)
    return compare(snapshot, transit, rows, {str(row["order_id"]): row["state"] for row in known})


async def _read(context: Context, name: str, last: str, transit: Transit) -> None:
    stream = Stream(context.redis, name, lua.GROUP_OF_ORDERS, "")
    after = ""
    while page := await stream.entries_until(last, PAGE_ENTRIES, after):
        for delivery in page:
            fields = living(delivery) if name == context.keys.dead else delivery.fields
            transit.note(decode_entry(fields))
        after = page[-1].entry_id


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
