"""People through HTTP: searches, profiles, figures and batches for everybody, and changes by whom they belong to."""

import secrets
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lua
from contract.bus import encode
from tests.support.cache import fill, indexed
from tests.support.goated_rows import add_member, add_verified, new_uid
from tests.support.http import Response, get, request, send
from tests.support.people_shop import ADMIN_KEY
from tests.support.refusals import code
from tests.support.shop import Shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
SIGNS = ("<b>", "100%", "a\\b", "'; --", "\u05d3\u05e0\u05d9", "\u202eevil", "👑 k", "a&b=c")
PUBLIC = "public, max-age=10, stale-while-revalidate="


def rare() -> str:
    """A name that nobody else has."""
    return f"name {secrets.token_hex(6)}"


async def search(shop: Shop, **wanted: Any) -> Response:
    return await get(shop.settings.port, f"/api/users/search?{urlencode(wanted)}")


async def profile(shop: Shop, own: str) -> Any:
    answer = await get(shop.settings.port, f"/api/users/{quote(own, safe='')}")
    assert answer.status == 200, answer
    return answer.json()["data"]


async def test_a_search_is_a_list_with_pages_that_anybody_may_keep_for_seconds(people_shop: Shop) -> None:
    name = rare()
    uids = sorted([await add_member(people_shop.desk, name) for _ in range(3)])
    answer = await search(people_shop, q=name[3:].upper(), limit=2, page=2, utm_source="mail")
    assert answer.status == 200
    assert list(answer.json()) == ["results", "pagination"]
    assert answer.json()["pagination"] == {"page": 2, "limit": 2, "total": 3, "pages": 2}
    [shown] = answer.json()["results"]
    assert shown.pop("memberSince").endswith("Z")
    nobody = {"id": None, "nickname": None, "avatar": None, "isVerified": False}
    assert shown == nobody | {"uid": uids[2], "name": name}
    assert answer.headers["cache-control"] == f"{PUBLIC}30"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "q has 1 to 64 characters, and no control characters."),
        ("q=", "q has 1 to 64 characters, and no control characters."),
        ("q=a%00b", "q has 1 to 64 characters, and no control characters."),
        ("q=" + "a" * 65, "q has 1 to 64 characters, and no control characters."),
        ("q=a&page=0", "page is a whole number from 1 to 10000."),
        ("q=a&page=x", "page is a whole number from 1 to 10000."),
        ("q=a&limit=101", "limit is a whole number from 1 to 100."),
        ("q=a&limit=", "limit is a whole number from 1 to 100."),
        ("q=a&page=101&limit=100", "A search is paged to 10000 people at most; narrow it."),
        ("q=a&q=b", "Send the parameter q once."),
    ],
)
async def test_a_search_that_does_not_fit_is_refused_with_a_sentence(
    people_shop: Shop, query: str, sentence: str
) -> None:
    answer = await get(people_shop.settings.port, f"/api/users/search?{query}")
    assert code(answer, 400) == "BAD_REQUEST"
    assert answer.json()["error"]["message"] == sentence
    assert answer.json()["error"]["details"] == {"retryable": False, "suggestedAction": "correct_request"}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(q=st.text(st.characters(exclude_categories=["Cs"]), max_size=70))
async def test_whatever_is_searched_for_is_found_or_refused(people_shop: Shop, q: str) -> None:
    answer = await search(people_shop, q=q)
    is_sound = 1 <= len(q) <= 64 and not any(ord(sign) < 32 or ord(sign) == 127 for sign in q)
    assert answer.status == (200 if is_sound else 400), answer


@pytest.mark.parametrize("sign", SIGNS)
async def test_every_sign_is_searched_for_as_itself(people_shop: Shop, sign: str) -> None:
    name = rare()
    await add_member(people_shop.desk, f"{sign} {name}")
    await add_member(people_shop.desk, f"other {name}")
    answer = await search(people_shop, q=f"{sign} {name}")
    assert [user["name"] for user in answer.json()["results"]] == [f"{sign} {name}"]


async def test_a_profile_is_read_by_either_id_and_never_tells_an_address(people_shop: Shop) -> None:
    ann, uid = await people_shop.shopper(), await add_member(people_shop.desk, "Gareth")
    before = await get(people_shop.settings.port, f"/api/users/{uid}")
    assert before.headers["cache-control"] == f"{PUBLIC}300"
    assert before.json()["data"]["isVerified"] is False
    await add_verified(people_shop.desk, ann.user_id, uid)
    shown = await profile(people_shop, ann.user_id)
    assert set(shown) == {"id", "uid", "name", "nickname", "avatar", "isVerified", "memberSince"}
    assert (shown["id"], shown["uid"], shown["name"], shown["isVerified"]) == (ann.user_id, uid, "Gareth", True)


@pytest.mark.parametrize("rest", ["", "/stats"])
@pytest.mark.parametrize("own", ["nobody", "a" * 129, "%25", "%F0%9F%91%91", "%3Cb%3E", ".."])
async def test_whom_nobody_knows_is_not_found_and_nobody_keeps_that(people_shop: Shop, own: str, rest: str) -> None:
    answer = await get(people_shop.settings.port, f"/api/users/{own}{rest}")
    assert code(answer, 404) == "USER_NOT_FOUND"
    assert answer.headers["cache-control"] == "no-store"


async def test_figures_have_all_of_their_digits_and_say_how_old_they_are(people_shop: Shop) -> None:
    uid = await add_member(people_shop.desk, this_month="74200.67073880868", all_time="454930.80190704373")
    path = f"/api/users/{uid}/stats"
    await people_shop.desk.pool.execute("UPDATE goated_board SET fetched_at = now() - interval '10 minutes 50 seconds'")
    answer = await get(people_shop.settings.port, path)
    assert b'"this_month":74200.67073880868,"all_time":454930.80190704373' in answer.body
    told = answer.json()["data"]
    assert set(told) == {"uid", "name", "wagered", "positions", "race", "lastUpdated", "stale"}
    assert set(told["positions"]) == {"today", "weekly", "monthly", "all_time"}
    assert (told["stale"], told["lastUpdated"][-5:-4], told["lastUpdated"][-1]) == (False, ".", "Z")


async def test_figures_that_have_grown_old_in_the_cache_are_told_as_stale(people_shop: Shop) -> None:
    redis, path = people_shop.desk.redis, f"/api/users/{await add_member(people_shop.desk)}/stats"
    await people_shop.desk.pool.execute("UPDATE goated_board SET fetched_at = now()")
    others = await indexed(redis, "user")
    told = (await get(people_shop.settings.port, path)).json()["data"]
    assert told["stale"] is False
    [name] = set(await indexed(redis, "user")) - set(others)
    await lua.invalidate(redis, [name])
    await fill(redis, name, encode(told | {"lastUpdated": "2026-01-01T00:00:00.000Z"}))
    assert (await get(people_shop.settings.port, path)).json()["data"]["stale"] is True


async def test_several_people_come_in_one_answer(people_shop: Shop) -> None:
    one, two, nobody = await add_member(people_shop.desk), await add_member(people_shop.desk), new_uid()
    answer = await get(people_shop.settings.port, f"/api/users/batch?ids={two},%20{nobody},,{one},{two}")
    data = answer.json()["data"]
    assert ([user["uid"] for user in data["users"]], data["missing"]) == ([two, one], [nobody])


TOO_MANY = ",".join(str(number) for number in range(101))


@pytest.mark.parametrize(
    "query", ["", "ids=", "ids=,%20,", f"ids={'a' * 129}", "ids=a%00", f"ids={TOO_MANY}"], ids=lambda query: query[:9]
)
async def test_a_batch_of_none_or_too_many_is_refused_with_a_sentence(people_shop: Shop, query: str) -> None:
    answer = await get(people_shop.settings.port, f"/api/users/batch?{query}")
    assert code(answer, 400) == "BAD_REQUEST"
    message = "ids are 1 to 100 ids of 1 to 128 characters each, with commas between them."
    assert answer.json()["error"]["message"] == message


async def test_what_a_user_changes_is_read_at_once_wherever_it_was_cached(people_shop: Shop) -> None:
    ann, name = await people_shop.shopper(), rare()
    uid = await add_member(people_shop.desk, name)
    await add_verified(people_shop.desk, ann.user_id, uid)

    async def nicknames() -> set[str]:
        found = (await search(people_shop, q=name)).json()["results"]
        batch = await get(people_shop.settings.port, f"/api/users/batch?ids={uid}")
        everywhere = [*found, *batch.json()["data"]["users"], await profile(people_shop, ann.user_id)]
        return {user["nickname"] for user in [*everywhere, await profile(people_shop, uid)]}

    assert await nicknames() == {"Buyer"}
    for nickname in ("Annie", "<b>Ann</b> 👑"):
        change = {"nickname": nickname, "avatar": "https://images.example/ann.png"}
        answer = await ann.send("PATCH", f"/api/users/{ann.user_id}", change)
        assert (answer.status, answer.json()["data"]["nickname"]) == (200, nickname)
        assert answer.headers["cache-control"] == "no-store"
        assert await nicknames() == {nickname}


async def test_nobody_changes_somebody_else_but_administrators_and_the_operator(people_shop: Shop) -> None:
    ann, eve, boss = [await people_shop.shopper(role=role) for role in ("USER", "USER", "ADMIN")]
    path, change = f"/api/users/{ann.user_id}", {"nickname": "Annie"}
    assert code(await people_shop.guest().send("PATCH", path, change), 401) == "UNAUTHORIZED"
    assert code(await eve.send("PATCH", path, change), 403) == "FORBIDDEN"
    assert (await profile(people_shop, ann.user_id))["nickname"] == "Buyer"
    assert (await boss.send("PATCH", path, change)).status == 200
    own = request("PATCH", path, b'{"nickname":"Ann"}', Content_Type="application/json", X_Admin_Key=ADMIN_KEY)
    assert (await send(people_shop.settings.port, own)).status == 200
    assert (await profile(people_shop, ann.user_id))["nickname"] == "Ann"
    assert code(await boss.send("PATCH", "/api/users/nobody", change), 404) == "USER_NOT_FOUND"
    uid = await add_member(people_shop.desk)
    assert code(await boss.send("PATCH", f"/api/users/{uid}", change), 404) == "USER_NOT_FOUND"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"nickname": "a\nb"}, "INVALID_NAME"),
        ({"avatar": "javascript:alert(1)"}, "INVALID_AVATAR"),
        ({"role": "ADMIN"}, "BAD_REQUEST"),
        ({"nickname": 7}, "BAD_REQUEST"),
        ([], "BAD_REQUEST"),
    ],
    ids=str,
)
async def test_what_no_profile_can_be_is_refused_with_a_sentence(people_shop: Shop, change: Any, expected: str) -> None:
    ann = await people_shop.shopper()
    assert code(await ann.send("PATCH", f"/api/users/{ann.user_id}", change), 400) == expected
