"""Money in Amazon's documents: numbers or texts, in whatever currency, exact to the last digit."""

import re
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any, NamedTuple, cast

from workers.clients.amazon_reading import document

AMOUNT_BELOW = Decimal(10) ** 15
"""No amount is as high: it would be a slip, in any currency."""
PLACES_MAX = 20
"""Digits behind the point: no currency has more than four, and numbers that a computer has rounded some sixteen."""
PRECISION = 60
"""Digits that a sum is made with: it loses none of those above, however many amounts are in it."""
DEEP_MAX = 20
"""How deep an event is searched for money: Amazon's have five levels."""
_AMOUNT = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_CURRENCY = re.compile(r"[A-Za-z]{3,10}")


class Money(NamedTuple):
    """An amount of a currency."""

    amount: Decimal
    currency: str


def money(told: Any, amount: str = "CurrencyAmount", currency: str = "CurrencyCode") -> Money | None:
    """An amount of money; None where none is told. Raises ValueError where it is none that can be."""
    given = document(told).get(amount)
    if given is None or given == "":
        return None
    code = document(told).get(currency)
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code.strip()):
        raise ValueError("an amount has no currency")
    return Money(_amount(given), code.strip().upper())


def needed(told: Any, amount: str = "CurrencyAmount", currency: str = "CurrencyCode") -> Money:
    """An amount of money that must be there. Raises ValueError."""
    found = money(told, amount, currency)
    if found is None:
        raise ValueError("an event names no amount")
    return found


def summed(*told: Any) -> Money:
    """The sum of all money that stands anywhere in these. Raises ValueError where there is none, or in more than one
    currency."""
    found = [one for part in told for one in _all_money(part, 0)]
    currencies = sorted({one.currency for one in found})
    if len(currencies) > 1:
        raise ValueError(f"an event has amounts in more than one currency: {', '.join(currencies[:5])}")
    if not currencies:
        raise ValueError("an event names no amount")
    with localcontext(prec=PRECISION):
        return Money(_checked(sum((one.amount for one in found), Decimal(0))), currencies[0])


def times(price: Money, units: int) -> Money:
    """The price of so many. Raises ValueError where it is too high to be one."""
    with localcontext(prec=PRECISION):
        return price._replace(amount=_checked(price.amount * units))


def _all_money(told: Any, deep: int) -> Iterator[Money]:
    if deep > DEEP_MAX:
        raise ValueError("an event is nested too deep")
    if isinstance(told, dict):
        members = cast(dict[str, Any], told)
        own = money(members) if "CurrencyAmount" in members else None
        if own is not None:
            yield own
        for value in members.values():
            yield from _all_money(value, deep + 1)
    elif isinstance(told, list):
        for value in cast(list[Any], told):
            yield from _all_money(value, deep + 1)


def _amount(told: Any) -> Decimal:
    if isinstance(told, str) and _AMOUNT.fullmatch(told.strip()):
        told = Decimal(told.strip())
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        raise ValueError("an amount is no number")
    return _checked(Decimal(told))


def _checked(amount: Decimal) -> Decimal:
    """An amount in plain digits. Raises ValueError where it can be none."""
    if not amount.is_finite() or amount.copy_abs() >= AMOUNT_BELOW:
        raise ValueError("an amount is too high to be one")
    if not amount:
        return Decimal(0)
    exponent = cast(int, amount.as_tuple().exponent)
    if exponent < -PLACES_MAX:
        raise ValueError("an amount has too many digits")
    return Decimal(f"{amount:f}")
