"""Carts and wishlists of users and of guests: what is in them, and every change but their migration.

Consumes  read_cart, add_to_cart, set_in_cart, drop_from_cart, clear_cart, read_wishlist, add_to_wishlist and
          drop_from_wishlist, as commands of the worker `migration`
Calls     nothing
Writes    carts, wishlists
Emits     a reply to each: the cart or the wishlist as it is then
Fails     an unknown game is refused with 404; what would exceed the stock, or a limit, with 409
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from contract.bus import BusCommand
from contract.games import QUANTITY_MAX, GameId, GameQuantity
from sql import Connection
from workers.once import once
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied

CART_GAMES_MAX = 100
"""Different games in a cart; a cart is read and moved as a whole."""
WISHLIST_GAMES_MAX = 500
USER, SESSION = "user", "session"
GAME_NOT_FOUND, OUT_OF_STOCK, CART_FULL, WISHLIST_FULL = "GAME_NOT_FOUND", "OUT_OF_STOCK", "CART_FULL", "WISHLIST_FULL"
"""Why a game cannot be had, or not by this owner."""


class Owner(NamedTuple):
    """Whose a cart and a wishlist are."""

    kind: str
    id: str

    def stale(self, family: str) -> str:
        """The name of what is cached of this owner."""
        return f"{self.kind}:{self.id}:{family}"


class Line(msgspec.Struct, frozen=True):
    """A game, and how many of it."""

    game_id: GameId
    quantity: GameQuantity = 1


class OneGame(msgspec.Struct, frozen=True):
    """Which game is meant."""

    game_id: GameId


Change = Callable[[Connection, Owner], Awaitable[None]]
"""What happens to a cart or a wishlist, inside a transaction that has its owner locked."""

_lines = msgspec.json.Decoder(Line)
_one_game = msgspec.json.Decoder(OneGame)


def owner_of(command: BusCommand) -> Owner:
    """Who asks: the user, or the guest. Raises Refuse for nobody."""
    if command.user_id:
        return Owner(USER, command.user_id)
    if command.session_id:
        return Owner(SESSION, command.session_id)
    raise Refuse(400, "SESSION_REQUIRED", "A cart and a wishlist belong to a user, or to a guest session.")


async def lock_owner(desk: Desk, connection: Connection, owner: Owner) -> None:
    """Let nobody else change what an owner has before this transaction ends. Raises Refuse for a user who is gone."""
    if owner.kind == SESSION:
        await connection.execute(desk.queries["lock_session"], owner.id)
    elif not await connection.fetchval(desk.queries["lock_user"], owner.id):
        raise Refuse(401, "UNAUTHORIZED", "This user does not exist any more.", action="log_in")


async def read_cart(desk: Desk, command: BusCommand) -> Ending:
    """The cart as it is now."""
    return replied(show_cart(await desk.pool.fetch(desk.queries["show_cart"], *owner_of(command))))


async def add_to_cart(desk: Desk, command: BusCommand) -> Ending:
    """Put more of a game into the cart."""
    line = _lines.decode(command.body)

    async def change(connection: Connection, owner: Owner) -> None:
        lines = await _quantities(desk, connection, owner)
        if line.game_id not in lines and len(lines) >= CART_GAMES_MAX:
            raise Refuse(409, CART_FULL, f"A cart holds {CART_GAMES_MAX} different games, and this one has as many.")
        await _set_line(desk, connection, owner, line.game_id, lines.get(line.game_id, 0) + line.quantity)

    return await _change(desk, command, "cart", change)


async def set_in_cart(desk: Desk, command: BusCommand) -> Ending:
    """Set how many of a game the cart has; it must have the game."""
    line = _lines.decode(command.body)

    async def change(connection: Connection, owner: Owner) -> None:
        if line.game_id not in await _quantities(desk, connection, owner):
            raise Refuse(404, "NOT_IN_CART", "This game is not in the cart; add it first.")
        await _set_line(desk, connection, owner, line.game_id, line.quantity)

    return await _change(desk, command, "cart", change)


async def drop_from_cart(desk: Desk, command: BusCommand) -> Ending:
    """Take a game out of the cart; one that is not there is out already."""
    game_id = _one_game.decode(command.body).game_id

    async def change(connection: Connection, owner: Owner) -> None:
        await connection.execute(desk.queries["drop_from_cart"], *owner, game_id)

    return await _change(desk, command, "cart", change)


async def clear_cart(desk: Desk, command: BusCommand) -> Ending:
    """Empty the cart."""

    async def change(connection: Connection, owner: Owner) -> None:
        await connection.execute(desk.queries["clear_cart"], *owner)

    return await _change(desk, command, "cart", change)


async def read_wishlist(desk: Desk, command: BusCommand) -> Ending:
    """The wishlist as it is now."""
    return replied(show_wishlist(await desk.pool.fetch(desk.queries["show_wishlist"], *owner_of(command))))


async def add_to_wishlist(desk: Desk, command: BusCommand) -> Ending:
    """Wish for a game, sold out or not; one that is wished for already stays so."""
    game_id = _one_game.decode(command.body).game_id

    async def change(connection: Connection, owner: Owner) -> None:
        await _offer(desk, connection, game_id)
        if await connection.fetchval(desk.queries["count_wishes"], *owner, game_id) >= WISHLIST_GAMES_MAX:
            message = f"A wishlist holds {WISHLIST_GAMES_MAX} games, and this one has as many."
            raise Refuse(409, WISHLIST_FULL, message)
        await connection.execute(desk.queries["put_in_wishlist"], *owner, [game_id])

    return await _change(desk, command, "wishlist", change)


async def drop_from_wishlist(desk: Desk, command: BusCommand) -> Ending:
    """Wish no more for a game; one that is not wished for is out already."""
    game_id = _one_game.decode(command.body).game_id

    async def change(connection: Connection, owner: Owner) -> None:
        await connection.execute(desk.queries["drop_from_wishlist"], *owner, game_id)

    return await _change(desk, command, "wishlist", change)


def show_cart(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A cart as clients see it. Units and total are of what can be had in the quantity that is wanted."""
    items = [_show_line(row) for row in rows]
    had = [item for item in items if item["available"]]
    return {
        "items": items,
        "units": sum(item["quantity"] for item in had),
        "total": sum((item["subtotal"] for item in had), Decimal("0.00")),
    }


def show_wishlist(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A wishlist as clients see it."""
    items = [_show_wish(row) for row in rows]
    return {"items": items, "count": len(items)}


def _show_line(row: Mapping[str, Any]) -> dict[str, Any]:
    sold, quantity = row["active"], row["quantity"]
    reason = GAME_NOT_FOUND if not sold else OUT_OF_STOCK if row["stock"] < quantity else None
    return {
        "gameId": row["game_id"],
        "title": row["title"],
        "platform": row["platform"],
        "image": row["image"],
        "price": row["price"] if sold else None,
        "quantity": quantity,
        "subtotal": row["price"] * quantity if sold else None,
        "stock": row["stock"] if sold else 0,
        "available": reason is None,
        "reason": reason,
    }


def _show_wish(row: Mapping[str, Any]) -> dict[str, Any]:
    sold = row["active"]
    return {
        "gameId": row["game_id"],
        "title": row["title"],
        "platform": row["platform"],
        "image": row["image"],
        "price": row["price"] if sold else None,
        "oldPrice": row["old_price"] if sold else None,
        "available": sold,
        "inStock": sold and row["stock"] > 0,
        "addedAt": row["added_at"],
    }


async def _quantities(desk: Desk, connection: Connection, owner: Owner) -> dict[str, int]:
    rows = await connection.fetch(desk.queries["list_cart"], *owner)
    return {row["game_id"]: row["quantity"] for row in rows}


async def _offer(desk: Desk, connection: Connection, game_id: str) -> Mapping[str, Any]:
    row = await connection.fetchrow(desk.queries["find_offer"], game_id)
    if row is None:
        raise Refuse(404, GAME_NOT_FOUND, "There is no game of this id for sale.")
    return row


async def _check_quantity(desk: Desk, connection: Connection, game_id: str, quantity: int) -> None:
    """Raises Refuse for a quantity that nobody may have, or that there is not."""
    stock = (await _offer(desk, connection, game_id))["stock"]
    if quantity > stock:
        message = f"Of this game {stock} can be had; with this there would be {quantity} in the cart."
        raise Refuse(409, OUT_OF_STOCK, message, action="lower_quantity")
    if quantity > QUANTITY_MAX:
        message = f"A cart holds {QUANTITY_MAX} of a game at most; with this there would be {quantity}."
        raise Refuse(409, "QUANTITY_TOO_LARGE", message, action="lower_quantity")


async def _set_line(desk: Desk, connection: Connection, owner: Owner, game_id: str, quantity: int) -> None:
    await _check_quantity(desk, connection, game_id, quantity)
    await connection.execute(desk.queries["put_in_cart"], *owner, [game_id], [quantity])


async def _change(desk: Desk, command: BusCommand, family: str, change: Change) -> Ending:
    """Change a cart or a wishlist, once, while nobody else does, and show it as it is then."""
    owner, show = owner_of(command), SHOWN[family]

    async def work(connection: Connection) -> Replied:
        await lock_owner(desk, connection, owner)
        await change(connection, owner)
        rows = await connection.fetch(desk.queries[f"show_{family}"], *owner)
        return replied(show(rows), stale=(owner.stale(family),))

    return await once(desk, command, work)


SHOWN = {"cart": show_cart, "wishlist": show_wishlist}
HANDLERS: dict[str, Handler] = {
    "read_cart": read_cart,
    "add_to_cart": add_to_cart,
    "set_in_cart": set_in_cart,
    "drop_from_cart": drop_from_cart,
    "clear_cart": clear_cart,
    "read_wishlist": read_wishlist,
    "add_to_wishlist": add_to_wishlist,
    "drop_from_wishlist": drop_from_wishlist,
}
