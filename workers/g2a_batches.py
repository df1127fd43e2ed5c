"""Writes a batch of products: games, products and labels, in the transaction of its step, each table at once.

Whatever one product has that no table takes is told as its error, and keeps no other from being written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sql import Connection, load_queries
from workers.faults import is_bad_data
from workers.g2a_catalogue import GAME_PREFIX, Row

REASON_MAX = 200
"""Characters of the error of a product: there may be a hundred in one reply."""
QUERIES = load_queries("g2a_sync")


class Terms(NamedTuple):
    """How a batch is written: whether games are written anew that G2A has not changed, whether labels are, and when
    G2A was asked."""

    anew: bool
    with_labels: bool
    asked_at: datetime


class Written(NamedTuple):
    """What came of a batch; `created` counts new labels by kind, `errors` has product and reason."""

    synced: int
    added: int
    updated: int
    created: Counter[str]
    errors: tuple[tuple[str, str], ...] = ()


class _Line(NamedTuple):
    """A product, its game, and what can be had of it; `is_changed` where its game has to be written."""

    game_id: str
    row: Row
    stock: int
    is_changed: bool


async def write_batch(connection: Connection, rows: Sequence[Row], terms: Terms) -> Written:
    """Write products. One that Postgres does not take is found by halving, and told as an error."""
    try:
        async with connection.transaction():
            return await _write(connection, rows, terms)
    except Exception as error:
        if not is_bad_data(error):
            raise
        if len(rows) == 1:
            reason = f"the database does not take it: {error}"[:REASON_MAX]
            return Written(0, 0, 0, Counter(), ((rows[0].product_id, reason),))
    half = len(rows) // 2
    one, other = [await write_batch(connection, part, terms) for part in (rows[:half], rows[half:])]
    return Written(*(mine + theirs for mine, theirs in zip(one, other, strict=True)))  # type: ignore[operator]


async def lock(connection: Connection, products: Sequence[str]) -> None:
    """Lock the games of products, in the order of their ids: who orders several of them locks them in that order."""
    await connection.fetch(QUERIES["lock_games"], list(products), [])


async def meet(connection: Connection, products: Sequence[str]) -> None:
    """Note that products are there, though they cannot be read: what is known of them stays."""
    await connection.execute(QUERIES["meet_products"], list(products), [None] * len(products))


async def remove(connection: Connection, products: Sequence[str]) -> int:
    """Take products off sale that are gone; gives how many of them were there until now."""
    return len(await connection.fetch(QUERIES["remove_products"], list(products)))


async def _write(connection: Connection, rows: Sequence[Row], terms: Terms) -> Written:
    by_id = {row.product_id: row for row in rows}
    known = {found["product_id"]: found for found in await connection.fetch(QUERIES["find_products"], list(by_id))}
    own_ids = [GAME_PREFIX + product_id for product_id in by_id]
    games = await connection.fetch(QUERIES["lock_games"], list(by_id), own_ids)
    taken = {game["id"]: game["g2a_product_id"] for game in games}
    game_of = {product_id: game_id for game_id, product_id in taken.items()}
    errors: list[tuple[str, str]] = []
    to_write: list[tuple[str, Row]] = []
    for product_id, row in by_id.items():
        game_id = game_of.get(product_id, GAME_PREFIX + product_id)
        if taken.get(game_id) not in (None, product_id):
            errors.append((product_id, f"the game {game_id} sells the product {taken[game_id]}"))
            continue
        to_write.append((game_id, row))
    units = await connection.fetch(QUERIES["count_unbought"], [game_id for game_id, _ in to_write], terms.asked_at)
    unbought = {found["game_id"]: found["units"] for found in units}
    lines: list[_Line] = []
    touched: set[str] = set()
    for game_id, row in sorted(to_write, key=lambda one: one[0]):
        was = known.get(row.product_id)
        is_same = was is not None and was["fingerprint"] == row.fingerprint and not was["is_removed"]
        if not is_same or row.product_id not in game_of:
            touched.add(game_id)
        is_changed = terms.anew or game_id in touched
        lines.append(_Line(game_id, row, max(0, row.stock - unbought.get(game_id, 0)), is_changed))
    touched |= await _write_games(connection, lines)
    await _write_products(connection, lines, known)
    created: Counter[str] = Counter()
    if terms.with_labels and lines:
        created, relabelled = await _write_labels(connection, lines)
        touched |= relabelled
    added = {line.game_id for line in lines} - taken.keys()
    return Written(len(lines), len(added), len(touched - added), created, tuple(errors))


async def _write_games(connection: Connection, lines: Sequence[_Line]) -> set[str]:
    """Write games, and the stock of those that need nothing else; gives those that were not so before."""
    changed = [line for line in lines if line.is_changed]
    same = [line for line in lines if not line.is_changed]
    found: list[Mapping[str, Any]] = []
    if changed:
        columns = [
            (line.game_id, *line.row[1:7], line.stock, line.row.released_on, line.row.product_id) for line in changed
        ]
        found += await connection.fetch(QUERIES["put_games"], *map(list, zip(*columns, strict=True)))
    if same:
        stocks = [line.stock for line in same]
        found += await connection.fetch(QUERIES["set_stock"], [line.game_id for line in same], stocks)
    return {game["id"] for game in found}


async def _write_products(
    connection: Connection, lines: Sequence[_Line], known: Mapping[str, Mapping[str, Any]]
) -> None:
    changed = [line.row for line in lines if line.is_changed]
    same = [line.row for line in lines if not line.is_changed]
    back = [row.product_id for row in changed if row.product_id in known and known[row.product_id]["took_off"]]
    if back:
        await connection.execute(QUERIES["put_back"], back)
    if changed:
        columns = [
            (row.product_id, row.base_price, row.currency, row.stock, row.fingerprint, row.details) for row in changed
        ]
        await connection.execute(QUERIES["put_products"], *map(list, zip(*columns, strict=True)))
    if same:
        quantities = [row.stock for row in same]
        await connection.execute(QUERIES["meet_products"], [row.product_id for row in same], quantities)


async def _write_labels(connection: Connection, lines: Sequence[_Line]) -> tuple[Counter[str], set[str]]:
    """Write the labels of games; gives how many are new, by kind, and the games whose labels were others."""
    of_games = [(line.game_id, kind, name) for line in lines for kind, name in line.row.labels]
    games, kinds, names = ([one[place] for one in of_games] for place in range(3))
    new = await connection.fetch(QUERIES["put_labels"], kinds, names)
    own = [line.game_id for line in lines]
    relabelled = await connection.fetch(QUERIES["set_labels"], own, games, kinds, names)
    return Counter(label["kind"] for label in new), {game["game_id"] for game in relabelled}
