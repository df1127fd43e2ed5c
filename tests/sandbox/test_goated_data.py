"""What Goated's sandbox tells: people whose wagers grow, counters that begin anew, and the ETag of what is told."""

import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support.sandbox import GoatedSandbox

PERIODS = ("today", "this_week", "this_month", "all_time")
# Alone it takes about one second; the rest is for a machine with much else to do.
MANY_WITHIN_S = 8.0


async def people(goated: GoatedSandbox) -> list[dict[str, Any]]:
    """The list, amounts with all their digits."""
    reply = await goated.fetch()
    assert reply.status == 200
    return reply.json()["data"]


def amounts(rows: list[dict[str, Any]], period: str) -> dict[str, float]:
    return {row["uid"]: row["wagered"][period] for row in rows}


async def test_everybody_is_in_one_list_that_nobody_has_sorted(goated: GoatedSandbox) -> None:
    reply = await goated.fetch()
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    document = reply.json()
    assert set(document) == {"success", "data"}
    assert document["success"] is True
    rows = document["data"]
    assert len(rows) == len({row["uid"] for row in rows}) == 500
    assert {len(row["uid"]) for row in rows} == {20}
    assert all(set(row) == {"uid", "name", "wagered"} and tuple(row["wagered"]) == PERIODS for row in rows)
    for period in PERIODS:
        told = [row["wagered"][period] for row in rows]
        assert told != sorted(told)
        assert told != sorted(told, reverse=True)
    assert [row["uid"] for row in rows] != sorted(row["uid"] for row in rows)


async def test_most_have_wagered_nothing_and_some_exactly_as_much_as_another(goated: GoatedSandbox) -> None:
    rows = await people(goated)
    active = {period: [amount for amount in amounts(rows, period).values() if amount] for period in PERIODS}
    assert 0 < len(active["today"]) < len(active["this_month"]) < len(active["all_time"]) < 100
    month = active["this_month"]
    assert len(month) > len(set(month))
    assert any(len(repr(amount).replace(".", "")) >= 14 for amount in month)
    assert len(set(active["all_time"])) > 20


async def test_names_are_such_as_people_choose(goated: GoatedSandbox) -> None:
    names = [row["name"] for row in await people(goated)]
    assert len(names) > len(set(names))
    assert names.count("player") > 1
    assert {"x", "<script>alert(1)</script>", "\u5c71\u7530\u592a\u90ce"} <= set(names)
    assert any("\N{ROCKET}" in name for name in names)
    assert any("\u05d0" <= letter <= "\u05ea" for name in names for letter in name)


async def test_the_same_people_come_again_after_a_reset_and_others_of_another_seed(goated: GoatedSandbox) -> None:
    before = await people(goated)
    await goated.reset()
    await goated.control(tick_s=0)
    await goated.advance(to="2026-04-15T12:00:00Z")
    assert await people(goated) == before
    await goated.control(users=20)
    assert await people(goated) == before[:20]
    await goated.control(seed=2)
    assert not {row["uid"] for row in await people(goated)} & {row["uid"] for row in before}


async def test_wagers_grow_with_the_clock_and_never_fall(goated: GoatedSandbox) -> None:
    before = await people(goated)
    for _ in range(8):
        await goated.advance(seconds=3_601)
        rows = await people(goated)
        for period in PERIODS:
            then, now = amounts(before, period), amounts(rows, period)
            assert all(now[uid] >= then[uid] for uid in then)
            assert any(now[uid] > then[uid] for uid in then)
        before = rows


@pytest.mark.parametrize("zone", [0.0, -8.0, 5.5])
async def test_counters_begin_anew_at_midnight_of_the_zone_and_all_time_does_not(
    goated: GoatedSandbox, zone: float
) -> None:
    await goated.control(zone_offset_h=zone)
    # The month ends within a week: on a Thursday.
    await goated.advance(to="2026-05-01T00:00:00Z", seconds=int(-zone * 3600) - 1)
    before = await people(goated)
    await goated.advance(seconds=1)
    after = await people(goated)
    assert not any(amounts(after, "today").values())
    assert not any(amounts(after, "this_month").values())
    assert any(amounts(before, "this_month").values())
    for period in ("this_week", "all_time"):
        then, now = amounts(before, period), amounts(after, period)
        assert all(now[uid] >= then[uid] for uid in then)
    # The Monday after it.
    await goated.advance(to="2026-05-04T00:00:00Z", seconds=int(-zone * 3600))
    monday = await people(goated)
    assert not any(amounts(monday, "this_week").values())
    assert any(amounts(monday, "this_month").values())


async def test_periods_of_one_person_never_contradict_each_other(goated: GoatedSandbox) -> None:
    for moment in ("2026-04-15T12:00:00Z", "2026-04-30T23:59:59Z", "2026-06-01T00:00:30Z", "2027-01-02T03:04:05Z"):
        await goated.advance(to=moment)
        for row in await people(goated):
            today, week, month, total = (row["wagered"][period] for period in PERIODS)
            assert 0 <= today <= min(week, month)
            assert max(week, month) <= total


async def test_a_list_that_is_torn_has_its_first_half_from_before_the_clock_was_moved(goated: GoatedSandbox) -> None:
    await goated.control(active_percent=100)
    await goated.advance(to="2026-04-30T23:59:59Z")
    before = await people(goated)
    await goated.control(is_torn=True)
    await goated.advance(seconds=1)
    torn = await people(goated)
    half = len(torn) // 2
    assert torn[:half] == before[:half]
    assert not any(row["wagered"]["this_month"] for row in torn[half:])
    assert any(row["wagered"]["this_month"] for row in torn[:half])


async def test_the_books_say_what_the_list_says(goated: GoatedSandbox) -> None:
    reply = await goated.fetch()
    rows, books = reply.json()["data"], await goated.books(top=5)
    assert books["people"] == len(rows)
    assert (books["bytes"], books["etag"]) == (len(reply.body), reply.headers["etag"])
    assert books["at"] == "2026-04-15T12:00:00Z"
    assert books["begun"] == {
        "today": "2026-04-15T00:00:00Z",
        "this_week": "2026-04-13T00:00:00Z",
        "this_month": "2026-04-01T00:00:00Z",
    }
    for period in PERIODS:
        told = amounts(rows, period)
        assert Decimal(books["sums"][period]) == sum(Decimal(repr(amount)) for amount in told.values())
        assert books["active"][period] == sum(amount > 0 for amount in told.values())
        first = sorted(((-amount, uid) for uid, amount in told.items()))[:5]
        assert [(one["uid"], one["wagered"]) for one in books["top"][period] if one["wagered"] != "0"] == [
            (uid, repr(-amount)) for amount, uid in first if amount
        ]
    every = await goated.rows()
    assert [(row["uid"], row["name"]) for row in every] == [(row["uid"], row["name"]) for row in rows]
    assert [row["wagered"]["all_time"] for row in every] == [repr(row["wagered"]["all_time"]) for row in rows]


async def test_what_has_not_changed_is_not_told_again(goated: GoatedSandbox) -> None:
    first = await goated.fetch()
    etag = first.headers["etag"]
    assert etag.startswith('W/"')
    for known in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = await goated.fetch(If_None_Match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in again.headers
    assert (await goated.fetch(If_None_Match='W/"other"')).body == first.body
    await goated.advance(seconds=1)
    moved = await goated.fetch(If_None_Match=etag)
    assert moved.status == 200
    assert moved.headers["etag"] != etag
    await goated.control(etag="missing")
    bare = await goated.fetch(If_None_Match=etag)
    assert bare.status == 200
    assert "etag" not in bare.headers


async def test_people_come_and_go_and_are_called_otherwise(goated: GoatedSandbox) -> None:
    before = {row["uid"]: row["name"] for row in await people(goated)}
    moved = await goated.advance(added=3, removed=2, renamed=4)
    after = {row["uid"]: row["name"] for row in await people(goated)}
    assert set(after) - set(before) == set(moved["added"])
    assert set(before) - set(after) == set(moved["removed"]) == set(list(before)[:2])
    assert {uid for uid in after if uid in before and after[uid] != before[uid]} == set(moved["renamed"])
    assert (len(moved["added"]), len(moved["renamed"])) == (3, 4)
    one, other = list(after)[:2]
    moved = await goated.advance(remove=[one], rename={other: "somebody else"})
    now = {row["uid"]: row["name"] for row in await people(goated)}
    assert (one in now, now[other]) == (False, "somebody else")
    assert moved == {"at": "2026-04-15T12:00:00Z", "added": [], "removed": [one], "renamed": [other]}


async def test_nobody_at_all_is_a_list_too(goated: GoatedSandbox) -> None:
    await goated.control(users=0)
    assert (await goated.fetch()).body == b'{"success":true,"data":[]}'


@pytest.mark.slow
async def test_100_000_people_are_told_quickly_and_again_at_once(goated: GoatedSandbox) -> None:
    await goated.control(users=100_000)
    started = time.monotonic()
    reply = await goated.fetch()
    assert time.monotonic() - started < MANY_WITHIN_S
    assert len(reply.body) > 10_000_000
    assert reply.body.count(b'"uid"') == 100_000
    assert (await goated.fetch(If_None_Match=reply.headers["etag"])).status == 304
    await goated.advance(seconds=60)
    assert (await goated.fetch(If_None_Match=reply.headers["etag"])).status == 200
