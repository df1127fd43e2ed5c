"""Carts of users and guests: /api/cart, /api/cart/{gameId}, /api/cart/migrate.

A guest gets a session with his first write; as long as he has none, his cart is empty and costs nobody anything.
"""

from decimal import Decimal
from typing import Any

import msgspec

from contract.games import GameQuantity, is_game_id
from gateway.asking import answered, read_document
from gateway.cached_reads import Terms, read_cached
from gateway.envelope import refuse, success
from gateway.gate import Call
from gateway.identity import Caller, caller, guest_cookie, person
from gateway.replying import NO_STORE, Refused, Reply

WORKER = "migration"
LINE_EXAMPLE = '{"gameId":"half-life","quantity":1}'
QUANTITY_EXAMPLE = '{"quantity":2}'
OWN = Terms(5, 60)
"""What somebody does himself is seen at once; prices and stock are as of so many seconds ago. Old ones are better than
nothing while a worker is away, and an order looks at them anew."""
EMPTY_CART = {"items": (), "units": 0, "total": Decimal("0.00")}


class LineBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/cart."""

    game_id: str
    quantity: GameQuantity = 1


class QuantityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PATCH /api/cart/{gameId}."""

    quantity: GameQuantity


_lines = msgspec.json.Decoder(LineBody)
_quantities = msgspec.json.Decoder(QuantityBody)


async def read_cart(call: Call) -> Reply:
    """GET /api/cart: what is in the cart, at the prices of now."""
    return await read_own(call, "cart", EMPTY_CART)


async def add_to_cart(call: Call) -> Reply:
    """POST /api/cart: put more of a game into the cart."""
    who = caller(call)
    line = await read_document(call, _lines, LINE_EXAMPLE)
    body = {"game_id": known_form(call, line.game_id), "quantity": line.quantity}
    return await write_own(call, who, "add_to_cart", body)


async def set_in_cart(call: Call) -> Reply:
    """PATCH /api/cart/{gameId}: set how many of a game the cart has."""
    who = caller(call)
    game_id = known_form(call, call.params["game_id"])
    quantity = (await read_document(call, _quantities, QUANTITY_EXAMPLE)).quantity
    return await write_own(call, who, "set_in_cart", {"game_id": game_id, "quantity": quantity})


async def drop_from_cart(call: Call) -> Reply:
    """DELETE /api/cart/{gameId}: take a game out of the cart; repeated, it says the same."""
    return await drop_own(call, "drop_from_cart", EMPTY_CART)


async def clear_cart(call: Call) -> Reply:
    """DELETE /api/cart: empty the cart."""
    who = caller(call)
    if not owner_name(who):
        return success(EMPTY_CART)
    return await write_own(call, who, "clear_cart", {})


async def migrate_cart(call: Call) -> Reply:
    """POST /api/cart/migrate: move the cart of the guest session to the user who has logged in."""
    return await answered(call, WORKER, "migrate_cart", {}, person(call))


async def read_own(call: Call, family: str, empty: dict[str, Any]) -> Reply:
    """The cart or the wishlist of whoever asks."""
    who = caller(call)
    owner = owner_name(who)
    if not owner:
        return success(empty)
    return await read_cached(call, f"{owner}:{family}", WORKER, f"read_{family}", {}, OWN, who)


async def drop_own(call: Call, kind: str, empty: dict[str, Any]) -> Reply:
    """Take the game of the path out of the cart or the wishlist of whoever asks."""
    who = caller(call)
    game_id = known_form(call, call.params["game_id"])
    if not owner_name(who):
        return success(empty)
    return await write_own(call, who, kind, {"game_id": game_id})


async def write_own(call: Call, who: Caller, kind: str, body: Any) -> Reply:
    """Change the cart or the wishlist of whoever asks. A guest hears of his session with whatever was not refused."""
    who, headers = guest_cookie(call, who)
    try:
        answer = await answered(call, WORKER, kind, body, who, NO_STORE)
    except Refused as later:
        answer = later.reply
    if answer.status >= 400 or not headers:
        return answer
    return Reply(answer.status, (*answer.headers, *headers), answer.body)


def owner_name(who: Caller) -> str:
    """What the names of somebody's caches begin with; empty for a guest without a session."""
    if who.user_id:
        return f"user:{who.user_id}"
    return f"session:{who.session_id}" if who.session_id else ""


def known_form(call: Call, game_id: str) -> str:
    """An id that a game may have. Raises Refused with 400 for any other."""
    if not is_game_id(game_id):
        message = "A game id has 1 to 64 letters, digits, dots, hyphens and underscores."
        refuse(call.request_id, 400, "BAD_REQUEST", message)
    return game_id
