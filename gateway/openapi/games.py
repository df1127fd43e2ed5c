"""What games, carts and wishlists are made of, for the description of their routes."""

from typing import Any, get_args

from contract.games import PAGE_SIZE, PAGE_SIZE_MAX, SEARCH_DEPTH_MAX, SEARCH_LENGTH_MAX, GameBody, HomeList, Sort
from gateway.carts import LineBody, QuantityBody
from gateway.openapi.envelopes import struct_schemas
from gateway.openapi.schemas import TEXT, Part, record, ref, word
from gateway.wishlists import WishBody

_COUNT: Part = {"type": "integer", "minimum": 0}
_FLAG: Part = {"type": "boolean"}
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_MONEY_OR_NULL: Part = {"anyOf": [ref("schemas", "Money"), {"type": "null"}]}
_MANY: Part = {"type": "array"}
_HEAD = {"gameId": ref("schemas", "GameId"), "title": TEXT, "platform": TEXT, "image": TEXT}
_GAME: Part = {
    "id": ref("schemas", "GameId"),
    "title": TEXT,
    "genre": TEXT,
    "platform": TEXT,
    "image": {**TEXT, "description": "An address; empty where there is no picture."},
    "price": ref("schemas", "Money"),
    "oldPrice": {**_MONEY_OR_NULL, "description": "What it cost before its price was reduced."},
    "stock": _COUNT,
    "inStock": _FLAG,
    "releasedOn": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
}
_MOVED = {"gameId": ref("schemas", "GameId"), "title": TEXT, "added": _COUNT, "quantity": _COUNT}
_UNAVAILABLE = {
    "gameId": ref("schemas", "GameId"),
    "title": _TEXT_OR_NULL,
    "reason": word("GAME_NOT_FOUND", "OUT_OF_STOCK", "CART_FULL", "WISHLIST_FULL"),
}


def _many(item: Part) -> Part:
    return {"type": "array", "items": item}


SCHEMAS: Part = {
    **struct_schemas(GameBody, LineBody, QuantityBody, WishBody),
    "Game": record(_GAME),
    "GameInFull": record(
        _GAME | {"description": TEXT, **{kind: _many(TEXT) for kind in ("categories", "genres", "platforms")}},
        text="Labels are those of the upstream that it is from; `genre` and `platform` are the first of them, if any.",
    ),
    "GameAsWritten": record(_GAME | {"description": TEXT, "active": _FLAG}),
    "HomeListed": record({"list": word(*get_args(HomeList)), "games": _many(ref("schemas", "Game"))}),
    "Cart": record(
        {
            "items": _many(
                record(
                    _HEAD
                    | {
                        "price": _MONEY_OR_NULL,
                        "quantity": _COUNT,
                        "subtotal": _MONEY_OR_NULL,
                        "stock": _COUNT,
                        "available": _FLAG,
                        "reason": {"enum": ["GAME_NOT_FOUND", "OUT_OF_STOCK", None]},
                    }
                )
            ),
            "units": _COUNT,
            "total": ref("schemas", "Money"),
        },
        text="Units and total are of what can be had in the quantity that is wanted.",
    ),
    "Wishlist": record(
        {
            "items": _many(
                record(
                    _HEAD
                    | {
                        "price": _MONEY_OR_NULL,
                        "oldPrice": _MONEY_OR_NULL,
                        "available": _FLAG,
                        "inStock": _FLAG,
                        "addedAt": ref("schemas", "Instant"),
                    }
                )
            ),
            "count": _COUNT,
        }
    ),
    "CartReport": record(
        {
            "moved": _many(record(_MOVED)),
            "merged": _many(record(_MOVED)),
            "capped": _many(record(_MOVED | {"leftOut": _COUNT})),
            "unavailable": _many(record(_UNAVAILABLE | {"quantity": _COUNT})),
        },
        text="Of each game of the guest, added + left out is what he had, or it is unavailable.",
    ),
    "WishlistReport": record(
        {
            "moved": _many(ref("schemas", "GameId")),
            "skipped": _many(ref("schemas", "GameId")),
            "unavailable": _many(record(_UNAVAILABLE)),
        }
    ),
    "CartMoved": record({"cart": ref("schemas", "CartReport")}),
    "WishlistMoved": record({"wishlist": ref("schemas", "WishlistReport")}),
    "Migration": record({"cart": ref("schemas", "CartReport"), "wishlist": ref("schemas", "WishlistReport")}),
}


def _asked(name: str, text: str, schema: Part) -> Part:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _in_path(name: str, text: str, schema: Part, example: Any) -> Part:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema, "example": example}


_LABEL: Part = {"type": "string", "maxLength": 64}
PARAMETERS: Part = {
    "GameId": _in_path("gameId", "What names the game.", ref("schemas", "GameId"), "half-life"),
    "HomeList": _in_path("list", "Which list.", word(*get_args(HomeList)), "deals"),
    "Words": _asked(
        "q", "Words that title, genre or platform begin with.", {"type": "string", "maxLength": SEARCH_LENGTH_MAX}
    ),
    "Genre": _asked("genre", "Games of this genre.", _LABEL),
    "Platform": _asked("platform", "Games for this platform.", _LABEL),
    "InStock": _asked("inStock", "Games that are in stock, or those that are not.", _FLAG),
    "Sort": _asked("sort", "The order of the results.", word(*get_args(Sort))),
    "SearchPage": _asked(
        "page", "Which page.", {"type": "integer", "minimum": 1, "maximum": SEARCH_DEPTH_MAX, "default": 1}
    ),
    "SearchSize": _asked(
        "limit",
        f"Results of a page. A search is paged to {SEARCH_DEPTH_MAX} games.",
        {"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE},
    ),
}
HEADERS: Part = {
    "SharedCaching": {"description": "How long browsers and proxies may keep it.", "schema": TEXT},
}
