"""What a race pays: shares that add up to the pool exactly, and prizes in whole cents that do as well."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.settings import Settings, SettingsError
from workers.goated_prizes import CENT, SHARES_MAX, prizes_of, read_shares, unpaid_of

pools = st.integers(0, 1_000_000_000).map(Decimal)


@st.composite
def shares(draw: st.DrawFn) -> list[Decimal]:
    """Any shares that add up to 1, in millionths."""
    cuts = draw(st.sets(st.integers(1, 999_999), max_size=SHARES_MAX - 1))
    bounds = [0, *sorted(cuts), 1_000_000]
    return [Decimal(later - at).scaleb(-6) for at, later in pairwise(bounds)]


def test_the_shares_of_the_contract_make_its_prizes() -> None:
    own = read_shares(Settings().goated_prizes)
    assert own == tuple(map(Decimal, ("0.5", "0.3", "0.1", "0.05", "0.05")))
    assert prizes_of(Decimal(500), own) == (250, 150, 50, 25, 25)


@given(shares())
def test_shares_that_add_up_to_1_are_read_as_they_were_written(given_shares: list[Decimal]) -> None:
    assert list(read_shares(" ".join(map(str, given_shares)))) == given_shares


@given(shares(), st.integers(0, 99), st.sampled_from([Decimal("1e-12"), Decimal("-1e-12")]))
def test_shares_that_miss_1_by_the_least_are_refused(given_shares: list[Decimal], place: int, by: Decimal) -> None:
    given_shares[place % len(given_shares)] += by
    with pytest.raises(SettingsError, match=r"must add up to exactly 1|must be above 0"):
        read_shares(" ".join(map(str, given_shares)))


@pytest.mark.parametrize(
    "text",
    ["", " ", "0.5", "50 30 10 5 5", "0.5 0.3 0.1 0.05 0.0475", "1.5 -0.5", "0 1", "nan", "inf", "half half", "1,0"],
)
def test_what_are_no_shares_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_GOATED_PRIZES"):
        read_shares(text)


def test_more_places_than_a_race_pays_are_refused() -> None:
    assert len(read_shares(" ".join(["0.01"] * SHARES_MAX))) == SHARES_MAX
    with pytest.raises(SettingsError, match="1 to 100 shares"):
        read_shares(" ".join(["0.005"] * 2 * SHARES_MAX))


@given(pools, shares())
def test_prizes_are_whole_cents_and_add_up_to_the_pool(pool: Decimal, given_shares: list[Decimal]) -> None:
    prizes = prizes_of(pool, given_shares)
    assert sum(prizes) == pool
    assert all(prize >= 0 and prize % CENT == 0 for prize in prizes)
    for prize, share in zip(prizes[1:], given_shares[1:], strict=True):
        assert 0 <= pool * share - prize < CENT
    assert 0 <= prizes[0] - pool * given_shares[0] < CENT * len(given_shares)


def test_what_the_cents_leave_over_goes_to_the_first() -> None:
    thirds = read_shares("0.333 0.333 0.334")
    assert prizes_of(Decimal(1), thirds) == (Decimal("0.34"), Decimal("0.33"), Decimal("0.33"))


@given(pools, shares(), st.integers(0, 2 * SHARES_MAX))
def test_what_is_paid_and_what_is_not_are_the_pool_whoever_has_wagered(
    pool: Decimal, given_shares: list[Decimal], winners: int
) -> None:
    prizes = prizes_of(pool, given_shares)
    unpaid = unpaid_of(prizes, winners)
    assert sum(prizes[:winners]) + unpaid == pool
    assert winners > 0 or unpaid == pool
    assert winners < len(prizes) or unpaid == 0
