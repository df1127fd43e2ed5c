"""A guest who logs in: his cart follows him at once, or later, and he is logged in either way."""

import asyncio
import secrets
from typing import Any

import pytest

from contract.settings import Settings
from tests.support.browsers import Browser, Cookie
from tests.support.http import Response
from tests.support.people import PASSWORD, fresh_email
from tests.support.processes import running
from tests.support.refusals import refused

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MOVED_WITHIN_S = 30.0
PENDING = {"status": "pending"}


def guest(people: Settings) -> Browser:
    """A browser with the session of a guest."""
    browser = Browser(people.port, "10.4.0.1")
    browser.jar["guest_session"] = Cookie(secrets.token_hex(16), "/", frozenset())
    return browser


async def log_in(browser: Browser, form: dict[str, str]) -> dict[str, Any]:
    answer = await browser.post("/api/auth/login", form)
    assert answer.status == 200, answer.body
    return answer.json()["data"]


async def register(browser: Browser) -> tuple[dict[str, str], Response]:
    """The credentials of somebody who has just registered, and how that was answered."""
    form = {"email": fresh_email(), "password": PASSWORD}
    return form, await browser.post("/api/auth/register", form)


async def test_who_logs_in_while_nobody_can_move_his_cart_is_logged_in_and_keeps_his_session(people: Settings) -> None:
    form, _ = await register(Browser(people.port, "10.4.0.2"))
    browser = guest(people)
    session = browser.jar["guest_session"]
    data = await log_in(browser, form)
    assert data["migration"] == PENDING
    assert (await browser.get("/api/auth/me")).status == 200
    assert browser.jar["guest_session"] == session


async def test_who_comes_without_a_session_is_told_nothing_of_a_cart(people: Settings) -> None:
    form, answer = await register(Browser(people.port, "10.4.0.3"))
    assert "migration" not in answer.json()["data"]
    assert "migration" not in await log_in(Browser(people.port, "10.4.0.3"), form)


async def test_the_session_of_a_guest_ends_when_its_cart_has_moved(people: Settings) -> None:
    form, _ = await register(Browser(people.port, "10.4.0.4"))
    async with running(people, "worker", "migration"), asyncio.timeout(MOVED_WITHIN_S):
        # Until the worker is up, a login is told that its cart follows later.
        while (data := await log_in(browser := guest(people), form))["migration"] == PENDING:
            pass
        assert set(data["migration"]) >= {"cart", "wishlist"}
        assert "guest_session" not in browser.jar
        assert {"session_token", "refresh_token"} <= set(browser.jar)
        newcomer = guest(people)
        _, answer = await register(newcomer)
        assert set(answer.json()["data"]["migration"]) >= {"cart", "wishlist"}
        assert "guest_session" not in newcomer.jar


async def test_a_session_that_somebody_has_made_up_logs_nobody_in(people: Settings) -> None:
    form, _ = await register(Browser(people.port, "10.4.0.5"))
    browser = Browser(people.port, "10.4.0.5")
    answer = await browser.post("/api/auth/login", form, X_Session_Id="mine")
    assert "guest session" in refused(answer, 400)
    assert browser.jar == {}
