"""Verification in a crowd: whoever asks and decides at the same moment, a user is one person and a person one user."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.settings import Settings
from tests.support.desk import command, open_desk, serving
from tests.support.goated_rows import PEOPLE, add_member, add_person, clear_members, requested, statuses
from workers.service import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, and nobody on the leaderboard."""
    async with open_desk(settings, PEOPLE) as opened:
        await clear_members(opened)
        yield opened


async def test_twenty_requests_at_once_are_one(desk: Desk) -> None:
    ann = await add_person(desk)
    uids = [await add_member(desk) for _ in range(4)]
    async with serving(desk, PEOPLE, count=2) as ask:
        bodies = [{"goatedUid": uids[number % 4]} for number in range(20)]
        asked = [ask(command("request_verification", body, user_id=ann.user_id)) for body in bodies]
        replies = await asyncio.gather(*asked)
    assert sorted(reply.status for reply in replies) == [200] * 4 + [201] + [409] * 15
    made = {msgspec.json.decode(reply.data)["requestId"] for reply in replies if reply.status < 300}
    assert len(made) == 1
    assert await statuses(desk) == ["pending"]


async def test_of_many_who_are_confirmed_as_one_person_at_once_one_is_verified(desk: Desk) -> None:
    boss = await add_person(desk, "ADMIN")
    uid = await add_member(desk)
    people = [await add_person(desk) for _ in range(8)]
    own = [await requested(person, uid) for person in people]
    async with serving(desk, PEOPLE, count=2) as ask:
        bodies = [{"requestId": request_id} for request_id in own]
        asked = [ask(command("confirm_verification", body, user_id=boss.user_id, role="ADMIN")) for body in bodies]
        replies = await asyncio.gather(*asked)
    assert sorted(reply.status for reply in replies) == [200] + [409] * 7
    assert await statuses(desk) == ["pending"] * 7 + ["verified"]


async def test_whoever_asks_while_his_request_is_confirmed_has_one_of_the_two(desk: Desk) -> None:
    ann, boss = await add_person(desk), await add_person(desk, "ADMIN")
    one, other = await add_member(desk), await add_member(desk)
    own = await requested(ann, one)
    async with serving(desk, PEOPLE, count=2) as ask:
        decision = ask(command("confirm_verification", {"requestId": own}, user_id=boss.user_id, role="ADMIN"))
        asked = [ask(command("request_verification", {"goatedUid": other}, user_id=ann.user_id)) for _ in range(10)]
        replies = await asyncio.gather(*asked[:5], decision, *asked[5:])
    assert [reply.status for reply in replies].count(200) == 1
    assert await statuses(desk) == ["verified"]
