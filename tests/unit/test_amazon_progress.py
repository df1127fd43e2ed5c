"""How far a sync with Amazon is: what is estimated, what is said, and pages that go round in a circle."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.amazon_cursor import RESTARTS_MAX, WINDOW, Cursor, Place, Stuck, Trail, windows
from workers.amazon_progress import estimated_end, estimated_total, percent, spoken, waiting
from workers.clients.amazon import Pace

UNTIL = datetime(2026, 11, 22, tzinfo=UTC)
AFTER = UNTIL - timedelta(days=100)
ORDERS = Pace(1 / 60, 20, "getOrders")


def orders(pages: int, days: float) -> Cursor:
    """So many pages of 100 orders, which cover so many of a hundred days."""
    seen = {"first": AFTER, "last": AFTER + timedelta(days=days)} if pages else {}
    return Cursor("orders", "A1", AFTER, pages=pages, met=100 * pages, **seen)  # type: ignore[arg-type]


def test_while_it_waits_a_sync_says_how_long_it_takes_and_why() -> None:
    wait = waiting(orders(20, 16.26), UNTIL, ORDERS, 60.0)
    assert wait.message == (
        "Fetching orders: 2,000 of about 12,300. Amazon allows one page of 100 every 60 s after the first 20, "
        "so about 1 h 43 min are left."
    )
    assert wait.limit.reason == "Amazon allows 20 pages of orders at once, and then one every 60 s."
    assert (wait.limit.operation, wait.limit.burst) == ("getOrders", 20)
    assert wait.left_s == pytest.approx(103 * 60)


def test_where_nobody_knows_how_many_there_are_it_says_only_when_it_goes_on() -> None:
    wait = waiting(orders(0, 0), UNTIL, ORDERS, 42.0)
    assert wait.message == (
        "Fetching orders. Amazon allows one request every 60 s now; the next one comes in about 42 seconds."
    )
    inventory = Cursor("inventory", pages=3, met=150)
    wait = waiting(inventory, UNTIL, Pace(2.0, 2, "getInventorySummaries"), 30.0)
    assert wait.message.startswith("Fetching inventory data: 150 so far. Amazon allows one request every 0.5 s now")
    assert wait.left_s is None


@pytest.mark.parametrize("part", ["claims", "inventory", "orders", "items"])
def test_a_rate_of_nothing_is_said_without_a_failure(part: Place) -> None:
    assert waiting(Cursor(part, after=AFTER), UNTIL, Pace(0.0, 1, "any"), 1.0).message


def test_orders_are_estimated_from_the_time_that_they_cover() -> None:
    assert estimated_total(orders(10, 10.0), UNTIL) == 10_000
    assert estimated_total(orders(1, 10.0), UNTIL) is None
    assert estimated_total(orders(10, 0.5), UNTIL) is None
    # All of the time is seen, in whatever order: that says nothing of how many are left.
    assert estimated_total(orders(2, 99.0), UNTIL) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100)), min_size=1, max_size=20))
def test_percents_stay_within_their_part(steps: list[tuple[int, float]]) -> None:
    pages = days = 0.0
    found: list[int] = []
    for more, day in steps:
        pages, days = pages + more, max(days, day)
        found.append(percent(orders(int(pages), days), UNTIL))
    assert all(60 <= one < 90 for one in found)


def test_the_parts_follow_on_each_other() -> None:
    ends = [percent(Cursor(part, after=AFTER), UNTIL) for part in ("begin", "claims", "inventory", "orders", "items")]
    assert [*ends, percent(Cursor("end"), UNTIL)] == [0, 5, 35, 60, 90, 99]
    assert percent(Cursor("items", order_ids=["a"], wanted=30), UNTIL) == 98


def test_the_end_is_estimated_from_the_pace_once_there_is_one() -> None:
    began = UNTIL - timedelta(minutes=10)
    assert estimated_end(5, began, UNTIL) is None
    assert estimated_end(25, began, UNTIL) == UNTIL + timedelta(minutes=30)
    assert estimated_end(100, began, UNTIL) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.1, "2 seconds"), (75, "75 seconds"), (120, "2 minutes"), (720, "12 minutes"), (6180, "1 h 43 min")],
)
def test_times_are_spoken_as_people_do(seconds: float, said: str) -> None:
    assert spoken(seconds) == said


@given(st.integers(0, 40), st.integers(1, 40))
def test_a_circle_of_tokens_is_found_soon_and_never_where_there_is_none(before: int, size: int) -> None:
    trail, known = Trail(), set[str]()
    for number in range(3 * (before + size) + 3):
        token = f"t-{number}" if number < before else f"t-{before + (number - before) % size}"
        if trail.is_round(token):
            assert token in known
            break
        known.add(token)
    else:
        raise AssertionError("the circle was not found")


@given(st.integers(1, 2_000))
def test_tokens_that_are_all_different_go_round_in_no_circle(count: int) -> None:
    trail = Trail()
    assert not any(trail.is_round(f"t-{number}") for number in range(count))
    # However many there were, what is kept of them is as short.
    assert len(msgspec.json.encode(trail)) < 100


@given(st.floats(0.01, 800))
def test_windows_are_as_long_as_amazon_takes_them_and_leave_nothing_out(days: float) -> None:
    after = UNTIL - timedelta(days=days)
    found = windows(after, UNTIL)
    assert (found[0].after, found[-1].before) == (after, UNTIL)
    assert all(one.before == other.after for one, other in pairwise(found))
    assert all(timedelta(0) < one.before - one.after <= WINDOW for one in found)


def test_what_was_read_before_is_a_window_of_its_own() -> None:
    reached = UNTIL - timedelta(days=1)
    cursor = Cursor("claims", "A1", reached - timedelta(days=7), reached)
    assert [(one.after, one.before) for one in cursor.windows(UNTIL)] == [
        (reached - timedelta(days=7), reached),
        (reached, UNTIL),
    ]


def test_a_pass_begins_anew_with_what_earlier_windows_have_met_and_not_for_ever() -> None:
    cursor = Cursor("claims", "A1", AFTER, window=1, number=7, token="t", pages=3, met=30, met_before=100)
    anew = cursor.restarted()
    assert (anew.part, anew.after, anew.window, anew.rows) == ("claims", AFTER, 1, 100)
    assert (anew.number, anew.token, anew.pages, anew.restarts) == (0, "", 0, 1)
    with pytest.raises(Stuck):
        msgspec.structs.replace(cursor, restarts=RESTARTS_MAX).restarted()
    following = cursor.next_window()
    assert (following.window, following.rows, following.number) == (2, 130, 0)
