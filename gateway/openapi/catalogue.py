"""How the routes of games, carts and wishlists are described."""

from typing import Any, get_args

from contract.games import HomeList, Sort
from gateway.carts import LINE_EXAMPLE, QUANTITY_EXAMPLE
from gateway.games import GAME_EXAMPLE
from gateway.openapi.envelopes import Audience, api, json_body, listing, success
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.schemas import Part, ref
from gateway.wishlists import WISH_EXAMPLE

CATALOGUE, CARTS, WISHLISTS = "Catalogue", "Carts", "Wishlists"
_GAME: Part = {
    "id": "half-life",
    "title": "Half-Life",
    "genre": "shooter",
    "platform": "PC",
    "image": "",
    "price": 19.99,
    "oldPrice": 24.99,
    "stock": 100,
    "inStock": True,
    "releasedOn": "1998-11-19",
}
_IN_FULL: Part = {"description": "", "categories": [], "genres": [], "platforms": []}
_TOLD = {"title": "Half-Life", "price": 19.99, "oldPrice": 24.99, "genre": "shooter", "platform": "PC", "stock": 100}
_LINE: Part = {
    "gameId": "half-life",
    "title": "Half-Life",
    "platform": "PC",
    "image": "",
    "price": 19.99,
    "quantity": 2,
    "subtotal": 39.98,
    "stock": 100,
    "available": True,
    "reason": None,
}
_WISH: Part = {
    "gameId": "half-life",
    "title": "Half-Life",
    "platform": "PC",
    "image": "",
    "price": 19.99,
    "oldPrice": 24.99,
    "available": True,
    "inStock": True,
    "addedAt": INSTANT,
}
_CART = {"items": [_LINE], "units": 2, "total": 39.98}
_EMPTY_CART: Part = {"items": [], "units": 0, "total": 0}
_WISHES = {"items": [_WISH], "count": 1}
_NO_WISHES: Part = {"items": [], "count": 0}
_BAD_ID = Problem(
    400,
    "BAD_REQUEST",
    "A game id has 1 to 64 letters, digits, dots, hyphens and underscores.",
)
_NO_GAME = Problem(404, "GAME_NOT_FOUND", "There is no game of this id for sale.")
_MOVED = {"gameId": "half-life", "title": "Half-Life", "added": 2, "quantity": 2}
_REPORT: Part = {"moved": [_MOVED], "merged": [], "capped": [], "unavailable": []}
_OUT_OF_STOCK = Problem(
    409,
    "OUT_OF_STOCK",
    "Of this game 100 can be had; with this there would be 101 in the cart.",
    "lower_quantity",
)


def _public(found: Part) -> Part:
    """A response that browsers and proxies may keep for some seconds."""
    found["headers"]["Cache-Control"] = ref("headers", "SharedCaching")
    return found


_SEARCHED = ("Words", "Genre", "Platform", "InStock", "Sort", "SearchPage", "SearchSize")
_SEARCH = api(
    "searchGames",
    "Find games by words, genre and platform.",
    CATALOGUE,
    {
        "200": _public(
            listing(
                "A page of the games that were found.",
                "Game",
                "Age",
                games={"results": [_GAME], "pagination": {"page": 1, "limit": 30, "total": 1, "pages": 1}},
            )
        )
    },
    Problem(400, "BAD_REQUEST", f"sort is one of {', '.join(get_args(Sort))}."),
    audience="anybody",
    cached=True,
    parameters=[
        ref("parameters", name)
        for name in ("Words", "Genre", "Platform", "InStock", "Sort", "SearchPage", "SearchSize")
    ],
)
_READ_GAME = api(
    "readGame",
    "One game.",
    CATALOGUE,
    {"200": _public(success("The game.", "GameInFull", "Age", game={**_GAME, **_IN_FULL}))},
    _NO_GAME,
    audience="anybody",
    cached=True,
    parameters=[ref("parameters", "GameId")],
)
_PUT_GAME = api(
    "putGame",
    "Write a game, new or anew. One that is not active is no longer sold, and stays in the orders that name it.",
    CATALOGUE,
    {"200": success("The game as it is now.", "GameAsWritten", written={**_GAME, "description": "", "active": True})},
    _BAD_ID._replace(name="bad-game-id"),
    Problem(400, "BAD_REQUEST", f"Object missing required field `price`. Send JSON such as {GAME_EXAMPLE}."),
    audience="administrators",
    writes=True,
    body=json_body("GameBody", {**_TOLD, "releasedOn": "1998-11-19"}),
    parameters=[ref("parameters", "GameId")],
)
_HOME = api(
    "readHomeList",
    "A list of the home page.",
    CATALOGUE,
    {"200": _public(success("The list.", "HomeListed", "Age", deals={"list": "deals", "games": [_GAME]}))},
    Problem(404, "LIST_NOT_FOUND", f"The lists of the home page are {', '.join(get_args(HomeList))}."),
    audience="anybody",
    cached=True,
    parameters=[ref("parameters", "HomeList")],
)


def _own(name: str, summary: str, done: Part, *problems: Problem, audience: Audience = "guests", **more: Any) -> Part:
    """A route of the cart or the wishlist of whoever asks."""
    family = CARTS if "Cart" in name else WISHLISTS
    return api(name, summary, family, {"200": done}, *problems, audience=audience, **more)


def _session(text: str, schema: str, **examples: Any) -> Part:
    """What a guest may be given a session with."""
    return success(text, schema, "Set-Cookie", "X-Session-Id", **examples)


_GAME_IN_PATH = [ref("parameters", "GameId")]
_READ_CART = _own(
    "readCart",
    "What is in the cart.",
    success("The cart, at the prices of now.", "Cart", "Age", cart=_CART),
    cached=True,
)
_ADD_TO_CART = _own(
    "addToCart",
    "Put more of a game into the cart. A guest without a session gets one.",
    _session("The cart as it is now.", "Cart", cart=_CART),
    Problem(400, "BAD_REQUEST", f"Object missing required field `gameId`. Send JSON such as {LINE_EXAMPLE}."),
    _NO_GAME,
    _OUT_OF_STOCK,
    Problem(
        409,
        "QUANTITY_TOO_LARGE",
        "A cart holds 99 of a game at most; with this there would be 100.",
        "lower_quantity",
    ),
    Problem(409, "CART_FULL", "A cart holds 100 different games, and this one has as many."),
    writes=True,
    body=json_body("LineBody", {"gameId": "half-life", "quantity": 2}),
)
_CLEAR_CART = _own(
    "clearCart", "Empty the cart.", _session("The cart as it is now.", "Cart", empty=_EMPTY_CART), writes=True
)
_SET_IN_CART = _own(
    "setInCart",
    "Set how many of a game the cart has.",
    _session("The cart as it is now.", "Cart", cart=_CART),
    Problem(400, "BAD_REQUEST", f"Expected `int` >= 1, in the field quantity. Send JSON such as {QUANTITY_EXAMPLE}."),
    Problem(404, "NOT_IN_CART", "This game is not in the cart; add it first."),
    Problem(404, "GAME_NOT_FOUND"),
    _OUT_OF_STOCK._replace(message="Of this game 1 can be had; with this there would be 2 in the cart."),
    writes=True,
    body=json_body("QuantityBody", {"quantity": 2}),
    parameters=_GAME_IN_PATH,
)
_DROP_FROM_CART = _own(
    "dropFromCart",
    "Take a game out of the cart; repeated, it says the same.",
    _session("The cart as it is now.", "Cart", empty=_EMPTY_CART),
    _BAD_ID,
    writes=True,
    parameters=_GAME_IN_PATH,
)
_MIGRATE_CART = _own(
    "migrateCart",
    "Move the cart of the guest session to whoever has logged in. A login does this by itself.",
    success("What became of each game.", "CartMoved", moved={"cart": _REPORT}),
    Problem(400, "GAME_UNAVAILABLE", "Nothing of the guest's cart can be had: braid (OUT_OF_STOCK)."),
    Problem(404, "SESSION_EMPTY", "There is no such guest session, or its cart is empty."),
    audience="people",
    writes=True,
    parameters=[ref("parameters", "SessionId")],
)
_READ_WISHLIST = _own(
    "readWishlist",
    "What is wished for.",
    success("The wishlist, at the prices of now.", "Wishlist", "Age", wishlist=_WISHES),
    cached=True,
)
_ADD_TO_WISHLIST = _own(
    "addToWishlist",
    "Wish for a game; repeated, it says the same. A guest without a session gets one.",
    _session("The wishlist as it is now.", "Wishlist", wishlist=_WISHES),
    Problem(400, "BAD_REQUEST", f"Object missing required field `gameId`. Send JSON such as {WISH_EXAMPLE}."),
    _NO_GAME,
    Problem(409, "WISHLIST_FULL", "A wishlist holds 500 games, and this one has as many."),
    writes=True,
    body=json_body("WishBody", {"gameId": "half-life"}),
)
_DROP_FROM_WISHLIST = _own(
    "dropFromWishlist",
    "Wish no more for a game; repeated, it says the same.",
    _session("The wishlist as it is now.", "Wishlist", empty=_NO_WISHES),
    _BAD_ID,
    writes=True,
    parameters=_GAME_IN_PATH,
)
_MIGRATE_WISHLIST = _own(
    "migrateWishlist",
    "Move the wishlist of the guest session to whoever has logged in. A login does this by itself.",
    success(
        "What became of each game.",
        "WishlistMoved",
        moved={"wishlist": {"moved": ["half-life"], "skipped": [], "unavailable": []}},
    ),
    Problem(400, "GAME_UNAVAILABLE", "Nothing of the guest's wishlist can be had: gone (GAME_NOT_FOUND)."),
    Problem(404, "SESSION_EMPTY", "There is no such guest session, or its wishlist is empty."),
    audience="people",
    writes=True,
    parameters=[ref("parameters", "SessionId")],
)

PATHS: Part = {
    "/api/games": {"get": _SEARCH},
    "/api/games/{gameId}": {"get": _READ_GAME, "put": _PUT_GAME},
    "/api/home/{list}": {"get": _HOME},
    "/api/cart": {"get": _READ_CART, "post": _ADD_TO_CART, "delete": _CLEAR_CART},
    "/api/cart/{gameId}": {"patch": _SET_IN_CART, "delete": _DROP_FROM_CART},
    "/api/cart/migrate": {"post": _MIGRATE_CART},
    "/api/wishlist": {"get": _READ_WISHLIST, "post": _ADD_TO_WISHLIST},
    "/api/wishlist/{gameId}": {"delete": _DROP_FROM_WISHLIST},
    "/api/wishlist/migrate": {"post": _MIGRATE_WISHLIST},
}
