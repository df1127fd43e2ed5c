"""Wishlists of users and guests: /api/wishlist, /api/wishlist/{gameId}, /api/wishlist/migrate; owners as of carts."""

import msgspec

from gateway.asking import answered, read_document
from gateway.carts import WORKER, drop_own, known_form, read_own, write_own
from gateway.gate import Call
from gateway.identity import caller, person
from gateway.replying import Reply

WISH_EXAMPLE = '{"gameId":"half-life"}'
EMPTY_WISHLIST = {"items": (), "count": 0}


class WishBody(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/wishlist."""

    game_id: str


_wishes = msgspec.json.Decoder(WishBody)


async def read_wishlist(call: Call) -> Reply:
    """GET /api/wishlist: what is wished for, at the prices of now."""
    return await read_own(call, "wishlist", EMPTY_WISHLIST)


async def add_to_wishlist(call: Call) -> Reply:
    """POST /api/wishlist: wish for a game; repeated, it says the same."""
    who = caller(call)
    wish = await read_document(call, _wishes, WISH_EXAMPLE)
    return await write_own(call, who, "add_to_wishlist", {"game_id": known_form(call, wish.game_id)})


async def drop_from_wishlist(call: Call) -> Reply:
    """DELETE /api/wishlist/{gameId}: wish no more for a game; repeated, it says the same."""
    return await drop_own(call, "drop_from_wishlist", EMPTY_WISHLIST)


async def migrate_wishlist(call: Call) -> Reply:
    """POST /api/wishlist/migrate: move the wishlist of the guest session to the user who has logged in."""
    return await answered(call, WORKER, "migrate_wishlist", {}, person(call))
