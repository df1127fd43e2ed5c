"""What the named queries of `sql/queries` do to the modelled Postgres. Their names stand in for their text."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from tests.simulation.postgres_model import Key, PostgresModel, Row, Steps, Transaction

NEVER = (1 << 63, 0)
"""A place behind all others."""
LIVE = ("persisted", "fulfilled")


def lock_sales(pg: PostgresModel, tx: Transaction, products: list[str], epochs: list[int]) -> Steps:
    """Those of these sales that stand when the statement begins, locked in their order; and which sell a game."""
    wanted = sorted(set(zip(products, epochs, strict=True)))
    found: list[Row] = []
    for key in [("sale", *sale) for sale in wanted if pg.see(tx, ("sale", *sale))]:
        row = yield from pg.lock(tx, key)
        found.append({**row, "is_game": pg.see(tx, ("game", key[1])) is not None})
    return found


def insert_sale(pg: PostgresModel, tx: Transaction, product: str, epoch: int, total: int, *_: int) -> Steps:
    row = {"product_id": product, "epoch": epoch, "total": total, "sold": 0}
    yield from pg.insert(tx, {("sale", product, epoch): row})
    return []


def close_sale(pg: PostgresModel, tx: Transaction, product: str, epoch: int, left: int, returned: int) -> Steps:
    row = {"product_id": product, "epoch": epoch, "closed_left": left, "closed_returned": returned}
    yield from pg.insert(tx, {("closing", product, epoch): row})
    return []


def insert_new_orders(pg: PostgresModel, tx: Transaction, *columns: str) -> Steps:
    """Every key is written as soon as it is found free, and the first that stands undoes all."""
    for row in _rows(columns, state="persisted", reason=None):
        for key in _keys(pg, row):
            if not (yield from pg.insert(tx, {key: row})):
                raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    return []


def insert_orders(pg: PostgresModel, tx: Transaction, *columns: str) -> Steps:
    """The orders that were written; those whose id or key stands already are left alone."""
    written: list[Row] = []
    for row in _rows(columns, state="persisted", reason=None):
        if (yield from pg.insert(tx, dict.fromkeys(_keys(pg, row), row))):
            written.append(row)
        elif not pg.conflicts_are_left_alone:
            raise asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    return written


def insert_duplicates(pg: PostgresModel, tx: Transaction, *columns: str) -> Steps:
    """Failed orders hold no key, so only their ids can stand already."""
    for row in _rows(columns[:-1], state="failed", reason=columns[-1]):
        yield from pg.insert(tx, {("order", row["order_id"]): row})
    return []


def fail_orders(pg: PostgresModel, tx: Transaction, order_ids: list[str], reason: str) -> Steps:
    for order_id in order_ids:
        row = yield from pg.lock(tx, ("order", order_id))
        tx.writes["order", order_id] = {**row, "state": "failed", "reason": reason}
        tx.writes["key", row["user_id"], row["idempotency_key"]] = None
    return []


def withdraw_orders(pg: PostgresModel, tx: Transaction, order_ids: list[str]) -> Steps:
    for order_id in order_ids:
        row = yield from pg.lock(tx, ("order", order_id))
        tx.writes["order", order_id] = None
        tx.writes["key", row["user_id"], row["idempotency_key"]] = None
    return []


def count_sold(pg: PostgresModel, tx: Transaction, products: list[str], epochs: list[int], units: list[int]) -> Steps:
    """The CHECK is looked at before the lock is waited for, and again after."""
    for product, epoch, count in zip(products, epochs, units, strict=True):
        row = pg.see(tx, ("sale", product, epoch))
        if row is not None:
            _count(row, count)
            row = yield from pg.lock(tx, ("sale", product, epoch))
            tx.writes["sale", product, epoch] = _count(row, count)
    return []


def cancel_orders(
    pg: PostgresModel, tx: Transaction, ids: list[str], times: list[int], ms: list[int], seq: list[int]
) -> Steps:
    """The orders that were persisted, and are cancelled now."""
    places = dict(zip(_uuids(ids), zip(ms, seq, strict=True), strict=True))
    cancelled: list[Row] = []
    for order_id in [i for i in places if (row := pg.see(tx, ("order", i))) and row["state"] == "persisted"]:
        row = yield from pg.lock(tx, ("order", order_id))
        if row and row["state"] == "persisted":
            tx.writes["order", order_id] = row = {**row, "state": "cancelled", "cancelled_place": places[order_id]}
            cancelled.append(row)
    return cancelled


def find_orders(pg: PostgresModel, tx: Transaction, ids: list[str]) -> Steps:
    """What is no id the driver refuses, before it asks."""
    return _find(pg, tx, dict.fromkeys(_uuids(ids)))


def _find(pg: PostgresModel, tx: Transaction, ids: Iterable[str]) -> Steps:
    yield from ()
    return [row for order_id in ids if (row := pg.see(tx, ("order", order_id)))]


def find_originals(pg: PostgresModel, tx: Transaction, users: list[str], keys: list[str]) -> Steps:
    """For each key the order that holds it."""
    yield from ()
    holders = [pg.see(tx, ("key", user, key)) for user, key in zip(users, keys, strict=True)]
    return [pg.see(tx, ("order", row["order_id"])) for row in holders if row]


def hand_over(pg: PostgresModel, tx: Transaction, *columns: str) -> Steps:
    """The notification, where a command was left: for those of these buyers that are users."""
    left_there = False
    for command_id, user_id, command in zip(*(column.split("\n") for column in columns), strict=True):
        if pg.see(tx, ("user", user_id)) is not None:
            row = {"command_id": command_id, **msgspec.json.decode(command)}
            left_there |= yield from pg.insert(tx, {("handed", command_id): row})
    return [{}] if left_there else []


def known_orders(pg: PostgresModel, tx: Transaction, ids: list[str]) -> Steps:
    return (yield from find_orders(pg, tx, ids))


def sale_books(pg: PostgresModel, tx: Transaction, *running: list[Any]) -> Steps:
    """Every sale with the units of its orders; of one that runs, as of a place in the outbox."""
    yield from ()
    keys = [*dict.fromkeys((*(pg.rows if tx.snapshot is None else tx.snapshot), *tx.writes))]
    orders = [row for key in keys if key[0] == "order" and (row := pg.see(tx, key))]
    places = {(product, epoch): (ms, seq) for product, epoch, ms, seq in zip(*running, strict=True)}
    books: list[Row] = []
    for key in sorted({key[1:] for key in keys if key[0] in ("sale", "closing")}):
        sale, closing = pg.see(tx, ("sale", *key)) or {}, pg.see(tx, ("closing", *key)) or {}
        own = [row for row in orders if (row["product_id"], row["epoch"]) == key]
        place = places.get(key, NEVER)
        seen = [row for row in own if row["place"] <= place]
        gone = [row for row in seen if row["state"] == "cancelled" and row["cancelled_place"] <= place]
        failed = [row for row in seen if row["state"] == "failed"]
        oversold = [row for row in failed if row["reason"].startswith("oversold")]
        book = {
            "product_id": key[0],
            "epoch": key[1],
            "total": sale.get("total"),
            "sold_counter": sale.get("sold", 0),
            "closed_left": closing.get("closed_left"),
            "closed_returned": closing.get("closed_returned"),
            "orders": len(seen),
            "units": _units(seen),
            "cancelled": _units(gone),
            "failed": _units(failed) - _units(oversold),
            "oversold": _units(oversold),
            "sold_now": _units(row for row in own if row["state"] in LIVE),
        }
        books.append(book)
    return books


def _count(sale: Row, units: int) -> Row:
    sold = sale["sold"] + units
    if not 0 <= sold <= sale["total"]:
        raise asyncpg.CheckViolationError('new row for relation "sales" violates check constraint')
    return {**sale, "sold": sold}


def _keys(pg: PostgresModel, row: Row) -> list[Key]:
    """What no other order may have."""
    own: list[Key] = [("order", row["order_id"])]
    return [*own, ("key", row["user_id"], row["idempotency_key"])] if pg.one_order_per_key else own


def _rows(columns: Sequence[str], **rest: Any) -> list[Row]:
    """Orders from their columns, each a text with a line for each order."""
    rows: list[Row] = []
    for order_id, product_id, *cells in zip(*(column.split("\n") for column in columns), strict=True):
        epoch, user_id, quantity, key, accepted_us, ms, seq = cells
        try:
            order_id = str(uuid.UUID(order_id))
        except ValueError as error:
            raise asyncpg.InvalidTextRepresentationError(str(error)) from None
        row = {"order_id": order_id, "product_id": product_id, "epoch": int(epoch), "user_id": user_id}
        row |= {"quantity": int(quantity), "idempotency_key": key, "accepted_us": int(accepted_us)}
        rows.append({**row, "place": (int(ms), int(seq)), **rest})
    return rows


def _uuids(ids: Iterable[str]) -> list[str]:
    try:
        return [str(uuid.UUID(text)) for text in ids]
    except ValueError as error:
        raise asyncpg.DataError(f"invalid input for query argument: {error}") from None


def _units(rows: Iterable[Row]) -> int:
    return sum(row["quantity"] for row in rows)


QUERIES: dict[str, Callable[..., Steps]] = {
    query.__name__: query
    for query in (
        lock_sales,
        insert_sale,
        close_sale,
        insert_new_orders,
        insert_orders,
        insert_duplicates,
        fail_orders,
        withdraw_orders,
        count_sold,
        cancel_orders,
        find_orders,
        find_originals,
        hand_over,
        known_orders,
        sale_books,
    )
}
NAMES = {name: name for name in QUERIES}
"""What a context has for its queries here."""
