"""The checker of the fault tests: it must see every kind of wrong, and nothing wrong where all is well."""

import pytest

from bench.history import Answer, Order, Outcome
from chaos.checker import Cancelling, Row, accept_times, check, outage

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
    ("moments", "longest_s", "over_at"),
    [
        ([9.9, 10.1, 10.2, 10.3], 0.0, 0.0),
        ([9.9, 13.0, 13.1, 13.2], 3.0, 13.0),
        ([10.1, 13.1, 13.2, 15.2], 3.0, 15.2),
        ([10.1, 11.0, 14.0, 14.1], 3.0, 14.0),
        ([10.1, 10.2, 16.0], 0.0, 0.0),
    ],
    ids=["none", "at once", "the longest counts, until the last is over", "later", "not watched any more"],
)
def test_an_outage_is_the_longest_silence_and_lasts_until_the_last_one_is_over(
    moments: list[float], longest_s: float, over_at: float
) -> None:
    found = outage(moments, struck=10.0, watched_until=15.5, silence_s=0.5)
    assert found == (pytest.approx(longest_s), pytest.approx(over_at))


def wish(order_id: str, *statuses: int) -> Cancelling:
    return Cancelling(order_id, [Answer(status, b"", 3.0, 3.1) for status in statuses])


def test_a_cancelled_order_has_no_unit_and_its_unit_may_be_sold_again() -> None:
    outcomes = [accepted("a", "1"), accepted("b", "2", at=4.0)]
    verdict = check(outcomes, [row("a", "1", "cancelled"), row("b", "2")], 1, [wish("1", 503, 200)])
    assert verdict.faults == ()
    assert (verdict.requests, verdict.accepted, verdict.cancelled, verdict.rows) == (4, 2, 1, 1)


def test_a_cancellation_that_never_reaches_its_row_is_lost() -> None:
    assert check([accepted("a", "1")], [row("a", "1")], 1, [wish("1", 200)]).lost == 1


def test_a_row_cancelled_without_a_wish_is_unexpected_and_its_order_lost() -> None:
    verdict = check([accepted("a", "1")], [row("a", "1", "cancelled")], 1)
    assert (verdict.lost, verdict.unexpected) == (1, 1)


@pytest.mark.parametrize("state", ["persisted", "cancelled"])
def test_a_cancellation_of_unknown_outcome_may_have_counted_but_never_learning_it_is_a_fault(state: str) -> None:
    verdict = check([accepted("a", "1")], [row("a", "1", state)], 1, [wish("1", 0, 503)])
    assert (verdict.lost, verdict.unexpected) == (0, 0)
    assert any("cancellations whose outcome" in fault for fault in verdict.faults)


def test_a_refused_cancellation_is_a_fault() -> None:
    assert any("nobody should get" in fault for fault in check([], [], 1, [wish("1", 404)]).faults)


def test_two_orders_of_one_wish_are_a_duplicate_whatever_their_keys() -> None:
    again = row("b", "2")._replace(user="user-a")
    verdict = check([told("a", 0), accepted("b", "2")], [row("a", "1"), again], 2)
    assert verdict.duplicated == 1
