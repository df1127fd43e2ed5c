"""Store orders as gateway and workers speak of them: what one may hold, and what is told of a promo code."""

import datetime
import re
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from contract.games import PRICE_MAX, GameId, GameQuantity, is_price
from contract.messages import IdempotencyKey

ITEMS_MAX = 50
"""Games of one order: each is locked until the order is written."""
PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
PAGE_MAX = 1_000
"""How far back somebody can page; skipping rows costs as much as reading them."""
USES_MAX = 1_000_000_000
PROMO_CODE = r"^[A-Za-z0-9_-]{1,32}\Z"
_promo_code = re.compile(PROMO_CODE)
_HUNDRED = Decimal(100)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""Of the ends of what a moment can be, Postgres makes infinities, and another offset leads beyond them."""

PromoCode = Annotated[str, Meta(pattern=PROMO_CODE)]
Moment = Annotated[datetime.datetime, Meta(tz=True)]


class OrderItem(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Units of one game."""

    game_id: GameId
    quantity: GameQuantity


Items = Annotated[tuple[OrderItem, ...], Meta(min_length=1, max_length=ITEMS_MAX)]


class OrderBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a buyer asks for; the key may stand here as well as in the head of the request."""

    items: Items
    promo_code: PromoCode | None = None
    idempotency_key: IdempotencyKey | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where a game stands twice."""
        if len({item.game_id for item in self.items}) < len(self.items):
            raise ValueError("Each game may stand in an order once, with its quantity")


class PlaceOrder(msgspec.Struct, frozen=True):
    """The command that an order is made by."""

    items: Items
    idempotency_key: IdempotencyKey
    promo_code: PromoCode | None = None


class OneOrder(msgspec.Struct, frozen=True):
    """Which order is meant."""

    order_id: str


class OrdersPage(msgspec.Struct, frozen=True):
    """Which page of a user's orders is meant."""

    page: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 1
    limit: Annotated[int, Meta(ge=1, le=PAGE_SIZE_MAX)] = PAGE_SIZE


class PromoBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a promo code is told to take off: `percent` of the subtotal or an `amount`, and when, and how often."""

    percent: Decimal | None = None
    amount: Decimal | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    uses_max: Annotated[int, Meta(ge=0, le=USES_MAX)] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where no code can be so."""
        if (self.percent is None) == (self.amount is None):
            raise ValueError("A promo code takes off a percent or an amount, one of the two")
        if self.percent is not None and not (is_price(self.percent) and 0 < self.percent <= _HUNDRED):
            raise ValueError("A percent is above 0 and at most 100, with at most two decimals")
        if self.amount is not None and not (is_price(self.amount) and self.amount > 0):
            raise ValueError(f"An amount is above 0 and at most {PRICE_MAX}, with at most two decimals")
        for moment in (self.valid_from, self.valid_until):
            if moment is not None and not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
                raise ValueError(f"A promo code begins and ends in a year from {_FIRST_YEAR} to {_LAST_YEAR}")
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise ValueError("A promo code ends after it begins")


class PutPromoCode(msgspec.Struct, frozen=True):
    """A promo code, and what is told about it."""

    code: PromoCode
    promo: PromoBody


def is_promo_code(text: str) -> bool:
    """Whether a text may be a promo code."""
    return _promo_code.match(text) is not None
