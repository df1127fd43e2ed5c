"""Games as gateway and workers speak of them: what names one, what a search may ask, what the catalogue is told."""

import datetime
import re
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

GAME_ID = r"^[A-Za-z0-9._-]{1,64}\Z"
QUANTITY_MAX = 99
"""Units of one game in a cart; who wants more is no player."""
PAGE_SIZE_MAX = 100
PAGE_SIZE = 30
SEARCH_DEPTH_MAX = 10_000
"""How far a search can be paged, and how far it counts: nobody reads on, and skipping rows costs as much as reading
them."""
SEARCH_LENGTH_MAX = 100
SEARCH_WORDS_MAX = 8
PRICE_MAX = Decimal("9999999999.99")
STOCK_MAX = 1_000_000_000

_TEXT = r"^[^\x00-\x1f\x7f-\x9f]*\Z"
_PROSE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*\Z"
"""As _TEXT, with tabs and line feeds."""
_WORD = re.compile(r"[^\W_]+")
_address = re.compile(r"((https?:/)?/[^\s\x00-\x1f\x7f-\x9f]+)?")
_CENT = Decimal("0.01")
_game_id = re.compile(GAME_ID)

GameId = Annotated[str, Meta(pattern=GAME_ID)]
GameQuantity = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Label = Annotated[str, Meta(max_length=64, pattern=_TEXT)]
Sort = Literal["popular", "price", "-price", "title", "released"]
HomeList = Literal["bestsellers", "new", "deals"]


class Search(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is looked for in the catalogue. Empty texts, and None, want any; equal searches have equal bytes."""

    words: Annotated[tuple[str, ...], Meta(max_length=SEARCH_WORDS_MAX)] = ()
    genre: Label = ""
    platform: Label = ""
    in_stock: bool | None = None
    sort: Sort = "popular"
    page: Annotated[int, Meta(ge=1, le=SEARCH_DEPTH_MAX)] = 1
    limit: Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE

    def __post_init__(self) -> None:
        """What no single field can tell."""
        if self.page * self.limit > SEARCH_DEPTH_MAX:
            raise ValueError(f"A search is paged to {SEARCH_DEPTH_MAX} games at most; narrow it")
        if not all(_WORD.fullmatch(word) for word in self.words):
            raise ValueError("A word has letters and digits only")


class GameBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What the catalogue is told about a game; whatever is left out becomes its default."""

    title: Annotated[str, Meta(min_length=1, max_length=200, pattern=_TEXT)]
    price: Decimal
    old_price: Decimal | None = None
    description: Annotated[str, Meta(max_length=10_000, pattern=_PROSE)] = ""
    genre: Label = ""
    platform: Label = ""
    image: Annotated[str, Meta(max_length=2048)] = ""
    stock: Annotated[int, Meta(ge=0, le=STOCK_MAX)] = 0
    active: bool = True
    released_on: datetime.date | None = None

    def __post_init__(self) -> None:
        """What no pattern can tell of a number, or no client would understand as one."""
        for price in (self.price, self.old_price):
            if price is not None and not is_price(price):
                raise ValueError(f"A price is a number from 0 to {PRICE_MAX} with at most two decimals")
        if not _address.fullmatch(self.image):
            raise ValueError("An image is a URL of http or https, or a path that begins with a slash")


def is_game_id(text: str) -> bool:
    """Whether a text may name a game."""
    return _game_id.match(text) is not None


def is_price(amount: Decimal) -> bool:
    """Whether an amount is one that Postgres keeps as it is."""
    return amount.is_finite() and 0 <= amount <= PRICE_MAX and amount == amount.quantize(_CENT)


def search_words(text: str) -> tuple[str, ...]:
    """The words of what somebody types into a search box: letters and digits, each once, sorted.

    Those of other scripts keep their case: Postgres folds it, and not in all of them as Python does.
    """
    return tuple(sorted({word.lower() if word.isascii() else word for word in _WORD.findall(text)}))
