"""Verification: one request per user, one user per person, and who may decide until when."""

import datetime
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from contract.bus import BusReply, new_command_id
from contract.settings import Settings
from tests.support.desk import command, deliver, open_desk
from tests.support.goated_rows import (
    PEOPLE,
    Person,
    add_member,
    add_person,
    add_verified,
    clear_members,
    new_uid,
    problem,
    requested,
    statuses,
)
from workers.goated_users import PROFILES
from workers.service import Desk
from workers.verification import LISTED_MAX, confirm_verification

WEEK = datetime.timedelta(days=7)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, driven by hand, and nobody on the leaderboard."""
    async with open_desk(settings, PEOPLE) as opened:
        await clear_members(opened)
        yield opened


@pytest.fixture
async def ann(desk: Desk) -> Person:
    return await add_person(desk)


@pytest.fixture
async def bob(desk: Desk) -> Person:
    return await add_person(desk)


@pytest.fixture
async def boss(desk: Desk) -> Person:
    return await add_person(desk, "ADMIN")


async def decide(boss: Person, request_id: str, approve: bool = True, **more: Any) -> BusReply:
    """Have a request decided."""
    return await boss.ask("confirm_verification", {"requestId": request_id, "approve": approve, **more})


async def status_of(person: Person) -> str:
    return (await person.data("verification_status"))["status"]


async def let_expire(desk: Desk) -> None:
    """Let a week pass for all requests."""
    await desk.pool.execute(
        "UPDATE goated_verifications SET requested_at = requested_at - interval '7 days',"
        " expires_at = expires_at - interval '7 days'"
    )


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


async def test_a_request_stands_for_a_week_and_again_it_is_the_same(desk: Desk, ann: Person) -> None:
    uid = await add_member(desk, "Gareth")
    assert set((await ann.data("verification_status")).values()) == {"none", None}
    first = await ann.data("request_verification", {"goatedUid": uid}, 201)
    assert (first["status"], first["uid"], first["name"]) == ("pending", uid, "Gareth")
    assert at(first["expiresAt"]) - at(first["requestedAt"]) == WEEK
    assert await ann.data("request_verification", {"goatedUid": uid}, 200) == first
    assert await ann.data("request_verification", {"goatedName": "gareth"}, 200) == first
    assert await ann.data("verification_status") == first | {"decidedAt": None, "reason": None}


async def test_a_person_is_named_by_name_where_no_other_has_it(desk: Desk, ann: Person) -> None:
    for name in ("Twin", "twin"):
        await add_member(desk, name)
    uid = await add_member(desk, "100% <b>")
    assert problem(await ann.ask("request_verification", {"goatedName": "twin"}), 409) == "AMBIGUOUS_NAME"
    for nobody in ({"goatedName": "100%"}, {"goatedUid": new_uid()}):
        assert problem(await ann.ask("request_verification", nobody), 404) == "USER_NOT_FOUND"
    assert (await ann.data("request_verification", {"goatedName": "100% <B>"}, 201))["uid"] == uid


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"goatedUid": "a", "goatedName": "b"},
        {"goatedUid": ""},
        {"goatedUid": "a\0"},
        {"goatedName": "a\n"},
        {"goatedUid": "a" * 65},
        {"goatedName": "a" * 201},
    ],
    ids=str,
)
async def test_what_names_nobody_is_refused(desk: Desk, ann: Person, body: dict[str, Any]) -> None:
    assert problem(await ann.ask("request_verification", body), 400) == "BAD_REQUEST"


async def test_who_waits_to_be_one_person_asks_to_be_no_other(desk: Desk, ann: Person) -> None:
    one, other = await add_member(desk), await add_member(desk)
    await requested(ann, one)
    assert problem(await ann.ask("request_verification", {"goatedUid": other}), 409) == "VERIFICATION_PENDING"
    assert await statuses(desk) == ["pending"]


async def test_who_is_verified_asks_no_more_and_nobody_else_asks_to_be_him(
    desk: Desk, ann: Person, bob: Person
) -> None:
    one, other = await add_member(desk), await add_member(desk)
    await add_verified(desk, ann.user_id, one)
    for uid in (one, other):
        assert problem(await ann.ask("request_verification", {"goatedUid": uid}), 409) == "ALREADY_VERIFIED"
    assert problem(await bob.ask("request_verification", {"goatedUid": one}), 409) == "TAKEN"
    await requested(bob, other)


async def test_a_user_who_is_no_more_asks_for_nothing(desk: Desk) -> None:
    gone = Person(desk, new_command_id())
    reply = await gone.ask("request_verification", {"goatedUid": await add_member(desk)})
    assert problem(reply, 401) == "UNAUTHORIZED"


async def test_an_administrator_confirms_and_again_says_the_same(desk: Desk, ann: Person, boss: Person) -> None:
    uid = await add_member(desk, "Gareth")
    own = await requested(ann, uid)
    reply = await decide(boss, own)
    assert msgspec.json.decode(reply.data) == {
        "requestId": own,
        "status": "verified",
        "userId": ann.user_id,
        "uid": uid,
    }
    row = await desk.pool.fetchrow("SELECT * FROM goated_verifications")
    assert (row["decided_by"], row["reason"]) == (boss.user_id, None)
    again = await decide(boss, own)
    assert (again.status, bytes(again.data)) == (200, bytes(reply.data))
    assert await desk.pool.fetchrow("SELECT * FROM goated_verifications") == row
    assert problem(await decide(boss, own, approve=False), 409) == "VERIFICATION_DECIDED"
    told = await ann.data("verification_status")
    assert (told["status"], told["uid"]) == ("verified", uid)
    assert row["decided_at"] - at(told["decidedAt"]) < datetime.timedelta(milliseconds=1)


async def test_an_administrator_rejects_with_a_reason_and_the_user_may_ask_again(
    desk: Desk, ann: Person, boss: Person
) -> None:
    own = await requested(ann, await add_member(desk))
    assert (await decide(boss, own, approve=False, reason="No <b>proof</b>.")).status == 200
    told = await ann.data("verification_status")
    assert (told["status"], told["reason"]) == ("rejected", "No <b>proof</b>.")
    assert (await decide(boss, own, approve=False)).status == 200
    assert problem(await decide(boss, own), 409) == "VERIFICATION_DECIDED"
    assert await requested(ann, await add_member(desk)) != own
    assert await status_of(ann) == "pending"


async def test_the_operator_decides_too_and_is_named_so(desk: Desk, ann: Person) -> None:
    own = await requested(ann, await add_member(desk))
    assert (await decide(Person(desk, "", "ADMIN"), own)).status == 200
    assert await desk.pool.fetchval("SELECT decided_by FROM goated_verifications") == "operator"


async def test_only_administrators_decide_and_see_who_has_asked(desk: Desk, ann: Person) -> None:
    own = await requested(ann, await add_member(desk))
    assert problem(await decide(ann, own), 403) == "FORBIDDEN"
    assert problem(await ann.ask("list_verifications"), 403) == "FORBIDDEN"
    assert await statuses(desk) == ["pending"]


@pytest.mark.parametrize(
    "own",
    [new_command_id(), "x" * 36, "00000000-0000-0000-0000-000000000000"],
    ids=["unknown", "nonsense", "zeros"],
)
async def test_a_request_that_nobody_has_made_is_not_found(boss: Person, own: str) -> None:
    assert problem(await decide(boss, own), 404) == "VERIFICATION_NOT_FOUND"


async def test_what_nobody_has_decided_in_time_has_expired_and_is_asked_anew(
    desk: Desk, ann: Person, boss: Person
) -> None:
    one, other = await add_member(desk), await add_member(desk)
    own = await requested(ann, one)
    await let_expire(desk)
    # By the clock, before anybody has written it down.
    assert (await statuses(desk), await status_of(ann)) == (["pending"], "expired")
    assert (await boss.data("list_verifications")) == {"requests": [], "total": 0}
    for approve in (True, False):
        assert problem(await decide(boss, own, approve), 409) == "VERIFICATION_EXPIRED"
    assert await requested(ann, other) != own
    assert await statuses(desk) == ["expired", "pending"]
    assert (await ann.data("verification_status"))["uid"] == other
    assert problem(await decide(boss, own), 409) == "VERIFICATION_EXPIRED"


async def test_administrators_see_what_waits_the_oldest_first_and_how_much(desk: Desk, boss: Person) -> None:
    own: list[str] = []
    for name in ("one", "two", "three"):
        person = await add_person(desk)
        own.append(await requested(person, await add_member(desk, name)))
    await decide(boss, own[1])
    told = await boss.data("list_verifications")
    assert [(row["requestId"], row["name"]) for row in told["requests"]] == [(own[0], "one"), (own[2], "three")]
    assert (told["total"], set(told["requests"][0])) == (
        2,
        {"requestId", "status", "uid", "name", "requestedAt", "expiresAt", "userId"},
    )


async def test_a_list_ends_somewhere_and_tells_how_many_there_are(desk: Desk, boss: Person) -> None:
    uid = await add_member(desk)
    await desk.pool.execute(
        "WITH many AS (INSERT INTO users (id, email, password_hash, nickname) SELECT gen_random_uuid(), "
        "gen_random_uuid() || '@shop.example', 'none', 'Buyer' FROM generate_series(1, $2) RETURNING id) "
        "INSERT INTO goated_verifications (id, user_id, uid, expires_at) "
        "SELECT gen_random_uuid(), id, $1, now() + interval '1 day' FROM many",
        uid,
        LISTED_MAX + 5,
    )
    told = await boss.data("list_verifications")
    assert (len(told["requests"]), told["total"]) == (LISTED_MAX, LISTED_MAX + 5)


async def test_of_two_users_who_want_to_be_one_person_the_second_is_not_verified(
    desk: Desk, ann: Person, bob: Person, boss: Person
) -> None:
    uid = await add_member(desk)
    of_ann, of_bob = await requested(ann, uid), await requested(bob, uid)
    assert (await decide(boss, of_bob)).status == 200
    assert problem(await decide(boss, of_ann), 409) == "TAKEN"
    assert (await status_of(ann), await status_of(bob)) == ("pending", "verified")
    assert (await decide(boss, of_ann, approve=False)).status == 200


@pytest.mark.parametrize("kind", ["request_verification", "confirm_verification"])
async def test_a_command_that_comes_twice_is_done_once(desk: Desk, ann: Person, boss: Person, kind: str) -> None:
    uid = await add_member(desk)
    body = {"goatedUid": uid}
    if kind == "confirm_verification":
        body = {"requestId": await requested(ann, uid)}
    own = command(kind, body, user_id=boss.user_id, role="ADMIN")
    first = await deliver(desk, PEOPLE, own)
    assert first.status in (200, 201)
    before = await desk.pool.fetch("SELECT * FROM goated_verifications")
    assert await deliver(desk, PEOPLE, own) == first
    assert await desk.pool.fetch("SELECT * FROM goated_verifications") == before


async def test_a_decision_makes_the_profiles_in_the_caches_stale(desk: Desk, ann: Person, boss: Person) -> None:
    own = await requested(ann, await add_member(desk))
    ending: Any = await confirm_verification(
        desk, command("confirm_verification", {"requestId": own}, user_id=boss.user_id, role="ADMIN")
    )
    assert ending.stale == (PROFILES,)
