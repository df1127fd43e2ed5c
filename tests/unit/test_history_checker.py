"""The checker of the fault tests: it must see every kind of wrong, and nothing wrong where all is well."""

import pytest

from bench.history import Order, Outcome
from chaos.checker import Row, accept_times, back_after_s, check

SUCCESS = b'{"status":"success","msg":"Order accepted","orderId":"%s"}'
IGNORED = b'{"status":"ignored","msg":"Duplicate request","orderId":"%s"}'


def told(key: str, status: int, body: bytes = b"", at: float = 1.0) -> Outcome:
    return Outcome(Order(key, "phone", f"user-{key}"), status, body, at, at + 0.1)


def accepted(key: str, order_id: str, body: bytes = SUCCESS, at: float = 1.0) -> Outcome:
    return told(key, 200, body % order_id.encode(), at)


def row(key: str, order_id: str, state: str = "persisted") -> Row:
    return Row(order_id, key, f"user-{key}", state, 1.0, 1.1)


def test_a_sound_sale_has_no_fault() -> None:
    outcomes = [
        accepted("a", "1"),
        accepted("a", "1", IGNORED, at=2.0),
        told("b", 409),
        told("c", 0),
        accepted("c", "3", IGNORED, at=2.0),
    ]
    verdict = check(outcomes, [row("a", "1"), row("c", "3")], stock=2)
    assert verdict.faults == ()
    assert (verdict.requests, verdict.keys, verdict.accepted, verdict.rows) == (5, 3, 2, 2)
    assert (verdict.indeterminate, verdict.recovered) == (1, 1)


@pytest.mark.parametrize("rows", [[], [row("a", "1", "cancelled")], [row("b", "1")]])
def test_an_accept_without_its_own_row_is_lost(rows: list[Row]) -> None:
    verdict = check([accepted("a", "1"), told("b", 0), told("b", 409, at=2.0)], rows, stock=1)
    assert verdict.lost == 1
    assert any("without a row" in fault for fault in verdict.faults)


def test_two_rows_of_one_key_are_a_duplicate() -> None:
    verdict = check([accepted("a", "1")], [row("a", "1"), row("a", "2")], stock=2)
    assert verdict.duplicated == 1


@pytest.mark.parametrize(("order_id", "body"), [("2", IGNORED), ("1", SUCCESS)])
def test_a_key_that_is_accepted_twice_is_a_duplicate(order_id: str, body: bytes) -> None:
    verdict = check([accepted("a", "1"), accepted("a", order_id, body)], [row("a", "1")], stock=2)
    assert verdict.duplicated == 1


def test_an_order_id_given_to_two_keys_is_a_duplicate() -> None:
    verdict = check([accepted("a", "1"), accepted("b", "1")], [row("a", "1")], stock=2)
    assert verdict.duplicated == 1


def test_a_row_beyond_the_stock_is_oversold() -> None:
    verdict = check([accepted("a", "1"), accepted("b", "2")], [row("a", "1"), row("b", "2")], stock=1)
    assert verdict.oversold == 1


@pytest.mark.parametrize(
    "outcomes", [[], [told("a", 409)], [told("a", 0), told("a", 409, at=2.0)]], ids=["unasked", "refused", "denied"]
)
def test_a_row_that_no_client_was_promised_is_unexpected(outcomes: list[Outcome]) -> None:
    assert check(outcomes, [row("a", "1")], stock=1).unexpected == 1


def test_a_row_of_another_buyer_is_unexpected() -> None:
    stolen = row("a", "1")._replace(user="somebody")
    assert check([accepted("a", "1")], [stolen], stock=1).unexpected == 1


def test_a_row_whose_buyer_never_learned_of_it_is_recovered_but_the_silence_is_a_fault() -> None:
    verdict = check([told("a", 503)], [row("a", "1")], stock=1)
    assert (verdict.recovered, verdict.unexpected, verdict.lost) == (1, 0, 0)
    assert any("could not be learned" in fault for fault in verdict.faults)


@pytest.mark.parametrize(("status", "body"), [(500, b""), (302, b""), (200, b"{}"), (200, b"\xff")])
def test_an_answer_that_nobody_should_get_is_a_fault(status: int, body: bytes) -> None:
    assert any("nobody should get" in fault for fault in check([told("a", status, body)], [], stock=1).faults)


def test_a_row_that_a_fence_refused_is_a_fault() -> None:
    assert any("fence" in fault for fault in check([told("a", 409)], [row("a", "1", "failed")], stock=1).faults)


def test_only_the_first_accept_of_a_key_counts_as_a_moment() -> None:
    outcomes = [accepted("a", "1", at=2.0), accepted("a", "1", IGNORED, at=3.0), told("b", 0), accepted("b", "2")]
    assert accept_times(outcomes) == [1.1, 2.1]


@pytest.mark.parametrize(
    ("moments", "back_s"),
    [
        ([9.9, 10.1, 10.2, 10.3], 0.0),
        ([9.9, 13.0, 13.1, 13.2], 3.0),
        ([10.1, 13.1, 13.2, 15.2], 3.1),
        ([10.1, 11.0, 14.0, 14.1], 4.0),
        ([10.1, 10.2, 16.0], 0.0),
    ],
    ids=["none", "at once", "the longest counts", "later", "not watched any more"],
)
def test_recovery_is_measured_to_the_end_of_the_longest_silence(moments: list[float], back_s: float) -> None:
    assert back_after_s(moments, struck=10.0, watched_until=15.5, outage_s=0.5) == pytest.approx(back_s)
