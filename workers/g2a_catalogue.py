"""What the store makes of a product of G2A: a game with our price, texts that its tables can hold, and its labels."""

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from hashlib import blake2b
from typing import Any, NamedTuple, cast

import msgspec

from contract.g2a import is_product_id
from contract.games import PRICE_MAX, STOCK_MAX
from workers.clients.g2a import Product

MARKUP = Decimal("1.02")
"""What a game costs, by what its key costs us."""
CURRENCY = "EUR"
"""The money of the store. A price in another is none that could be compared with it."""
TITLE_MAX, DESCRIPTION_MAX, IMAGE_MAX, LABEL_MAX = 200, 10_000, 2048, 64
"""Characters that the tables hold."""
LABELS_MAX = 20
"""Labels of one kind that a game may have; real products have one to three."""
DETAILS_BYTES_MAX = 32_768
"""All else that is kept of a product; real ones have 3 KB. What is longer is left out."""
GAME_PREFIX = "g2a-"
_CENT = Decimal("0.01")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_CONTROL_IN_PROSE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]+")
_image = re.compile(r"https?://[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Unfit(Exception):
    """A product that the store cannot sell; the message says why."""


class Row(NamedTuple):
    """A product as the tables take it. `stock` is what G2A could sell; `details` is JSON."""

    product_id: str
    title: str
    description: str
    genre: str
    platform: str
    image: str
    price: Decimal
    released_on: Any
    stock: int
    base_price: Decimal
    currency: str
    fingerprint: bytes
    details: str
    labels: tuple[tuple[str, str], ...]


def as_row(product: Product) -> Row:
    """A product as a game. Raises Unfit where no text can be shortened to help it."""
    if not is_product_id(product.id):
        raise Unfit("its id can be no part of the id of a game")
    title = _line(product.name, TITLE_MAX)
    if not title:
        raise Unfit("it has no name")
    if product.currency != CURRENCY:
        raise Unfit(f"its price is not in {CURRENCY}")
    genres, platforms = _names(product.genres), _names((product.platform,))
    game = (
        title,
        _CONTROL_IN_PROSE.sub(" ", product.description.replace("\r\n", "\n"))[:DESCRIPTION_MAX].strip(),
        next(iter(genres), ""),
        next(iter(platforms), ""),
        product.image if len(product.image) <= IMAGE_MAX and _image.fullmatch(product.image) else "",
        sales_price(product.price),
        product.released_on,
    )
    labels = (("category", _names(product.categories)), ("genre", genres), ("platform", platforms))
    of_kinds = tuple((kind, name) for kind, names in labels for name in names)
    details = _details(product.details)
    made_of = msgspec.json.encode((game, product.price, of_kinds, details))
    stock = min(STOCK_MAX, max(0, product.stock))
    mark = blake2b(made_of, digest_size=16).digest()
    base = product.price.quantize(_CENT, ROUND_HALF_UP)
    return Row(product.id, *game, stock, base, product.currency, mark, details, of_kinds)


def sales_price(price: Decimal) -> Decimal:
    """What we ask for what costs us so much: the markup on it, halves of a cent rounded up. Raises Unfit."""
    if not price.is_finite() or price < 0 or price > PRICE_MAX:
        raise Unfit("its price is no amount of money")
    asked = (price * MARKUP).quantize(_CENT, ROUND_HALF_UP)
    if asked > PRICE_MAX:
        raise Unfit(f"its price with the markup is above {PRICE_MAX}")
    return asked


def is_of(product: Product, categories: Sequence[str] | None) -> bool:
    """Whether a product is of one of these categories, in whatever case they are written; None means any."""
    if categories is None:
        return True
    return not {name.casefold() for name in categories}.isdisjoint(name.casefold() for name in product.categories)


def _line(text: str, length_max: int) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())[:length_max].strip()


def _names(given: Iterable[str]) -> tuple[str, ...]:
    """Names as labels: each once, none empty, no more than a game may have."""
    return tuple(dict.fromkeys(name for one in given if (name := _line(one, LABEL_MAX))))[:LABELS_MAX]


def _details(given: dict[str, Any]) -> str:
    """JSON that Postgres takes: it holds no zero characters, and no halves of a character."""
    text = msgspec.json.encode(_cleaned(given))
    return text.decode() if len(text) <= DETAILS_BYTES_MAX else "{}"


def _cleaned(part: Any) -> Any:
    if isinstance(part, str):
        return re.sub(r"[\x00\ud800-\udfff]", "", part)
    if isinstance(part, list):
        return [_cleaned(item) for item in cast(list[Any], part)]
    if isinstance(part, dict):
        return {_cleaned(str(name)): _cleaned(value) for name, value in cast(dict[Any, Any], part).items()}
    return part
