"""Rows of Amazon as they fit into the tables, and what is told of those that do not."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.amazon_claims import claim_ids, fingerprint
from workers.amazon_rows import clean, cut, documents, is_money
from workers.clients.amazon import Claim

POSTED = datetime(2026, 11, 1, tzinfo=UTC)
CLAIM = Claim("", "RefundEventList", "SKU-1", "refund", None, Decimal("9.90"), "USD", "approved", "a", POSTED)


def ids(*claims: Claim, seen: int = 0) -> list[str]:
    prints = [fingerprint(claim) for claim in claims]
    return claim_ids("first", claims, prints, dict.fromkeys(prints, seen), {})


def test_what_a_claim_says_makes_its_id_and_what_describes_it_does_not() -> None:
    (own,) = ids(CLAIM)
    assert ids(CLAIM._replace(description="b", amount=Decimal("9.9000"))) == [own]
    others = [
        CLAIM._replace(source="ChargebackEventList"),
        CLAIM._replace(reference="SKU-2"),
        CLAIM._replace(order_id="1"),
        CLAIM._replace(amount=Decimal("9.91")),
        CLAIM._replace(currency="EUR"),
        CLAIM._replace(posted_at=datetime(2026, 11, 2, tzinfo=UTC)),
    ]
    assert len({own, *ids(*others)}) == 7


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 30))
def test_ids_are_the_same_wherever_a_page_ends(kinds: list[int], cut_at: int) -> None:
    claims = [CLAIM._replace(reference=str(kind)) for kind in kinds]
    whole = ids(*claims)
    assert len(set(whole)) == len(claims)
    first, second = claims[:cut_at], claims[cut_at:]
    before = {fingerprint(one): first.count(one) for one in first}
    marks = [fingerprint(one) for one in second]
    assert ids(*first) + claim_ids("first", second, marks, before, {}) == whole


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        ("fba_inventory_reimbursement", "RMB-"),
        ("reimbursement_clawback", "CLB-"),
        ("refund", "RFD-"),
        ("service_fee", "FEE-"),
        ("whatever", "EVT-"),
    ],
)
def test_an_id_that_we_make_says_what_kind_of_claim_it_is(kind: str, prefix: str) -> None:
    (own,) = ids(CLAIM._replace(type=kind))
    assert own.startswith(prefix)
    assert len(own) == len(prefix) + 64


def test_amazons_own_id_is_taken_where_there_is_one() -> None:
    assert ids(CLAIM._replace(id="tx-1"), CLAIM._replace(id="tx\x00-2")) == ["tx-1", "tx-2"]


@pytest.mark.parametrize("amount", ["1e15", "-1e15", "NaN", "Infinity", "1e-21", "1e999"])
def test_money_that_no_table_takes_is_none(amount: str) -> None:
    assert not is_money(Decimal(amount))


@pytest.mark.parametrize("amount", ["0", "-0.01", "999999999999999.99", "1e-7", "1E+3"])
def test_money_of_any_currency_is_taken(amount: str) -> None:
    assert is_money(Decimal(amount))


@given(st.text())
def test_a_text_is_cut_to_its_column_and_holds_nothing_that_postgres_does_not_take(text: str) -> None:
    assert clean(text) == text.replace("\x00", "")
    assert len(cut(text + "x" * 20, 10) or "") == 10
    assert cut(None, 10) is None


def test_half_a_letter_is_no_letter() -> None:
    assert clean("a\ud800b") == "a?b"
    assert documents([{"title": "a\x00b"}]) == '[{"title":"ab"}]'
