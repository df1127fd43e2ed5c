"""The arithmetic of an order: whole cents, rounded once and in the open, never less than nothing."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.games import PRICE_MAX, QUANTITY_MAX
from contract.store_orders import ITEMS_MAX
from workers.money import CENT, Promo, add_up


def cents(least: int, most: Decimal) -> st.SearchStrategy[Decimal]:
    return st.integers(least, int(most * 100)).map(lambda count: Decimal(count).scaleb(-2))


prices = cents(0, PRICE_MAX)
lines = st.lists(st.tuples(prices, st.integers(1, QUANTITY_MAX)), min_size=1, max_size=ITEMS_MAX)
percents = cents(1, Decimal(100)).map(lambda percent: Promo(percent=percent))
amounts = cents(1, PRICE_MAX).map(lambda amount: Promo(amount=amount))


def exact(amount: Decimal) -> Fraction:
    return Fraction(amount)


@given(lines)
def test_without_a_promo_code_an_order_comes_to_the_sum_of_its_lines_to_the_cent(
    order: list[tuple[Decimal, int]],
) -> None:
    sums = add_up(order)
    assert exact(sums.total) == exact(sums.subtotal) == sum(Fraction(price) * quantity for price, quantity in order)
    assert sums.discount == 0


@given(lines, percents | amounts)
def test_a_discount_is_never_negative_and_never_above_what_there_is(
    order: list[tuple[Decimal, int]], promo: Promo
) -> None:
    sums = add_up(order, promo)
    assert 0 <= sums.discount <= sums.subtotal
    assert exact(sums.total) == exact(sums.subtotal) - exact(sums.discount)
    assert all(amount == amount.quantize(CENT) for amount in sums)
    assert all(amount.as_tuple().exponent == -2 for amount in sums)


@given(lines, percents)
def test_a_percentage_is_off_by_half_a_cent_at_most_and_half_a_cent_counts_for_the_buyer(
    order: list[tuple[Decimal, int]], promo: Promo
) -> None:
    sums = add_up(order, promo)
    assert promo.percent is not None
    off = exact(sums.discount) - exact(sums.subtotal) * exact(promo.percent) / 100
    assert Fraction(-1, 200) < off <= Fraction(1, 200)


@given(lines, amounts)
def test_an_amount_is_taken_off_whole_or_as_far_as_it_goes(order: list[tuple[Decimal, int]], promo: Promo) -> None:
    sums = add_up(order, promo)
    assert promo.amount is not None
    assert sums.discount == min(promo.amount, sums.subtotal)


@pytest.mark.parametrize(
    ("price", "percent", "discount"),
    [
        ("0.05", "10", "0.01"),  # half a cent goes up, where half to even would go down
        ("0.25", "10", "0.03"),
        ("0.04", "10", "0.00"),
        ("19.99", "15", "3.00"),
        ("1.15", "50", "0.58"),  # in binary floating point 0.575 is a little less
        ("9999999999.99", "99.99", "9998999999.99"),
        ("59.99", "100", "59.99"),
    ],
)
def test_half_a_cent_is_rounded_up(price: str, percent: str, discount: str) -> None:
    sums = add_up([(Decimal(price), 1)], Promo(percent=Decimal(percent)))
    assert str(sums.discount) == discount


def test_money_has_two_decimals_however_round_it_is() -> None:
    assert [str(amount) for amount in add_up([(Decimal("20.00"), 2)], Promo(percent=Decimal(50)))] == [
        "40.00",
        "20.00",
        "20.00",
    ]
