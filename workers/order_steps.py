"""The steps that store orders are made of, each inside the transaction of whoever takes it, and how an order is shown.

Locks are taken in one order, so that nobody waits in a circle: the user, his orders, his cart, the promo code, and the
games by their ids. Whoever pays or gives back holds the lock of the user.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from contract.bus import BusCommand
from sql import Connection, load_queries
from workers.follow_ups import follow_up
from workers.once import tell
from workers.service import Refuse

QUERIES = load_queries("store_orders")
Row = Mapping[str, Any]


async def lock_user(connection: Connection, user_id: str) -> Decimal:
    """What a user has, locked until the transaction ends. Refuses where there is no such user."""
    balance = await connection.fetchval(QUERIES["lock_user"], user_id)
    if balance is None:
        raise Refuse(401, "UNAUTHORIZED", "The account of this token does not exist any more.", action="login")
    return balance


async def pay(connection: Connection, order_id: UUID, command: BusCommand) -> Row:
    """Pay an order that is PENDING, and have its keys bought; gives the order, which is PROCESSING then.

    `command` is the one that this is done for. Raises CheckViolationError where the balance is too small.
    """
    await connection.execute(QUERIES["pay_order"], order_id)
    row = await connection.fetchrow(QUERIES["set_status"], order_id, "PROCESSING", None)
    items = [{"gameId": item["gameId"], "quantity": item["quantity"]} for item in await _items(connection, [row])]
    await tell(connection, "g2a", follow_up(order_id, "purchase", row["user_id"], {"items": items}, cause=command))
    return row


async def give_back(connection: Connection, order: Row, status: str) -> tuple[Row, tuple[str, ...]]:
    """End a locked order with `status`, CANCELLED or REFUNDED, and give back what it took: money, stock, promo use.

    Gives the order, and the caches that are stale. That the schema lets an order become neither of them twice is why
    all of it comes back once.
    """
    row = await connection.fetchrow(QUERIES["set_status"], order["id"], status, None)
    items = await _items(connection, [row])
    ids = [item["gameId"] for item in items]
    await connection.execute(QUERIES["refund_order"], row["id"])
    if row["promo_code"] is not None:
        await connection.execute(QUERIES["count_promo_use"], row["promo_code"], -1)
    if row["from_sale"]:
        return row, stale_of(row)
    locked = await connection.fetch(QUERIES["lock_games"], ids)
    await connection.execute(QUERIES["move_stock"], ids, [-item["quantity"] for item in items])
    return row, stale_of(row, ids, shelves=any(game["stock"] == 0 for game in locked))


async def complete_short(
    connection: Connection, order: Row, missing: Mapping[str, int], amount: Decimal, reason: str
) -> tuple[str, ...]:
    """End a locked order whose buyer has some of its units, and give back `amount` for those that are missing, by
    their games; gives the caches that are stale."""
    row = await connection.fetchrow(QUERIES["set_status"], order["id"], "COMPLETED", reason)
    await connection.execute(QUERIES["refund_part"], row["id"], amount)
    if row["from_sale"]:
        return stale_of(row)
    ids = sorted(missing)
    locked = await connection.fetch(QUERIES["lock_games"], ids)
    await connection.execute(QUERIES["move_stock"], ids, [-missing[game] for game in ids])
    return stale_of(row, ids, shelves=any(game["stock"] == 0 for game in locked))


def stale_of(order: Row, games: Sequence[str] = (), *, shelves: bool = False) -> tuple[str, ...]:
    """The caches that an order makes stale. `games` are those whose stock has changed.

    Lists of games show a stock some seconds old and are only told when a game sells out or comes back (`shelves`):
    forgetting them with every order would be having none.
    """
    user = order["user_id"]
    own = (f"user:{user}:orders", f"user:{user}:cart", f"order:{order['id']}")
    return (*own, *(f"game:{game}" for game in games), *(("home:*", "catalog:*") if shelves else ()))


async def show_order(connection: Connection, row: Row) -> dict[str, Any]:
    """An order as its buyer sees it."""
    return (await show_orders(connection, [row]))[0]


async def show_orders(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Orders as their buyer sees them."""
    items: dict[UUID, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    for item in await _items(connection, rows):
        items[item.pop("orderId")].append(item)
    return [
        {
            "id": str(row["id"]),
            "userId": row["user_id"],
            "status": row["status"],
            "total": row["total"],
            "subtotal": row["subtotal"],
            "discount": row["discount"],
            "promoCode": row["promo_code"],
            "fromSale": row["from_sale"],
            "reason": row["reason"],
            "items": items[row["id"]],
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
        }
        for row in rows
    ]


async def _items(connection: Connection, rows: Sequence[Row]) -> list[dict[str, Any]]:
    found = await connection.fetch(QUERIES["find_items"], [row["id"] for row in rows])
    return [
        {"orderId": row["order_id"], "gameId": row["game_id"], "quantity": row["quantity"], "price": row["price"]}
        for row in found
    ]
