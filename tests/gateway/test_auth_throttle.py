"""How often somebody may try: guessers meet a bound, and nobody is locked out by somebody else."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from contract.settings import Settings
from contract.transport import open_redis
from gateway import throttle
from lua.keys import throttle_key
from tests.support.browsers import Browser
from tests.support.http import Response
from tests.support.people import PASSWORD, fresh_email

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

BURST = throttle.LOGIN_FROM_ADDRESS_TO_ACCOUNT.burst
_networks = count(1)


def somewhere(people: Settings) -> Browser:
    """A browser at an address that nobody has had before."""
    return Browser(people.port, f"10.2.{next(_networks)}.1")


@pytest_asyncio.fixture(loop_scope="module")
async def redis(people: Settings) -> AsyncIterator[Any]:
    """The Valkey of the gateway."""
    client = open_redis(people)
    yield client
    await client.aclose()


async def account(people: Settings) -> str:
    """The address of somebody who has registered elsewhere."""
    email = fresh_email()
    answer = await somewhere(people).post("/api/auth/register", {"email": email, "password": PASSWORD})
    assert answer.status == 201
    return email


async def log_in(browser: Browser, email: str, password: str = PASSWORD) -> Response:
    return await browser.post("/api/auth/login", {"email": email, "password": password})


async def guess(browser: Browser, email: str) -> None:
    """Use up all tries of an address at an account."""
    answers = await asyncio.gather(*(log_in(browser, email, f"guess {i}") for i in range(BURST)))
    assert [answer.status for answer in answers] == [401] * BURST


async def empty(redis: Any, whom: str) -> None:
    """Leave nothing in a bucket."""
    seconds, micros = await redis.time()
    await redis.hset(throttle_key(whom), mapping={"level": 0, "at_us": seconds * 1_000_000 + micros})


@pytest.mark.parametrize("known", [True, False], ids=["an account", "no account"])
async def test_a_guesser_is_told_to_come_back_later_whether_or_not_there_is_such_an_account(
    people: Settings, known: bool
) -> None:
    email = await account(people) if known else fresh_email()
    guesser = somewhere(people)
    await guess(guesser, email)
    for password in ("another guess", PASSWORD):
        answer = await log_in(guesser, email, password)
        assert (answer.status, answer.json()["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
        assert answer.json()["error"]["details"] == {"retryable": True, "suggestedAction": "retry_later"}
        assert 1 <= int(answer.headers["retry-after"]) <= throttle.LOGIN_FROM_ADDRESS_TO_ACCOUNT.token_s


async def test_however_an_address_is_written_it_is_one_account(people: Settings) -> None:
    email = await account(people)
    guesser = somewhere(people)
    await guess(guesser, email)
    assert (await log_in(guesser, f" {email.upper()} ")).status == 429


async def test_the_owner_gets_in_from_elsewhere_while_somebody_guesses(people: Settings) -> None:
    email = await account(people)
    await guess(somewhere(people), email)
    assert (await log_in(somewhere(people), email)).status == 200


async def test_other_accounts_are_not_concerned(people: Settings) -> None:
    guesser = somewhere(people)
    await guess(guesser, fresh_email())
    assert (await log_in(guesser, await account(people))).status == 200


async def test_who_knows_the_password_may_log_in_as_often_as_he_likes(people: Settings) -> None:
    email, browser = await account(people), somewhere(people)
    for _ in range(BURST + 3):
        assert (await log_in(browser, email)).status == 200


async def test_a_crowd_that_guesses_keeps_strangers_out_but_not_the_owner_where_he_is_known(
    people: Settings, redis: Any
) -> None:
    email, home = await account(people), somewhere(people)
    assert (await log_in(home, email)).status == 200
    await empty(redis, f"login {email}")
    assert (await log_in(somewhere(people), email)).status == 429
    assert (await log_in(home, email)).status == 200
    # He is known, and bounded all the same: whoever sits beside him guesses no faster.
    await guess(home, email)
    assert (await log_in(home, email)).status == 429


async def test_an_address_that_tries_one_account_after_another_is_stopped(people: Settings, redis: Any) -> None:
    browser = somewhere(people)
    await empty(redis, f"login from {browser.at}")
    answer = await log_in(browser, fresh_email())
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert (await log_in(somewhere(people), await account(people))).status == 200


async def test_a_household_of_version_6_is_one_address(people: Settings) -> None:
    email = await account(people)
    await guess(Browser(people.port, "2001:db8:1:2::1"), email)
    assert (await log_in(Browser(people.port, "2001:db8:1:2:ffff::9"), email)).status == 429
    assert (await log_in(Browser(people.port, "2001:db8:1:3::1"), email)).status == 200


async def test_an_address_of_version_4_is_itself_in_both_spellings(people: Settings) -> None:
    email = await account(people)
    await guess(Browser(people.port, "10.3.0.1"), email)
    assert (await log_in(Browser(people.port, "::ffff:10.3.0.1"), email)).status == 429
    assert (await log_in(Browser(people.port, "::ffff:10.3.0.2"), email)).status == 200


async def test_accounts_are_made_at_the_pace_of_people(people: Settings, redis: Any) -> None:
    browser, form = somewhere(people), {"email": fresh_email(), "password": PASSWORD}
    await empty(redis, f"register from {browser.at}")
    answer = await browser.post("/api/auth/register", form)
    assert (answer.status, answer.json()["error"]["code"]) == (429, "TOO_MANY_ATTEMPTS")
    assert 1 <= int(answer.headers["retry-after"]) <= throttle.REGISTER_FROM_ADDRESS.token_s
    assert (await somewhere(people).post("/api/auth/register", form)).status == 201


async def test_whether_an_address_has_an_account_is_not_told_fast(people: Settings) -> None:
    form = {"email": await account(people), "password": PASSWORD}
    statuses = [
        (await somewhere(people).post("/api/auth/register", form)).status
        for _ in range(throttle.REGISTER_ACCOUNT.burst)
    ]
    assert statuses == [409] * (throttle.REGISTER_ACCOUNT.burst - 1) + [429]
