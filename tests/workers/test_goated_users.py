"""People: what a profile shows and never tells, where somebody stands, and who changes whom."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contract.goated import BATCH_MAX
from contract.settings import Settings
from tests.support.desk import handled, open_desk
from tests.support.goated_rows import (
    PEOPLE,
    Person,
    add_member,
    add_person,
    add_verified,
    clear_members,
    new_uid,
    problem,
)
from workers.service import Desk

FACELESS = {"id": None, "nickname": None, "avatar": None, "isVerified": False}


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand, and nobody on the leaderboard."""
    async with open_desk(settings, PEOPLE) as opened:
        await clear_members(opened)
        yield opened


@pytest.fixture
async def ann(desk: Desk) -> Person:
    return await add_person(desk)


async def read(desk: Desk, kind: str, own: str) -> Any:
    """What is told of one person."""
    reply = await handled(desk, PEOPLE, kind, {"id": own})
    assert reply.status == 200, reply
    return msgspec.json.decode(reply.data)


async def search(desk: Desk, q: str) -> list[Any]:
    """The profiles that a search finds."""
    reply = await handled(desk, PEOPLE, "search_users", {"q": q})
    return msgspec.json.decode(reply.data)["results"]


async def test_a_member_whom_nobody_here_is_has_a_name_and_no_face(desk: Desk) -> None:
    uid = await add_member(desk, "Gareth")
    shown = await read(desk, "read_user", uid)
    assert shown.pop("memberSince")
    assert shown == FACELESS | {"uid": uid, "name": "Gareth"}


async def test_a_user_who_is_verified_is_one_person_by_either_id_and_in_a_search(desk: Desk, ann: Person) -> None:
    uid = await add_member(desk, "Gareth")
    await ann.data("patch_user", {"id": ann.user_id, "change": {"nickname": "Annie", "avatar": "https://a.example/a"}})
    unverified = await read(desk, "read_user", ann.user_id)
    assert (unverified["uid"], unverified["name"], unverified["isVerified"]) == (None, None, False)
    await add_verified(desk, ann.user_id, uid)
    shown = await read(desk, "read_user", ann.user_id)
    assert shown == {
        "id": ann.user_id,
        "uid": uid,
        "name": "Gareth",
        "nickname": "Annie",
        "avatar": "https://a.example/a",
        "isVerified": True,
        "memberSince": unverified["memberSince"],
    }
    assert await read(desk, "read_user", uid) == shown
    assert await search(desk, "gareth") == await search(desk, "ga") == [shown]


async def test_who_has_only_asked_to_be_somebody_is_nobody_yet(desk: Desk, ann: Person) -> None:
    uid = await add_member(desk)
    await ann.data("request_verification", {"goatedUid": uid}, 201)
    assert (await read(desk, "read_user", uid))["id"] is None
    assert (await read(desk, "read_user", ann.user_id))["uid"] is None


@pytest.mark.parametrize("nickname", ["{0}", " {0}@Shop.example ", "mail {0}@shop.example"])
async def test_no_profile_tells_an_address_nor_what_it_begins_with(desk: Desk, ann: Person, nickname: str) -> None:
    local = f"ann.{secrets.token_hex(4)}"
    own = (ann.user_id, f"{local}@shop.example", nickname.format(local.capitalize()))
    await desk.pool.execute("UPDATE users SET email = $2, nickname = $3 WHERE id = $1", *own)
    uid = await add_member(desk, "Gareth")
    await add_verified(desk, ann.user_id, uid)
    told = [await read(desk, "read_user", one) for one in (ann.user_id, uid)] + await search(desk, "gareth")
    assert [user["nickname"] for user in told] == [None] * 3
    assert local not in str(told).lower()
    reply = await ann.ask("patch_user", {"id": ann.user_id, "change": {"nickname": own[2]}})
    assert problem(reply, 400) == "INVALID_NAME"


@pytest.mark.parametrize("kind", ["read_user", "read_user_stats"])
async def test_whom_nobody_knows_is_not_found(desk: Desk, kind: str) -> None:
    assert problem(await handled(desk, PEOPLE, kind, {"id": new_uid()}), 404) == "USER_NOT_FOUND"


async def test_several_people_come_in_the_order_of_their_ids_each_once(desk: Desk, ann: Person) -> None:
    one, two, nobody = await add_member(desk, "one"), await add_member(desk, "two"), new_uid()
    ids = [two, nobody, ann.user_id, one, two]
    reply = await handled(desk, PEOPLE, "batch_users", {"ids": ids})
    told = msgspec.json.decode(reply.data)
    assert [user["uid"] or user["id"] for user in told["users"]] == [two, ann.user_id, one]
    assert told["missing"] == [nobody]
    for wrong in ([], ["a"] * (BATCH_MAX + 1), [""], ["a\0"]):
        assert problem(await handled(desk, PEOPLE, "batch_users", {"ids": wrong}), 400) == "BAD_REQUEST"


async def test_figures_are_exact_and_positions_are_those_of_each_period(desk: Desk) -> None:
    own = {"today": "0", "this_week": "5.10", "this_month": "74200.67073880868", "all_time": "454930.80190704373"}
    await add_member(desk, uid="b", name="b", **own)
    await add_member(desk, uid="a", name="a", this_week="9", this_month="74200.67073880867")
    await add_member(desk, uid="c", name="c", all_time="454930.80190704374")
    reply = await handled(desk, PEOPLE, "read_user_stats", {"id": "b"})
    assert b'"this_month":74200.67073880868,"all_time":454930.80190704373' in bytes(reply.data)
    told = msgspec.json.decode(reply.data)
    # Of equal amounts the lesser uid stands first.
    assert told["positions"] == {"today": 2, "weekly": 2, "monthly": 1, "all_time": 2}
    assert (told["uid"], told["name"], told["race"], told["lastUpdated"], told["stale"]) == ("b", "b", None, None, True)


amounts = st.sampled_from(["0", "1", "1.00", "2", "2.00000000000001"])


@pytest.mark.slow
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("aAbBzé09-_"), st.tuples(*[amounts] * 4), min_size=1))
async def test_everybody_on_the_leaderboard_has_a_position_of_his_own(desk: Desk, board: dict[str, Any]) -> None:
    await clear_members(desk)
    for uid, (today, week, month, ever) in board.items():
        await add_member(desk, uid, uid, today=today, this_week=week, this_month=month, all_time=ever)
    told = {uid: (await read(desk, "read_user_stats", uid))["positions"] for uid in board}
    for place, period in enumerate(("today", "weekly", "monthly", "all_time")):
        order = sorted(board, key=lambda uid: (-float(board[uid][place]), uid.encode()))
        assert [told[uid][period] for uid in order] == list(range(1, len(board) + 1)), period


async def test_who_has_left_the_leaderboard_has_no_figures_and_stands_nowhere(desk: Desk) -> None:
    await add_race(desk)
    uid = await add_member(desk, this_month="5")
    await desk.pool.execute("DELETE FROM goated_wagers WHERE uid = $1", uid)
    await desk.pool.execute("UPDATE goated_members SET gone_at = now() WHERE uid = $1", uid)
    told = await read(desk, "read_user_stats", uid)
    assert set(told["wagered"].values()) == set(told["positions"].values()) == {None}
    assert told["race"] is None
    assert (await read(desk, "read_user", uid))["uid"] == uid


async def add_race(desk: Desk, status: str = "live") -> None:
    """A race of 100.01, of which the first three have something."""
    await desk.pool.execute(
        "INSERT INTO goated_races (id, starts_at, ends_at, prize_pool, shares, status)"
        " VALUES ('202504', '2025-04-01Z', '2025-05-01Z', 100.01, '{0.5,0.3,0.2}', $1)",
        status,
    )


@pytest.mark.parametrize("status", ["live", "transition"])
async def test_the_race_that_is_open_tells_position_and_prize(desk: Desk, status: str) -> None:
    await add_race(desk, status)
    for uid, month in zip("abcde", ("9", "8.5", "0", "0", "0"), strict=True):
        await add_member(desk, uid, uid, this_month=month)
    told = {uid: (await read(desk, "read_user_stats", uid))["race"] for uid in "abcde"}
    # What cents leave of the pool goes to the first; who has wagered nothing wins nothing.
    assert told["a"] == {"id": "202504", "position": 1, "wagered": 9, "prize": 50.01}
    assert told["b"] == {"id": "202504", "position": 2, "wagered": 8.5, "prize": 30}
    assert [told[uid]["prize"] for uid in "cde"] == [0, 0, 0]
    assert [told[uid]["position"] for uid in "cde"] == [3, 4, 5]


async def test_a_user_of_ours_has_the_figures_of_whom_he_is_verified_as(desk: Desk, ann: Person) -> None:
    assert problem(await ann.ask("read_user_stats", {"id": ann.user_id}), 404) == "USER_NOT_FOUND"
    uid = await add_member(desk, this_month="5")
    await add_verified(desk, ann.user_id, uid)
    told = await read(desk, "read_user_stats", ann.user_id)
    assert told == await read(desk, "read_user_stats", uid)
    assert (told["uid"], told["wagered"]["this_month"]) == (uid, 5)


@pytest.mark.parametrize(("age", "is_stale"), [("10 minutes", False), ("12 minutes", True)])
async def test_figures_of_a_leaderboard_that_was_not_fetched_twice_are_stale(
    desk: Desk, age: str, is_stale: bool
) -> None:
    uid = await add_member(desk)
    await desk.pool.execute(f"UPDATE goated_board SET fetched_at = now() - interval '{age}'")
    told = await read(desk, "read_user_stats", uid)
    assert (told["stale"], told["lastUpdated"] is None) == (is_stale, False)


async def test_a_user_changes_what_he_sends_and_nothing_else(desk: Desk, ann: Person) -> None:
    whole = {"nickname": " Annie ", "firstName": "Ann", "lastName": "Smith", "avatar": "http://a.example/a?b#c"}
    shown = await ann.data("patch_user", {"id": ann.user_id, "change": whole})
    assert (shown["nickname"], shown["avatar"]) == ("Annie", "http://a.example/a?b#c")
    assert not {"firstName", "lastName", "email"} & set(shown)
    assert await ann.data("patch_user", {"id": ann.user_id, "change": {}}) == shown
    await ann.data("patch_user", {"id": ann.user_id, "change": {"firstName": None, "avatar": None}})
    row = await desk.pool.fetchrow("SELECT * FROM users WHERE id = $1", ann.user_id)
    kept = (row["nickname"], row["first_name"], row["last_name"], row["avatar"])
    assert kept == ("Annie", None, "Smith", None)


BAD_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"nickname": "  "}, "INVALID_NAME"),
    ({"nickname": "a\nb"}, "INVALID_NAME"),
    ({"nickname": "a\x85b"}, "INVALID_NAME"),
    ({"firstName": "\0"}, "INVALID_NAME"),
    ({"lastName": "a\u2028b"}, "INVALID_NAME"),
    ({"nickname": None}, "BAD_REQUEST"),
    ({"nickname": ""}, "BAD_REQUEST"),
    ({"nickname": "a" * 65}, "BAD_REQUEST"),
    ({"role": "ADMIN"}, "BAD_REQUEST"),
    ({"avatar": "a" * 513}, "BAD_REQUEST"),
    *[
        ({"avatar": avatar}, "INVALID_AVATAR")
        for avatar in (
            "javascript:alert(1)",
            "/ann.png",
            "//a.example/ann.png",
            "https://",
            "https:///ann.png",
            "https://user:pw@a.example/",
            "https://a.example/an n.png",
            "https://a.example/\n",
            "https://[a.example/",
            "data:image/png;base64,AAAA",
        )
    ],
]


@pytest.mark.parametrize(("change", "code"), BAD_CHANGES, ids=str)
async def test_what_no_profile_can_be_is_refused_and_nothing_is_changed(
    desk: Desk, ann: Person, change: dict[str, Any], code: str
) -> None:
    before = await desk.pool.fetchrow("SELECT * FROM users WHERE id = $1", ann.user_id)
    body = {"id": ann.user_id, "change": {"firstName": "Eve"} | change}
    assert problem(await ann.ask("patch_user", body), 400) == code
    assert await desk.pool.fetchrow("SELECT * FROM users WHERE id = $1", ann.user_id) == before


async def test_only_oneself_or_an_administrator_changes_a_profile(desk: Desk, ann: Person) -> None:
    eve, boss, uid = await add_person(desk), await add_person(desk, "ADMIN"), await add_member(desk)
    change = {"nickname": f"nick {secrets.token_hex(4)}"}
    for own in (ann.user_id, uid, new_uid()):
        assert problem(await eve.ask("patch_user", {"id": own, "change": change}), 403) == "FORBIDDEN"
    assert problem(await Person(desk, "").ask("patch_user", {"id": uid, "change": change}), 403) == "FORBIDDEN"
    for own in (uid, new_uid()):
        assert problem(await boss.ask("patch_user", {"id": own, "change": change}), 404) == "USER_NOT_FOUND"
    assert (await boss.data("patch_user", {"id": ann.user_id, "change": change}))["nickname"] == change["nickname"]
    await add_verified(desk, ann.user_id, uid)
    # By the uid she is herself too.
    assert (await ann.data("patch_user", {"id": uid, "change": {"nickname": "Ann II"}}))["nickname"] == "Ann II"
