"""Verification in a crowd: whoever asks and decides at the same moment, a user is one person and a person one user."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.bus import BusCommand, BusReply
from contract.settings import Settings
from tests.support.desk import command, open_desk, serving
from tests.support.goated_rows import PEOPLE, add_member, add_person, clear_members, requested, statuses
from tests.support.waiting import becomes
from workers.service import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The worker, and nobody on the leaderboard."""
    async with open_desk(settings, PEOPLE) as opened:
        await clear_members(opened)
        yield opened


async def at_once(desk: Desk, *commands: BusCommand) -> list[BusReply]:
    """The replies to commands that go off together: all of them are held up until each waits at the table."""
    holding = "LOCK TABLE goated_verifications IN EXCLUSIVE MODE"
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'goated_verifications'::regclass AND NOT granted"

    async def all_wait() -> bool:
        return await desk.pool.fetchval(waiting) == len(commands)

    async with serving(desk, PEOPLE, count=2) as ask:
        async with desk.pool.acquire() as connection, connection.transaction():
            await connection.execute(holding)
            asked = [asyncio.ensure_future(ask(own)) for own in commands]
            await becomes(all_wait, "all wait at the table")
        return await asyncio.gather(*asked)


async def test_twenty_requests_at_once_are_one(desk: Desk) -> None:
    ann = await add_person(desk)
    bodies = [{"goatedUid": uid} for uid in [await add_member(desk) for _ in range(4)]] * 5
    replies = await at_once(desk, *[command("request_verification", body, user_id=ann.user_id) for body in bodies])
    assert sorted(reply.status for reply in replies) == [200] * 4 + [201] + [409] * 15
    made = {msgspec.json.decode(reply.data)["requestId"] for reply in replies if reply.status < 300}
    assert len(made) == 1
    assert await statuses(desk) == ["pending"]


async def test_of_many_who_are_confirmed_as_one_person_at_once_one_is_verified(desk: Desk) -> None:
    uid = await add_member(desk)
    own = [await requested(await add_person(desk), uid) for _ in range(8)]
    replies = await at_once(desk, *[confirmation(request_id) for request_id in own])
    assert sorted(reply.status for reply in replies) == [200] + [409] * 7
    assert await statuses(desk) == ["pending"] * 7 + ["verified"]


async def test_who_asks_to_be_another_while_he_is_confirmed_has_no_second_request(desk: Desk) -> None:
    ann = await add_person(desk)
    own, other = await requested(ann, await add_member(desk)), {"goatedUid": await add_member(desk)}
    asked = [command("request_verification", other, user_id=ann.user_id) for _ in range(10)]
    replies = await at_once(desk, *asked[:5], confirmation(own), *asked[5:])
    assert sorted(reply.status for reply in replies) == [200] + [409] * 10
    assert await statuses(desk) == ["verified"]


def confirmation(request_id: str) -> BusCommand:
    """An operator's yes."""
    return command("confirm_verification", {"requestId": request_id}, role="ADMIN")
