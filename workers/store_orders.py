"""Store orders: made, paid, cancelled and told of, each change in one transaction with its money and its stock.

Consumes  place_order, read_orders, read_order, cancel_order and put_promo_code, as commands of the worker `orders`
Calls     nothing
Writes    store_orders, store_order_items, ledger, users.balance, games.stock, promo_codes, carts
Emits     a reply to each; purchase for the worker `g2a`, cancel_flash_order for its own
Fails     what cannot be ordered is refused with its reason, and nothing of it is kept; its key may be used again
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from contract.bus import BusCommand, new_command_id
from contract.store_orders import OneOrder, OrderItem, OrdersPage, PlaceOrder, PutPromoCode
from sql import Connection
from workers import flash_orders, games
from workers.money import Promo, add_up
from workers.once import once
from workers.order_steps import QUERIES, give_back, lock_user, pay, show_order, show_orders, stale_of
from workers.service import Desk, Ending, Handler, Refuse, Replied, Service, replied

_place = msgspec.json.Decoder(PlaceOrder)
_page = msgspec.json.Decoder(OrdersPage)
_one = msgspec.json.Decoder(OneOrder)
_promo = msgspec.json.Decoder(PutPromoCode)


async def place_order(desk: Desk, command: BusCommand) -> Ending:
    """Make an order and pay it; one that its buyer has made with this key is given as it stands now, with 200."""
    wanted = _place.decode(command.body)

    async def work(connection: Connection) -> Replied:
        balance = await lock_user(connection, command.user_id)
        made = await connection.fetchrow(QUERIES["find_order_by_key"], command.user_id, wanted.idempotency_key)
        if made is not None:
            return await _repeat(connection, wanted, made)
        return await _make(connection, wanted, command, balance)

    return await once(desk, command, work)


async def _repeat(connection: Connection, wanted: PlaceOrder, made: Mapping[str, Any]) -> Replied:
    shown = await show_order(connection, made)
    asked_for = {item.game_id: item.quantity for item in wanted.items}
    has = {item["gameId"]: item["quantity"] for item in shown["items"]}
    if (asked_for, wanted.promo_code) != (has, made["promo_code"]):
        raise Refuse(
            422, "IDEMPOTENCY_KEY_REUSED", "This idempotency key belongs to another order. Use a new key for a new one."
        )
    return replied(shown)


async def _make(connection: Connection, wanted: PlaceOrder, command: BusCommand, balance: Decimal) -> Replied:
    items = sorted(wanted.items, key=lambda item: item.game_id)
    ids, quantities = [item.game_id for item in items], [item.quantity for item in items]
    await connection.execute(QUERIES["empty_cart"], command.user_id, ids)
    promo = await _use_promo(connection, wanted.promo_code) if wanted.promo_code is not None else None
    prices = await _find_prices(connection, items)
    sums = add_up(zip(prices, quantities, strict=True), promo)
    if sums.total > balance:
        message = f"The order comes to {sums.total}, and the balance is {balance}."
        raise Refuse(400, "INSUFFICIENT_BALANCE", message, action="deposit")
    order_id = UUID(new_command_id())
    own = (order_id, command.user_id, *sums, wanted.promo_code, wanted.idempotency_key)
    await connection.execute(QUERIES["insert_order"], *own)
    await connection.execute(QUERIES["add_items"], order_id, ids, quantities, prices)
    left = await connection.fetch(QUERIES["move_stock"], ids, quantities)
    row = await pay(connection, order_id, command)
    sold_out = any(game["stock"] == 0 for game in left)
    return replied(await show_order(connection, row), status=201, stale=stale_of(row, ids, shelves=sold_out))


async def _use_promo(connection: Connection, code: str) -> Promo:
    """What a promo code takes off; it is counted as used."""
    row = await connection.fetchrow(QUERIES["lock_promo_code"], code)
    if row is None:
        raise Refuse(400, "PROMO_CODE_UNKNOWN", "There is no such promo code.")
    if row["is_early"] or row["is_late"]:
        when = "is not valid yet" if row["is_early"] else "is not valid any more"
        raise Refuse(400, "PROMO_CODE_EXPIRED", f"The promo code {when}.")
    if row["is_used_up"]:
        raise Refuse(400, "PROMO_CODE_EXHAUSTED", "The promo code has been used as often as it may be.")
    await connection.execute(QUERIES["count_promo_use"], code, 1)
    return Promo(row["percent"], row["amount"])


async def _find_prices(connection: Connection, items: Sequence[OrderItem]) -> list[Decimal]:
    """The price of each item's game, which is locked, for sale, and has the units."""
    rows = await connection.fetch(QUERIES["lock_games"], [item.game_id for item in items])
    found = {row["id"]: row for row in rows if row["active"]}
    for item in items:
        if item.game_id not in found:
            raise Refuse(404, "GAME_NOT_FOUND", f"There is no game {item.game_id} for sale.")
        left = found[item.game_id]["stock"]
        if left < item.quantity:
            message = f"The game {item.game_id} is out of stock."
            if left:
                message = f"There are {left} left of the game {item.game_id}, fewer than were asked for."
            raise Refuse(404, "OUT_OF_STOCK", message)
    return [found[item.game_id]["price"] for item in items]


async def cancel_order(desk: Desk, command: BusCommand) -> Ending:
    """Cancel an order whose keys are not being bought yet; one that is cancelled already is given as it is."""
    order_id = _order_id(command)

    async def work(connection: Connection) -> Replied:
        await lock_user(connection, command.user_id)
        row = await connection.fetchrow(QUERIES["lock_order"], order_id, command.user_id)
        if row is None:
            raise _absent()
        if row["status"] == "CANCELLED":
            return replied(await show_order(connection, row))
        if row["status"] not in ("PENDING", "PROCESSING") or row["purchase_began_at"] is not None:
            state = "is being delivered" if row["status"] == "PROCESSING" else f"is {row['status'].lower()}"
            raise Refuse(409, "ORDER_NOT_CANCELLABLE", f"The order {state}, so it cannot be cancelled.", action="none")
        if row["from_sale"]:
            await flash_orders.tell_to_cancel(connection, order_id, command)
        given_back, stale = await give_back(connection, row, "CANCELLED")
        return replied(await show_order(connection, given_back), stale=stale)

    return await once(desk, command, work)


async def read_order(desk: Desk, command: BusCommand) -> Ending:
    """An order of whoever asks; nobody learns whether somebody else has one of this id."""
    order_id = _order_id(command)
    async with desk.pool.acquire() as connection:
        row = await connection.fetchrow(QUERIES["find_order"], order_id, command.user_id)
        if row is None:
            raise _absent()
        return replied(await show_order(connection, row))


async def read_orders(desk: Desk, command: BusCommand) -> Ending:
    """A page of the orders of whoever asks, the newest first."""
    wanted = _page.decode(command.body)
    before = (wanted.page - 1) * wanted.limit
    async with (
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        rows = await connection.fetch(QUERIES["find_orders"], command.user_id, wanted.limit, before)
        total = await connection.fetchval(QUERIES["count_orders"], command.user_id)
        results = await show_orders(connection, rows)
    pages = -(-total // wanted.limit)
    pagination = {"page": wanted.page, "limit": wanted.limit, "total": total, "pages": pages}
    return replied({"results": results, "pagination": pagination})


async def put_promo_code(desk: Desk, command: BusCommand) -> Ending:
    """Write a promo code, new or anew."""
    if command.role != "ADMIN":
        raise Refuse(403, "FORBIDDEN", "Only an administrator may change promo codes.")
    told = _promo.decode(command.body)
    promo = told.promo
    own = (told.code, promo.percent, promo.amount, promo.valid_from, promo.valid_until, promo.uses_max)

    async def work(connection: Connection) -> Replied:
        try:
            row = await connection.fetchrow(QUERIES["put_promo_code"], *own)
        except asyncpg.CheckViolationError as error:
            # Both bounds need what Postgres alone knows: the uses so far, and the time.
            match getattr(error, "constraint_name", None):
                case "used_within_bounds":
                    raise Refuse(409, "PROMO_CODE_USED", "The code has been used more often already.") from None
                case "ends_after_it_begins":
                    raise Refuse(400, "BAD_REQUEST", "A promo code ends after it begins.") from None
                case _:
                    raise
        return replied(
            {
                "code": row["code"],
                "percent": row["percent"],
                "amount": row["amount"],
                "validFrom": row["valid_from"],
                "validUntil": row["valid_until"],
                "usesMax": row["uses_max"],
                "used": row["used"],
            }
        )

    return await once(desk, command, work)


def _order_id(command: BusCommand) -> UUID:
    try:
        return UUID(_one.decode(command.body).order_id)
    except ValueError:
        raise _absent() from None


def _absent() -> Refuse:
    return Refuse(404, "ORDER_NOT_FOUND", "There is no order of this id.")


HANDLERS: dict[str, Handler] = {
    "place_order": place_order,
    "cancel_order": cancel_order,
    "read_order": read_order,
    "read_orders": read_orders,
    "put_promo_code": put_promo_code,
}
STORE = Service("orders", handlers={**HANDLERS, **flash_orders.HANDLERS, **games.HANDLERS})
