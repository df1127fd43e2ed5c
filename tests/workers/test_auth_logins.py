"""Logins: one chain of refresh tokens each, and its end when a token is in two hands."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contract.access_tokens import read_access_token
from contract.bus import BusReply
from contract.settings import Settings
from sql import load_queries
from tests.support.desk import handled, open_desk, serving
from tests.support.people import PASSWORD, Answer, ask, opened, registered, sealed
from workers.auth import AUTH
from workers.logins import REPEAT_WITHIN_S
from workers.service import Desk


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """The auth worker, driven by hand."""
    async with open_desk(settings, AUTH) as opened_desk:
        yield opened_desk


def login_of(desk: Desk, data: dict[str, Any]) -> str:
    """The id of the login that tokens belong to."""
    return read_access_token(desk.tools.keys.public, data["token"]).sid


async def renewed(desk: Desk, data: dict[str, Any]) -> Answer:
    """Use the refresh token of an answer."""
    return await ask(desk, "refresh", refreshToken=data["refreshToken"])


async def is_good(desk: Desk, data: dict[str, Any]) -> bool:
    """Whether the login of an answer is good still."""
    seen = await handled(desk, AUTH, "me", {"sid": login_of(desk, data)}, user_id=data["user"]["id"])
    return seen.status == 200


async def let_pass(desk: Desk, data: dict[str, Any], seconds: float) -> None:
    """Make everything that happened in a login as old as this."""
    query = "UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => $2) WHERE login_id = $1"
    await desk.pool.execute(query, UUID(login_of(desk, data)), seconds)


async def unused(desk: Desk, data: dict[str, Any]) -> int:
    """How many tokens of a login could still be used."""
    query = "SELECT count(*) FROM refresh_tokens WHERE login_id = $1 AND used_at IS NULL"
    return await desk.pool.fetchval(query, UUID(login_of(desk, data)))


async def test_a_refresh_token_gives_new_tokens_of_the_same_login(desk: Desk) -> None:
    first = await registered(desk)
    second = await renewed(desk, first)
    third = await renewed(desk, second.data)
    assert (second.status, third.status) == (200, 200)
    assert {login_of(desk, data) for data in (first, second.data, third.data)} == {login_of(desk, first)}
    for name in ("token", "refreshToken"):
        assert len({data[name] for data in (first, second.data, third.data)}) == 3
    assert second.data["user"] == first["user"]


async def test_who_lost_the_answer_gets_the_same_refresh_token_again(desk: Desk) -> None:
    first = await registered(desk)
    second = await renewed(desk, first)
    await let_pass(desk, first, REPEAT_WITHIN_S - 2)
    again = await renewed(desk, first)
    assert (again.status, again.data["refreshToken"]) == (200, second.data["refreshToken"])
    assert await unused(desk, first) == 1
    assert (await renewed(desk, again.data)).status == 200


async def test_a_used_token_that_comes_late_ends_the_login(desk: Desk) -> None:
    first = await registered(desk)
    second = await renewed(desk, first)
    await let_pass(desk, first, REPEAT_WITHIN_S + 1)
    assert ((await renewed(desk, first)).status, await is_good(desk, first)) == (401, False)
    late = await renewed(desk, second.data)
    assert (late.status, late.code) == (401, "INVALID_TOKEN")


async def test_a_token_whose_successor_was_used_ends_the_login_however_soon_it_comes(desk: Desk) -> None:
    first = await registered(desk)
    second = await renewed(desk, first)
    third = await renewed(desk, second.data)
    assert ((await renewed(desk, first)).status, await is_good(desk, first)) == (401, False)
    assert (await renewed(desk, third.data)).status == 401


async def test_an_end_for_reuse_leaves_other_logins_of_the_user_alone(desk: Desk) -> None:
    first = await registered(desk)
    email = first["user"]["email"]
    other = (await ask(desk, "login", email=email, password=PASSWORD)).data
    await renewed(desk, (await renewed(desk, first)).data)
    assert (await renewed(desk, first)).status == 401
    assert (await is_good(desk, first), await is_good(desk, other)) == (False, True)
    assert (await renewed(desk, other)).status == 200


async def test_many_who_use_one_token_at_once_end_up_with_one_and_the_same(desk: Desk) -> None:
    first = await registered(desk)
    async with serving(desk, AUTH, 2) as asking:
        pairs = [sealed(desk, "refresh", {"refreshToken": first["refreshToken"]}) for _ in range(8)]
        replies: list[BusReply] = await asyncio.gather(*(asking(own) for own, _ in pairs))
    answers = [opened(reply, key) for reply, (_, key) in zip(replies, pairs, strict=True)]
    assert [answer.status for answer in answers] == [200] * 8
    assert len({answer.data["refreshToken"] for answer in answers}) == 1
    assert await unused(desk, first) == 1


async def test_of_a_chain_that_is_torn_at_by_many_at_most_one_token_stays_good(desk: Desk) -> None:
    first = await registered(desk)
    second = (await renewed(desk, first)).data
    async with serving(desk, AUTH, 2) as asking:
        pairs = [sealed(desk, "refresh", {"refreshToken": data["refreshToken"]}) for data in (first, second) * 4]
        replies: list[BusReply] = await asyncio.gather(*(asking(own) for own, _ in pairs))
    assert {reply.status for reply in replies} <= {200, 401}
    # Whoever was last in that crowd: the first comes after its successor has been used.
    assert (await renewed(desk, first)).status == 401
    assert (await is_good(desk, first), await unused(desk, first)) == (False, 1)
    for reply, (_, key) in zip(replies, pairs, strict=True):
        if reply.status == 200:
            assert (await renewed(desk, opened(reply, key).data)).status == 401


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_any_walk_along_a_chain_goes_as_the_rules_say(desk: Desk, seed: int) -> None:
    dice = random.Random(seed)
    first = await registered(desk)
    chain, good, passed_s = [first["refreshToken"]], True, 0.0
    seen: Counter[str] = Counter()
    for _ in range(50):
        if not good:
            email = first["user"]["email"]
            first = (await ask(desk, "login", email=email, password=PASSWORD)).data
            chain, good = [first["refreshToken"]], True
        if dice.random() < 0.3:
            # Clearly within or clearly beyond: this test takes time itself.
            seconds = dice.choice([0.5, 2] if passed_s == 0 else [2]) * REPEAT_WITHIN_S
            await let_pass(desk, first, seconds)
            passed_s += seconds
        back = min(dice.choice([0, 0, 0, 1, 1, 2]), len(chain) - 1)
        answer = await ask(desk, "refresh", refreshToken=chain[-1 - back])
        if back == 0:
            seen["next"] += 1
            assert (answer.status, answer.data["refreshToken"] in chain) == (200, False)
            chain.append(answer.data["refreshToken"])
            passed_s = 0.0
        elif back == 1 and passed_s < REPEAT_WITHIN_S:
            seen["again"] += 1
            assert (answer.status, answer.data["refreshToken"]) == (200, chain[-1])
        else:
            seen["ended"] += 1
            assert (answer.status, answer.code) == (401, "INVALID_TOKEN")
            good = False
        assert (await is_good(desk, first), await unused(desk, first)) == (good, 1)
    assert set(seen) == {"next", "again", "ended"}


@pytest.mark.parametrize("token", ["", "nonsense", "A" * 43, "A" * 44, "=" * 43, "ä" * 43])
async def test_a_token_that_was_never_made_is_refused(desk: Desk, token: str) -> None:
    answer = await ask(desk, "refresh", refreshToken=token)
    assert (answer.status, answer.code) == (401, "INVALID_TOKEN")


async def test_a_login_ends_at_its_time_however_often_it_was_renewed(desk: Desk) -> None:
    first = await registered(desk)
    second = (await renewed(desk, first)).data
    query = "UPDATE logins SET created_at = now() - interval '2 s', expires_at = now() - interval '1 s' WHERE id = $1"
    await desk.pool.execute(query, UUID(login_of(desk, first)))
    assert ((await renewed(desk, second)).status, await is_good(desk, first)) == (401, False)


async def test_a_logout_by_refresh_token_ends_the_login_also_by_a_used_one(desk: Desk) -> None:
    for use_first in (False, True):
        first = await registered(desk)
        if use_first:
            await renewed(desk, first)
        assert (await ask(desk, "logout", refreshToken=first["refreshToken"])).status == 200
        assert await is_good(desk, first) is False


async def test_a_logout_by_access_token_ends_the_login_of_that_user_only(desk: Desk) -> None:
    first, thief = await registered(desk), await registered(desk)
    fields = {"sid": login_of(desk, first)}
    for user_id, good in ((thief["user"]["id"], True), ("", True), (first["user"]["id"], False)):
        own, _ = sealed(desk, "logout", fields)
        reply = await handled(desk, AUTH, "logout", own.body, user_id=user_id)
        assert (reply.status, await is_good(desk, first)) == (200, good)
    assert (await renewed(desk, first)).status == 401


async def test_a_logout_by_both_tokens_ends_what_either_belongs_to(desk: Desk) -> None:
    first, other = await registered(desk), await registered(desk)
    for token, gone in (("A" * 43, (first,)), (other["refreshToken"], (first, other))):
        own, _ = sealed(desk, "logout", {"sid": login_of(desk, first), "refreshToken": token})
        assert (await handled(desk, AUTH, "logout", own.body, user_id=first["user"]["id"])).status == 200
        assert [await is_good(desk, data) for data in gone] == [False] * len(gone)


async def test_a_logout_of_nobody_is_no_error(desk: Desk) -> None:
    assert (await ask(desk, "logout")).status == 200
    assert (await ask(desk, "logout", sid="nonsense")).status == 200
    assert (await ask(desk, "logout", refreshToken="A" * 43)).status == 200


async def test_nobody_is_known_by_the_login_of_another(desk: Desk) -> None:
    first, other = await registered(desk), await registered(desk)
    seen = await handled(desk, AUTH, "me", {"sid": login_of(desk, first)}, user_id=other["user"]["id"])
    assert seen.status == 401


async def test_what_has_ended_by_itself_is_forgotten_with_all_its_tokens_and_nothing_else(desk: Desk) -> None:
    old, good = await registered(desk), await registered(desk)
    await renewed(desk, old)
    query = "UPDATE logins SET created_at = now() - interval '9 y', expires_at = now() - interval '8 y' WHERE id = $1"
    await desk.pool.execute(query, UUID(login_of(desk, old)))
    await desk.pool.execute(load_queries("auth")["forget_old_logins"], 1)
    count = "SELECT count(*) FROM refresh_tokens WHERE login_id = $1"
    assert await desk.pool.fetchval(count, UUID(login_of(desk, old))) == 0
    assert (await renewed(desk, old)).status == 401
    assert await is_good(desk, good)
