"""Products as G2A writes them, made into ours. Its two APIs, its sandbox and its older answers name and write things
differently; what cannot be read is a BadProduct with its reason, and never an exception."""

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from workers.clients.g2a import BadProduct, Product

PRICES = ("minPrice", "price", "retailPrice")
"""What a unit costs us, the first of these that is told."""
RETAIL_PRICES = ("retailPrice", "retail_min_price", "retailMinPrice", "retailMinBasePrice")
QUANTITIES = ("qty", "stock", "quantity", "available")
IMAGES = ("coverImage", "image", "smallImage", "thumbnail")
PRICE_MAX = Decimal(1_000_000)
"""The highest price that is believed; more is a slip, or a price in the smallest coin."""
DIGITS_MAX = 8
"""Digits behind the point of a price: the smallest coin has two, and what has many more is no price."""
QUANTITY_MAX = 2**31 - 1
"""The most units that are believed to be there; more are counted as these."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class _Unreadable(Exception):
    """Why a product cannot be read."""


class _Reader:
    """Takes what is wanted out of a document. What is not taken, or not taken as it stands there, stays in `rest`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.rest = dict(document)

    def text(self, *names: str) -> str:
        """The first of these that says something; "" where none does."""
        for name in names:
            value = self._document.get(name)
            if isinstance(value, str):
                told = value.strip()
                if told == value and (told or len(names) == 1):
                    self.rest.pop(name, None)
                if told:
                    return told
        return ""

    def number(self, *names: str) -> Decimal | None:
        """The first of these that says something. Raises _Unreadable where that is no number."""
        for name in names:
            value = self._document.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            number = _number(value)
            if number is None:
                raise _Unreadable(f"its {name} is no number")
            self.rest.pop(name, None)
            return number
        return None

    def has(self, names: Iterable[str]) -> bool:
        """Whether any of these is there at all."""
        return any(name in self._document for name in names)

    def date(self, *names: str) -> datetime.date | None:
        """The first of these that is a date; other texts are left alone."""
        moment = self._moment(names, is_date=True)
        return moment.date() if moment else None

    def moment(self, *names: str) -> datetime.datetime | None:
        """The first of these that is a moment; where it names no zone, it is of UTC."""
        return self._moment(names, is_date=False)

    def names(self, *names: str) -> tuple[str, ...]:
        """The names in a list of texts, or of objects that have a name; each once."""
        for name in names:
            value = self._document.get(name)
            items = cast(list[Any], value) if isinstance(value, list) else [value]
            found = [_name(item) for item in items]
            if any(found):
                return tuple(dict.fromkeys(one for one in found if one))
        return ()

    def _moment(self, names: tuple[str, ...], *, is_date: bool) -> datetime.datetime | None:
        for name in names:
            value = self._document.get(name)
            if not isinstance(value, str):
                continue
            if not value:
                del self.rest[name]
                continue
            try:
                moment = datetime.datetime.fromisoformat(value.strip())
                in_utc = moment.astimezone(datetime.UTC) if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
            except (ValueError, OverflowError):
                continue
            # A date that came with a time of day has said more than we keep of it.
            if not is_date or value == in_utc.date().isoformat():
                self.rest.pop(name, None)
            return in_utc
        return None


def parse_product(document: Any) -> Product | BadProduct:
    """One product. Nothing that G2A said is lost: what has no field of its own stays in `details`."""
    if not isinstance(document, dict):
        return BadProduct("", "it is no object")
    reader = _Reader(cast(dict[str, Any], document))
    told = reader.rest.pop("id", None)
    product_id = str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""
    if not _ID.fullmatch(product_id):
        return BadProduct("", "it has no id" if told in (None, "") else "its id is not of letters, digits, . _ and -")
    try:
        return _product(product_id, reader)
    except _Unreadable as fault:
        return BadProduct(product_id, str(fault))


def parse_products(documents: Iterable[Any]) -> tuple[list[Product], list[BadProduct]]:
    """Many products: those that can be read, and those that cannot."""
    parsed = [parse_product(document) for document in documents]
    products = [one for one in parsed if isinstance(one, Product)]
    return products, [one for one in parsed if isinstance(one, BadProduct)]


def only_product(product_id: str, data: Any) -> Product:
    """The product of an answer that has one. Raises ValueError."""
    product = parse_product(data)
    if not isinstance(product, Product):
        raise ValueError(f"of the product, {product.reason}")
    if product.id != product_id:
        raise ValueError("it is another product")
    return product


def _product(product_id: str, reader: _Reader) -> Product:
    name = reader.text("name", "title")
    if not name:
        raise _Unreadable("it has no name")
    quantity = _quantity(reader)
    is_for_sale = _is_for_sale(reader)
    price = _price(reader, PRICES)
    stock = quantity if is_for_sale else 0
    if price is None:
        raise _Unreadable("it has no price")
    if price == 0 and stock:
        raise _Unreadable("it costs nothing, and is for sale")
    return Product(
        id=product_id,
        name=name,
        price=price,
        stock=stock,
        quantity=quantity,
        is_for_sale=is_for_sale,
        currency=_currency(reader),
        retail_price=_price(reader, RETAIL_PRICES),
        slug=reader.text("slug"),
        description=reader.text("description"),
        image=reader.text(*IMAGES),
        platform=reader.text("platform"),
        region=reader.text("region"),
        developer=reader.text("developer"),
        publisher=reader.text("publisher"),
        released_on=reader.date("release_date", "releaseDate"),
        updated_at=reader.moment("updated_at", "updatedAt"),
        # Their numbers have no field, so that they stay in the details as well.
        categories=reader.names("categories", "category"),
        genres=reader.names("genres", "genre"),
        details=reader.rest,
    )


def _price(reader: _Reader, names: tuple[str, ...]) -> Decimal | None:
    price = reader.number(*names)
    if price is None:
        return None
    if not 0 <= price <= PRICE_MAX:
        raise _Unreadable("its price is below zero" if price < 0 else f"its price is above {PRICE_MAX}")
    exponent = price.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DIGITS_MAX:
        raise _Unreadable(f"its price has more than {DIGITS_MAX} digits behind the point")
    return price


def _quantity(reader: _Reader) -> int:
    """The units that are there; an amount that is told as nothing is none, and so is one below zero."""
    if not reader.has(QUANTITIES):
        raise _Unreadable("it has no quantity")
    number = reader.number(*QUANTITIES)
    if number is None:
        return 0
    if number != number.to_integral_value():
        raise _Unreadable("its quantity is no whole number")
    return int(min(Decimal(QUANTITY_MAX), max(Decimal(0), number)))


def _is_for_sale(reader: _Reader) -> bool:
    """Whether it can be bought. Where that is told in a way that we do not know, it cannot."""
    told = reader.rest.get("availableToBuy")
    if told is None or told == "":
        return True
    if isinstance(told, bool):
        del reader.rest["availableToBuy"]
        return told
    return told in ("true", "1") or (isinstance(told, int) and told == 1)


def _currency(reader: _Reader) -> str:
    told = reader.text("currency")
    if told and not _CURRENCY.fullmatch(told):
        raise _Unreadable("its currency is not of three letters")
    return told or "EUR"


def _number(value: Any) -> Decimal | None:
    """A number, or a text that is one; None for anything else, infinity included."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        # A float is taken as it is written, and not as the binary fraction that it stands for.
        number = Decimal(str(value).strip() if isinstance(value, str | float) else value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 1_000 else None


def _name(item: Any) -> str:
    if isinstance(item, dict):
        item = cast(dict[str, Any], item).get("name")
    return item.strip() if isinstance(item, str) else ""
