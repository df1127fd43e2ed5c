"""How an order of keys ends: everything that was to be bought for it has come, or will not come.

All of it happens inside the transaction of whoever learns it, a worker that has bought or one that G2A has told. He
holds the lock of the user and of the order, in this order, before he looks at its purchases.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from contract.bus import BusCommand, encode
from sql import Connection, load_queries
from workers import order_steps
from workers.money import share
from workers.once import tell
from workers.order_steps import Row, lock_user, stale_of

QUERIES = load_queries("g2a_purchases")
OPEN = ("intended", "calling", "pending", "collecting")
"""States of a purchase that goes on."""
ROUNDS_MAX = 3
"""Rounds of buying what was delivered short: who is short three times has no more."""
REASON_MAX = 200
"""Characters of a reason that the tables hold."""
NONE_LEFT = ("G2A_OUT_OF_STOCK", "G2A_PRODUCT_NOT_FOUND")
"""What the reasons of purchases begin with that somebody else would be refused for too."""
NO_PRODUCT = "G2A_PRODUCT_NOT_FOUND: the game has no product at G2A"


async def lock(connection: Connection, order_id: UUID, user_id: str) -> Row:
    """An order, locked with its user until the transaction ends."""
    await lock_user(connection, user_id)
    return await connection.fetchrow(order_steps.QUERIES["lock_order"], order_id, user_id)


async def heed(connection: Connection, upstream_id: str, status: str, reason: str) -> tuple[str, ...] | None:
    """Take note of what G2A says of one of its orders; gives the caches that are stale, None where no purchase is
    known to have become this order (yet).

    Nothing falls back: what has ended stays as it is, and an order that is completed is believed when its keys are
    there.
    """
    found = await connection.fetchrow(QUERIES["find_by_upstream"], upstream_id)
    if found is None:
        return None
    order = await lock(connection, found["order_id"], found["user_id"])
    purchase = await connection.fetchrow(QUERIES["find_purchase"], found["id"])
    is_over = status in ("failed", "cancelled")
    if is_over and purchase["state"] == "pending":
        why = f"G2A_API_ERROR: {reason or f'G2A says that its order is {status}'}"
        await change(connection, purchase["id"], "pending", "failed", reason=why)
        return await end_order(connection, order) or ()
    # Whoever is paying just now, or died over it, asks for himself what became of it.
    if (status == "completed" and purchase["state"] in OPEN) or (is_over and purchase["state"] == "calling"):
        await tell(connection, "g2a", _collect(purchase))
    return ()


async def change(
    connection: Connection,
    purchase_id: UUID,
    before: str,
    after: str,
    *,
    called_at: Any = None,
    upstream_id: str | None = None,
    reason: str | None = None,
) -> bool:
    """Move a purchase on; False where it has left that state, or where it was not called at that time by us."""
    told = reason[:REASON_MAX] if reason else None
    own = (purchase_id, before, after, called_at, upstream_id, told)
    return bool(await connection.fetchval(QUERIES["change_purchase"], *own))


async def intend(
    connection: Connection, order_id: UUID, lines: Sequence[tuple[Row, int, int]], *, round_number: int = 1
) -> None:
    """Write down purchases: for each an item (game, product, price), its number among those of the game, its units."""
    ids = [uuid5(order_id, f"{item['game_id']} {number}") for item, number, _ in lines]
    columns = (
        [item["game_id"] for item, _, _ in lines],
        [number for _, number, _ in lines],
        [item["product_id"] for item, _, _ in lines],
        [units for _, _, units in lines],
        [item["price"] for item, _, _ in lines],
    )
    await connection.execute(QUERIES["add_purchases"], order_id, round_number, ids, *columns)


async def end_order(connection: Connection, order: Row) -> tuple[str, ...] | None:
    """End a locked order when nothing of it is left to wait for; gives the caches that are stale, None while it goes
    on. One that had ended before makes the same caches stale.

    Who has all units has what he paid for; who has none gets all of it back; who has some gets back the share of the
    others, and is told so.
    """
    if order["status"] != "PROCESSING":
        return stale_of(order)
    purchases = await connection.fetch(QUERIES["find_purchases"], order["id"])
    items = await connection.fetch(QUERIES["find_wanted"], order["id"])
    if any(row["state"] in OPEN for row in purchases) or await _buy_what_is_short(connection, order, items, purchases):
        return None
    had: Counter[str] = Counter()
    for row in purchases:
        had[row["game_id"]] += min(row["keys"], row["quantity"])
    missing = {item["game_id"]: left for item in items if (left := item["quantity"] - had[item["game_id"]]) > 0}
    if not missing:
        row = await connection.fetchrow(order_steps.QUERIES["set_status"], order["id"], "COMPLETED", None)
        return stale_of(row)
    reason = _why(purchases, missing)
    if not had.total():
        await connection.execute(order_steps.QUERIES["set_status"], order["id"], "FAILED", reason)
        _, stale = await order_steps.give_back(connection, order, "REFUNDED")
        return stale + await _sell_no_more(connection, purchases)
    lines = [(item["price"], missing.get(item["game_id"], 0)) for item in items]
    amount = share(lines, order["subtotal"], order["total"])
    units = sum(missing.values())
    told = f"{_units(units)} could not be had, and {amount} was given back. {reason}"
    stale = await order_steps.complete_short(connection, order, missing, amount, told[:REASON_MAX])
    return stale + await _sell_no_more(connection, purchases)


async def _sell_no_more(connection: Connection, purchases: Sequence[Row]) -> tuple[str, ...]:
    """Take games that G2A has none of out of our own stock, until a sync brings them back: the next buyer would only
    get his money back as well. Gives the caches that are stale."""
    gone = sorted({row["game_id"] for row in purchases if (row["reason"] or "").startswith(NONE_LEFT)})
    if not gone:
        return ()
    await connection.fetch(order_steps.QUERIES["lock_games"], gone)
    await connection.execute(QUERIES["empty_stock"], gone)
    return (*(f"game:{game}" for game in gone), "home:*", "catalog:*")


async def _buy_what_is_short(
    connection: Connection, order: Row, items: Sequence[Row], purchases: Sequence[Row]
) -> bool:
    """Write down purchases of what the last round of each game was short of; whether there are any."""
    of_game = {item["game_id"]: item for item in items}
    lines: dict[int, list[tuple[Row, int, int]]] = {}
    for game, rows in _by_game(purchases).items():
        last, numbers = max(row["round"] for row in rows), len(rows)
        for row in rows:
            short = row["quantity"] - row["keys"]
            if row["round"] == last < ROUNDS_MAX and row["state"] == "delivered" and short > 0:
                numbers += 1
                again = {"game_id": game, "product_id": row["product_id"], "price": of_game[game]["price"]}
                lines.setdefault(last + 1, []).append((again, numbers, short))
    for number, of_round in lines.items():
        await intend(connection, order["id"], of_round, round_number=number)
    return bool(lines)


def _why(purchases: Sequence[Row], missing: Mapping[str, int]) -> str:
    """Why games are missing, beginning with a code of G2A's contract."""
    if told := next((row["reason"] for row in purchases if row["reason"]), None):
        return told
    tried = {row["game_id"] for row in purchases}
    return "G2A_API_ERROR: fewer keys were delivered than were bought" if missing.keys() <= tried else NO_PRODUCT


def _by_game(purchases: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in purchases:
        found.setdefault(row["game_id"], []).append(row)
    return found


def _units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count} units"


def _collect(purchase: Mapping[str, Any]) -> BusCommand:
    """The command to fetch what G2A has for a purchase."""
    return BusCommand(
        id=str(uuid5(purchase["id"], "collect")),
        kind="collect",
        body=msgspec.Raw(encode({"purchaseId": str(purchase["id"])})),
        user_id=purchase["user_id"],
    )
