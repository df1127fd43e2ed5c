"""When the waiting room asks: at the server's pace, spread out, and ever more seldom while nobody answers."""

from typing import Any

import pytest

from tests.browser.conftest import STEPS, StandIn, Watched

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

UNLUCKY = 0.999999
LOOK_LATEST_MS = 3000.0


def about(wait_ms: float) -> Any:
    """This wait, give or take the step of the clock in which the answer arrived."""
    return pytest.approx(wait_ms, rel=2 * 1.2 / STEPS)


@pytest.mark.parametrize(("luck", "share"), [(0.0, 0.8), (0.5, 1.0), (UNLUCKY, 1.2)])
@pytest.mark.parametrize("retry_after_ms", [2000, 10_000])
async def test_the_page_waits_as_long_as_the_server_says_give_or_take_a_fifth(
    gateway: StandIn, room: str, watched: Watched, luck: float, share: float, retry_after_ms: int
) -> None:
    await gateway.answers({"status": "busy", "retryAfterMs": retry_after_ms})
    await watched.luck(luck)
    await watched.page.goto(room)
    await watched.looks()
    for _ in range(2):
        wait = retry_after_ms * share
        assert await watched.looks(within_ms=1.2 * wait) == about(wait)


async def test_two_waits_of_one_page_differ_so_that_a_crowd_spreads_out(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers({"status": "busy", "retryAfterMs": 20_000})
    await watched.page.goto(room)
    await watched.looks()
    waits = [await watched.looks(within_ms=24_900) for _ in range(6)]
    assert all(16_000 <= wait <= 24_900 for wait in waits)
    assert max(waits) - min(waits) > 1000


@pytest.mark.parametrize(
    ("retry_after_ms", "shortest", "longest"),
    [(0, 800, 1200), (-5, 800, 1200), ("soon", 4000, 6000), (None, 4000, 6000), (1e15, 480_000, 720_000)],
)
async def test_a_time_that_makes_no_sense_is_brought_within_limits(
    gateway: StandIn, room: str, watched: Watched, retry_after_ms: Any, shortest: float, longest: float
) -> None:
    await gateway.answers({"status": "busy", "retryAfterMs": retry_after_ms})
    await watched.page.goto(room)
    await watched.looks()
    await watched.run(shortest - 100)
    assert len(await watched.polls()) == 1
    await watched.run(longest - shortest + 200)
    assert len(await watched.polls()) >= 2


@pytest.mark.parametrize(
    ("status", "heading"), [(429, "The shop is full just now"), (503, "The shop is not answering")]
)
@pytest.mark.parametrize("luck", [0.0, UNLUCKY])
async def test_retry_after_is_a_promise_not_to_come_sooner(
    gateway: StandIn, room: str, watched: Watched, status: int, heading: str, luck: float
) -> None:
    await gateway.answers({"status": "error", "msg": "Not now"}, status, {"Retry-After": "7"})
    await watched.luck(luck)
    await watched.page.goto(room)
    await watched.looks()
    await watched.heading(heading)
    assert 7000 <= await watched.looks(within_ms=9000) <= 9000


async def test_while_the_gateway_is_down_the_page_backs_off_and_it_returns_when_the_gateway_does(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.stop()
    await watched.luck(UNLUCKY)
    await watched.page.goto(room)
    await watched.looks()
    await watched.heading("The shop is not answering")
    assert await watched.page.title() == "Waiting: the shop is not answering"
    for wait in (4000, 8000, 16_000, 32_000, 60_000, 60_000):
        assert await watched.looks(within_ms=1.2 * wait) == about(wait)

    await gateway.start()
    await gateway.answers({"status": "open", "retryAfterMs": 0})
    await watched.looks(within_ms=61_000)
    await watched.heading("There is room")
    await watched.run(5000)
    await watched.page.wait_for_url(gateway.url + "/")


async def test_the_back_off_has_full_jitter_down_to_its_lower_limit(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.stop()
    await watched.luck(0.0)
    await watched.page.goto(room)
    await watched.looks()
    for wait in (2000, 2000, 2000, 2000):
        assert await watched.looks(within_ms=1.2 * wait) == about(wait)


@pytest.mark.parametrize("body", ["", "<!doctype html>", "null", "[]", "7", {"status": 7}, {}])
async def test_an_answer_that_makes_no_sense_counts_as_none(
    gateway: StandIn, room: str, watched: Watched, body: Any
) -> None:
    await gateway.answers(body)
    await watched.page.goto(room)
    await watched.looks()
    await watched.heading("The shop is not answering")
    assert await watched.looks(within_ms=5000) >= 2000
    assert watched.faults == []


async def test_an_answer_that_never_comes_is_given_up(gateway: StandIn, room: str, watched: Watched) -> None:
    await watched.page.route("**/admission", lambda route: None)
    await watched.page.goto(room)
    await watched.run(LOOK_LATEST_MS)
    assert len(await watched.polls()) == 1
    await watched.run(10_000)
    await watched.heading("The shop is not answering")


async def test_sold_out_is_told_and_the_page_asks_seldom_until_a_unit_comes_back(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers({"status": "sold_out", "retryAfterMs": 1000, "msg": "Inventory empty"})
    await watched.page.goto(room + "?productId=ps5%26disc")
    await watched.looks()
    await watched.heading("Sold out, for now")
    assert await watched.page.title() == "Sold out"
    assert (await gateway.asked())[-1]["query"] == "productId=ps5%26disc"
    assert 24_000 <= await watched.looks(within_ms=37_000) <= 37_000
    again = watched.page.get_by_role("link", name="Look again")
    assert await again.get_attribute("href") == gateway.url + "/"

    await gateway.answers({"status": "open", "retryAfterMs": 0})
    await watched.looks(within_ms=37_000)
    await watched.heading("There is room")


async def test_without_a_product_none_is_asked_for_and_nothing_of_the_buyer_is_sent(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await watched.page.context.add_cookies([{"name": "session", "value": "secret", "url": gateway.url}])
    await watched.page.goto(room + "?return=%2Fcart")
    await watched.looks()
    asked = (await gateway.asked())[-1]
    assert asked["query"] == ""
    assert asked["headers"]["origin"] == room.rstrip("/")
    assert not {"cookie", "referer", "authorization"} & asked["headers"].keys()


async def test_a_hidden_tab_asks_seldom_and_soon_after_it_is_shown(
    gateway: StandIn, room: str, watched: Watched
) -> None:
    await gateway.answers({"status": "busy", "retryAfterMs": 2000})
    await watched.page.goto(room)
    await watched.looks()
    await watched.show(False)
    hidden_for = [await watched.looks(within_ms=73_000) for _ in range(2)]
    assert all(60_000 <= wait <= 75_000 for wait in hidden_for)
    await watched.run(20_000)
    await watched.show(True)
    before = len(await watched.polls())
    await watched.run(1000)
    assert len(await watched.polls()) == before + 1


async def test_showing_a_tab_does_not_overrule_the_server(gateway: StandIn, room: str, watched: Watched) -> None:
    await gateway.answers({"status": "busy", "retryAfterMs": 30_000})
    await watched.page.goto(room)
    await watched.looks()
    for _ in range(5):
        await watched.show(False)
        await watched.show(True)
        await watched.run(1000)
    assert len(await watched.polls()) == 1
    assert 24_000 <= await watched.looks(within_ms=37_000) <= 37_000
