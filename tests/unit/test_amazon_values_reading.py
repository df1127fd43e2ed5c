"""Single values in Amazon's documents: times in all forms, money in all currencies, numbers, and ids."""

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.clients.amazon_money import AMOUNT_BELOW, PLACES_MAX, Money, money, needed, summed, times
from workers.clients.amazon_reading import (
    BAD_MAX,
    COUNT_MAX,
    ID_MAX,
    NEXT_MAX,
    identity,
    instant,
    next_token,
    page,
    stamp,
    text,
    total,
    whole,
)
from workers.clients.http import read_json

NOON = datetime.datetime(2026, 10, 31, 12, 0, 0, tzinfo=datetime.UTC)
TIMES: list[tuple[Any, datetime.datetime | None]] = [
    ("2026-10-31T12:00:00Z", NOON),
    ("2026-10-31t12:00:00z", NOON),
    (" 2026-10-31T12:00:00Z ", NOON),
    ("2026-10-31T12:00:00", NOON),
    ("2026-10-31 12:00:00+00:00", NOON),
    ("2026-10-31T14:00:00+02:00", NOON),
    ("2026-10-31T07:30:00-0430", NOON),
    ("20261031T120000Z", NOON),
    ("2026-10-31T12:00Z", NOON),
    ("2026-10-31T12:00:00.5Z", NOON.replace(microsecond=500_000)),
    ("2026-10-31T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
    ("2026-10-31", NOON.replace(hour=0)),
    ("20261031", NOON.replace(hour=0)),
    ("1.569521782042E9", datetime.datetime(2019, 9, 26, 18, 16, 22, 42_000, tzinfo=datetime.UTC)),
    (1793448000, NOON),
    ("1793448000", NOON),
    (1793448000000, NOON),
    ("1.793448E12", NOON),
    (Decimal("1793448000.5"), NOON.replace(microsecond=500_000)),
    ("1970-01-19T03:58:30Z", datetime.datetime(1970, 1, 19, 3, 58, 30, tzinfo=datetime.UTC)),
    ("", None),
    (None, None),
    (True, None),
    ("yesterday", None),
    ("2026-02-30T00:00:00Z", None),
    ("0001-01-01T00:00:00+14:00", None),
    ("1E99", None),
    ("9" * 20, None),
    ("Sat, 31 Oct 2026 12:00:00 GMT", None),
    ([], None),
    ({}, None),
]


@pytest.mark.parametrize(("told", "time"), TIMES, ids=str)
def test_a_time_is_read_in_all_forms_that_amazon_has(told: Any, time: datetime.datetime | None) -> None:
    assert instant(told) == time


@pytest.mark.slow
@given(st.datetimes(min_value=datetime.datetime(1900, 1, 2), timezones=st.timezones()))
def test_a_time_is_told_as_amazon_takes_it_and_read_again(time: datetime.datetime) -> None:
    try:
        utc = time.astimezone(datetime.UTC)
    except OverflowError:
        return
    assert instant(stamp(time)) == utc.replace(microsecond=0)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.decimals() | st.text(), st.lists, max_leaves=3))
def test_whatever_is_told_as_a_time_is_one_or_none(told: Any) -> None:
    time = instant(told)
    assert time is None or time.tzinfo is datetime.UTC


MONEY: list[tuple[str, Decimal]] = [
    ("5", Decimal(5)),
    ("-0.01", Decimal("-0.01")),
    ("1e-7", Decimal("0.0000001")),
    ("12.340", Decimal("12.340")),
    ("1500", Decimal(1500)),
    ("1E+3", Decimal(1000)),
    ("0", Decimal(0)),
    ("-0.0", Decimal(0)),
    ("0e500", Decimal(0)),
    ("999999999999999.99", Decimal("999999999999999.99")),
    ("12.340000000000002", Decimal("12.340000000000002")),
    ('"19.99"', Decimal("19.99")),
    ('" -7 "', Decimal(-7)),
    ('"1e-7"', Decimal("0.0000001")),
]


@pytest.mark.parametrize(("told", "amount"), MONEY)
def test_money_is_exact_whether_it_is_told_as_a_number_or_as_a_text(told: str, amount: Decimal) -> None:
    document = read_json(f'{{"CurrencyCode": "jpy", "CurrencyAmount": {told}}}'.encode())
    found = needed(document)
    assert found == Money(amount, "JPY")
    assert "E" not in str(found.amount).upper() or abs(found.amount) < Decimal("1e-5")


@pytest.mark.parametrize(
    "told",
    ["1e15", "-1e15", "1e400", "1" + "0" * 400, "1e-21", "true", "[]", "{}", '"NaN"', '"Infinity"', '"1,5"', '"5 USD"'],
)
def test_what_can_be_no_money_is_refused(told: str) -> None:
    document = read_json(f'{{"CurrencyCode": "USD", "CurrencyAmount": {told}}}'.encode())
    with pytest.raises(ValueError, match="an amount"):
        money(document)


@pytest.mark.parametrize("code", [None, "", "$", "US", 5, "A" * 11, "USD; --"])
def test_money_without_a_currency_is_refused(code: Any) -> None:
    with pytest.raises(ValueError, match="no currency"):
        money({"CurrencyAmount": 5, "CurrencyCode": code})


@pytest.mark.parametrize("told", [None, {}, [], "5", {"CurrencyCode": "USD"}, {"CurrencyAmount": None}])
def test_money_that_is_not_told_is_none(told: Any) -> None:
    assert money(told) is None
    with pytest.raises(ValueError, match="names no amount"):
        needed(told)


def coin(amount: Any, code: str = "USD") -> dict[str, Any]:
    return {"CurrencyAmount": amount, "CurrencyCode": code}


@given(st.lists(st.decimals(-(10**14), 10**14, places=PLACES_MAX), min_size=1, max_size=8))
def test_a_sum_loses_no_digit(amounts: list[Decimal]) -> None:
    # The event's lists are as deep as they like.
    event = {
        "a": [{"b": coin(amount)} for amount in amounts[:4]],
        "c": {"d": [[coin(amount)] for amount in amounts[4:]]},
    }
    assert Fraction(summed(event).amount) == sum(map(Fraction, amounts))


@given(st.decimals(-(10**9), 10**9, places=PLACES_MAX), st.integers(0, 10**5))
def test_the_price_of_many_is_exact(amount: Decimal, units: int) -> None:
    assert Fraction(times(Money(amount, "USD"), units).amount) == Fraction(amount) * units


def test_a_sum_is_of_one_currency_and_of_something() -> None:
    with pytest.raises(ValueError, match="more than one currency: EUR, USD"):
        summed({"a": coin(1)}, [coin(2, "EUR")])
    with pytest.raises(ValueError, match="names no amount"):
        summed({"a": [], "b": None, "CurrencyAmount": None})
    with pytest.raises(ValueError, match="too high"):
        summed(*[coin(AMOUNT_BELOW - 1)] * 2)
    nested: Any = coin(1)
    for _ in range(200):
        nested = [nested]
    with pytest.raises(ValueError, match="too deep"):
        summed(nested)


NO_NUMBERS: list[Any] = [COUNT_MAX + 1, "", "many", True, None, Decimal("1.5"), [], "9" * 30, "\u0665"]
NO_TEXTS: list[Any] = ["", "  ", None, 5, []]


@pytest.mark.parametrize(
    ("told", "number"),
    [*((told, told) for told in (5, -3, 0, COUNT_MAX)), ("7", 7), *((told, None) for told in NO_NUMBERS)],
)
def test_a_number_of_units_is_whole_and_fits_or_is_none(told: Any, number: int | None) -> None:
    assert whole({"n": told}, "n") == number
    assert whole(told, "n") is None


def test_a_sum_of_units_is_of_those_that_are_told() -> None:
    assert total(None, 2, 0, 3) == 5
    assert total(None, None) is None
    assert total() is None
    assert total(COUNT_MAX, 1) is None


@pytest.mark.parametrize("told", [None, "", "  ", True, [], {}, "x" * (ID_MAX + 1)])
def test_what_has_no_id_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="an entry has"):
        identity({"id": told}, "id")


def test_an_id_may_be_a_number_and_stays_what_it_is() -> None:
    assert identity({"id": 123}, "id") == "123"
    assert identity({"id": " a/b'\u00e9 "}, "id") == " a/b'\u00e9 "


def test_a_text_is_cut_and_nothing_is_none() -> None:
    assert text({"t": "x" * 300}, "t") == "x" * 255
    assert [text({"t": told}, "t") for told in NO_TEXTS] == [None] * 5


@pytest.mark.parametrize(("told", "token"), [({}, ""), ({"t": None}, ""), ({"t": ""}, ""), ({"t": "x"}, "x"), ([], "")])
def test_the_last_page_has_no_token_in_whatever_way(told: Any, token: str) -> None:
    assert next_token(told, "t") == token


@pytest.mark.parametrize("told", [5, True, [], {}, "x" * (NEXT_MAX + 1)])
def test_a_token_that_is_none_makes_no_page_the_last_one(told: Any) -> None:
    with pytest.raises(ValueError, match="is no token"):
        next_token({"t": told}, "t")


def test_of_very_many_bad_entries_some_are_told_and_the_others_counted() -> None:
    def bad(_: Any) -> None:
        raise ValueError("it is bad" * 1000)

    told = page(range(1000), bad, "")
    assert (len(told.bad), told.bad[-1]) == (BAD_MAX + 1, "and 900 more")
    assert max(len(reason) for reason in told.bad) <= 500
