"""Who is let in at Goated's sandbox, the forms of its answers, and what goes wrong on request."""

import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from contract.upstream_settings import GOATED_SANDBOX
from tests.support.sandbox import GoatedSandbox

CODE, TOKEN, REFRESH = GOATED_SANDBOX
BOARD = "/user/affiliate/referral-leaderboard"


async def refreshed(goated: GoatedSandbox, refresh_token: str = REFRESH) -> Any:
    return await goated.ask("POST", "/auth/refresh", {"refreshToken": refresh_token})


async def entries(goated: GoatedSandbox) -> list[Any]:
    return (await goated.fetch()).json()["data"]


@pytest.mark.parametrize(
    ("auth", "statuses"), [("required", (200, 401, 401)), ("optional", (200, 200, 401)), ("none", (200, 200, 200))]
)
async def test_a_token_is_required_optional_or_nobodys_concern(
    goated: GoatedSandbox, auth: str, statuses: tuple[int, ...]
) -> None:
    await goated.control(auth=auth)
    bare = await goated.ask("GET", f"{BOARD}/{CODE}")
    told = [await goated.fetch(), bare, await goated.fetch(Authorization="Bearer another")]
    assert tuple(reply.status for reply in told) == statuses
    for reply in told:
        assert reply.json()["success"] is (reply.status == 200)


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN])
async def test_what_is_no_bearer_token_is_refused(goated: GoatedSandbox, given: str) -> None:
    reply = await goated.fetch(Authorization=given)
    assert (reply.status, reply.json()) == (401, {"success": False, "message": "No token was given."})


async def test_a_refresh_token_gives_a_new_token_and_ends_the_old_one(goated: GoatedSandbox) -> None:
    given = (await refreshed(goated)).json()
    assert given["refreshToken"] == REFRESH
    assert given["expiresIn"] == 3600
    assert (await goated.fetch()).status == 401
    assert (await goated.fetch(Authorization=f"Bearer {given['token']}")).status == 200
    assert (await refreshed(goated, "another")).status == 401
    assert (await goated.ask("POST", "/auth/refresh", {})).status == 400
    await goated.expire()
    assert (await goated.fetch(Authorization=f"Bearer {given['token']}")).status == 401


async def test_a_refresh_token_that_rotates_is_good_once(goated: GoatedSandbox) -> None:
    await goated.control(rotates=True)
    another = (await refreshed(goated)).json()["refreshToken"]
    assert another != REFRESH
    assert (await refreshed(goated)).status == 401
    assert (await refreshed(goated, another)).status == 200


async def test_a_new_token_has_an_end(goated: GoatedSandbox) -> None:
    await goated.control(expires_in_s=1)
    token = (await refreshed(goated)).json()["token"]
    until = time.monotonic() + 5
    while (await goated.fetch(Authorization=f"Bearer {token}")).status == 200:
        assert time.monotonic() < until
    assert time.monotonic() > until - 4.1


@pytest.mark.parametrize("path", ["/health", f"{BOARD}/OTHER", BOARD, "/user2/affiliate/referral-leaderboard/SANDBOX"])
async def test_what_is_not_there_is_404(goated: GoatedSandbox, path: str) -> None:
    reply = await goated.ask("GET", path, Authorization=f"Bearer {TOKEN}")
    assert reply.status == 404
    assert reply.json()["success"] is False


async def test_another_method_is_405(goated: GoatedSandbox) -> None:
    assert (await goated.ask("POST", f"{BOARD}/{CODE}")).status == 405


async def test_every_form_has_the_same_people(goated: GoatedSandbox) -> None:
    plain = await entries(goated)

    async def told(form: str) -> Any:
        await goated.control(form=form)
        return (await goated.fetch()).json()

    assert await told("list") == plain
    assert await told("data") == {"data": plain}
    assert await told("results") == {"results": plain}
    assert await told("nested") == {"data": {"data": plain}}
    periods = await told("periods")
    assert periods["status"] == "success"
    assert periods["metadata"] == {"totalUsers": 500}
    assert list(periods["data"]) == ["today", "weekly", "monthly", "all_time"]
    assert periods["data"]["all_time"]["data"] == plain
    assert periods["data"]["monthly"]["data"] == [row for row in plain if row["wagered"]["this_month"]]
    assert (await told("refused"))["success"] is False
    await goated.control(form="text")
    page = await goated.fetch()
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert [json.loads(line) for line in page.body.decode().splitlines()[1:]] == plain


ODD: dict[str, Callable[[Any], bool]] = {
    "null_amount": lambda entry: entry["wagered"]["this_month"] is None,
    "invalid_amount": lambda entry: entry["wagered"]["this_month"] == "invalid",
    "nan_amount": lambda entry: entry["wagered"]["this_month"] == "NaN",
    "text_amount": lambda entry: isinstance(entry["wagered"]["all_time"], str),
    "missing_amount": lambda entry: "this_month" not in entry["wagered"],
    "missing_wagered": lambda entry: "wagered" not in entry,
    "negative_amount": lambda entry: entry["wagered"]["this_month"] < 0,
    "huge_amount": lambda entry: entry["wagered"]["this_month"] == 1e308,
    "missing_uid": lambda entry: "uid" not in entry,
    "null_uid": lambda entry: entry["uid"] is None,
    "number_uid": lambda entry: entry["uid"] == 12_345,
    "long_uid": lambda entry: len(entry["uid"]) == 80,
    "missing_name": lambda entry: "name" not in entry,
    "ugly_name": lambda entry: "\0" in entry["name"] and "\ud83d" in entry["name"],
    "long_name": lambda entry: len(entry["name"]) == 3_000,
    "not_an_object": lambda entry: isinstance(entry, list),
}


@pytest.mark.parametrize("what", ODD)
async def test_an_entry_is_odd_as_it_is_told_to_be_and_all_others_are_not(goated: GoatedSandbox, what: str) -> None:
    plain = await entries(goated)
    await goated.control(odd={what: 2})
    odd = await entries(goated)
    assert len(odd) == len(plain)
    changed = [number for number, entry in enumerate(odd) if entry != plain[number]]
    assert len(changed) == 2
    assert all(ODD[what](odd[number]) for number in changed)
    assert (await goated.books())["odd"] == {plain[number]["uid"]: what for number in changed}


async def test_a_uid_stands_twice_and_the_smaller_amounts_are_the_wrong_ones(goated: GoatedSandbox) -> None:
    plain = await entries(goated)
    await goated.control(odd={"duplicate_uid": 1})
    odd = await entries(goated)
    assert len(odd) == len(plain) + 1
    (uid,) = (await goated.books())["odd"]
    less, right = (entry for entry in odd if entry["uid"] == uid)
    assert right in plain
    assert less["wagered"]["all_time"] * 2 == right["wagered"]["all_time"]


async def test_an_amount_that_is_no_json_is_told_as_others_tell_it(goated: GoatedSandbox) -> None:
    await goated.control(odd={"bare_nan": 1})
    assert b'"this_month":NaN' in (await goated.fetch()).body


async def test_amounts_fall_and_contradict_each_other_by_a_factor(goated: GoatedSandbox) -> None:
    before = await entries(goated)
    await goated.control(factors={"this_month": 0.5, "all_time": 0})
    after = await entries(goated)
    for old, new in zip(before, after, strict=True):
        assert new["wagered"]["this_month"] == old["wagered"]["this_month"] / 2
        assert new["wagered"]["all_time"] == 0
        assert new["wagered"]["this_week"] == old["wagered"]["this_week"]
    assert any(entry["wagered"]["this_month"] > entry["wagered"]["all_time"] for entry in after)


async def test_entries_are_told_to_the_letter_before_all_others(goated: GoatedSandbox) -> None:
    given = b'{"users":1,"entries":[{"uid": "a", "wagered": {"today": 0.10000000000000000000001}}, null, 1e400]}'
    reply = await goated.ask("PUT", "/sandbox/control", json.loads('{"users":1}'))
    assert reply.status == 200
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{goated.port}") as client:
        assert (await client.put("/sandbox/control", content=given)).status_code == 200
    body = (await goated.fetch()).body
    assert body.startswith(
        b'{"success":true,"data":[{"uid": "a", "wagered": {"today": 0.10000000000000000000001}},null,1e400,{"uid"'
    )


@pytest.mark.parametrize(
    "change", [{"unknown": 1}, {"form": "other"}, {"users": -1}, {"zone_offset_h": 15}, {"odd": {"other": 1}}]
)
async def test_what_is_not_known_is_refused_and_changes_nothing(goated: GoatedSandbox, change: dict[str, Any]) -> None:
    before = (await goated.ask("GET", "/sandbox/control")).json()
    assert (await goated.ask("PUT", "/sandbox/control", {"latency_ms": 1, **change})).status == 400
    assert (await goated.ask("GET", "/sandbox/control")).json() == before


@pytest.mark.parametrize("how", [{"to": "yesterday"}, {"to": "2023-12-31T00:00:00Z"}, {"seconds": 10**10}, {"at": 1}])
async def test_the_clock_cannot_be_at_a_time_that_nobody_knows(goated: GoatedSandbox, how: dict[str, Any]) -> None:
    assert (await goated.ask("POST", "/sandbox/advance", how)).status == 400
    assert (await goated.books())["at"] == "2026-04-15T12:00:00Z"


async def test_errors_are_told_as_goated_tells_them_with_the_time_to_come_again(goated: GoatedSandbox) -> None:
    await goated.control(faults=[{"match": "GET /user/*", "status": 429, "retry_after": 7}])
    reply = await goated.fetch()
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert reply.json() == {"success": False, "message": "Too Many Requests"}
    fault = {"match": "GET /user/*", "status": 503, "retry_after": 60, "retry_after_as": "date"}
    await goated.control(faults=[fault])
    at = parsedate_to_datetime((await goated.fetch()).headers["retry-after"])
    assert 55 < at.timestamp() - time.time() < 61
    assert (await goated.fetch()).status == 200


async def test_an_answer_is_a_page_other_json_nothing_half_or_none(goated: GoatedSandbox) -> None:
    whole = (await goated.fetch()).body

    async def spoilt(do: str) -> Any:
        await goated.control(faults=[{"match": "GET /user/*", "do": do}])
        return await goated.fetch()

    assert (await spoilt("html")).body.startswith(b"<!DOCTYPE html>")
    assert "data" not in (await spoilt("junk")).json()
    assert (await spoilt("empty")).body == b""
    assert (await spoilt("truncate")).body == whole[: len(whole) // 2]
    for do in ("half", "drop"):
        with pytest.raises((EOFError, OSError)):
            await spoilt(do)
    assert (await goated.fetch()).body == whole


async def test_the_journal_says_what_was_asked_and_keeps_no_token(goated: GoatedSandbox) -> None:
    etag = (await goated.fetch()).headers["etag"]
    await goated.fetch(If_None_Match=etag)
    await goated.ask("GET", f"{BOARD}/{CODE}")
    token = (await refreshed(goated)).json()["token"]
    await goated.control(faults=[{"match": "*", "do": "drop"}])
    with pytest.raises((EOFError, OSError)):
        await goated.fetch()
    journal = await goated.journal()
    assert journal["total"] == 5
    assert journal["totals"]["POST /auth/refresh"] == {"200": 1}
    told = [(one["status"], one["if_none_match"], one["has_token"]) for one in journal["requests"]]
    assert told == [(200, "", True), (304, etag, True), (401, "", False), (200, "", False), (0, "", True)]
    assert all(secret not in json.dumps(journal) for secret in (TOKEN, REFRESH, token))
