"""People through HTTP: a real gateway, the real auth worker, and what each of them refuses."""

import asyncio
import secrets
from itertools import count
from typing import Any

import pytest

from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.settings import Settings
from tests.support.browsers import Browser
from tests.support.http import Response, post, request, send
from tests.support.people import PASSWORD, fresh_email
from tests.support.refusals import refused

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
_addresses = count(1)


def somewhere(people: Settings) -> Browser:
    """A browser at an address that no other test has."""
    return Browser(people.port, f"10.0.{next(_addresses)}.1")


async def registered(people: Settings) -> tuple[Browser, dict[str, Any]]:
    """A browser of somebody who has just registered, and what that gave."""
    browser = somewhere(people)
    answer = await browser.post("/api/auth/register", {"email": fresh_email(), "password": PASSWORD})
    assert answer.status == 201, answer.body
    return browser, answer.json()["data"]


def code(answer: Response) -> str:
    """The code of an error."""
    return answer.json()["error"]["code"]


def bearer(token: str) -> str:
    return f"Bearer {token}"


async def test_who_registers_is_logged_in_by_body_and_by_cookies(people: Settings) -> None:
    browser, email = somewhere(people), fresh_email()
    form = {"email": email.upper(), "password": PASSWORD, "nickname": "Ann", "firstName": "Ann", "lastName": "Lee"}
    answer = await browser.post("/api/auth/register", form)
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()["data"]
    assert set(data) == {"user", "token", "refreshToken", "expiresIn"}
    expected = {"email": email, "nickname": "Ann", "firstName": "Ann", "lastName": "Lee", "role": "USER"}
    assert {**expected, "id": data["user"]["id"]} == data["user"]
    assert data["expiresIn"] == people.access_token_ttl_s
    session, renewal = browser.jar["session_token"], browser.jar["refresh_token"]
    assert (session.value, session.path) == (data["token"], "/")
    assert session.attributes == {"httponly", "secure", "samesite=lax"}
    assert (renewal.value, renewal.path) == (data["refreshToken"], "/api/auth")
    assert renewal.attributes == {"httponly", "secure", "samesite=strict"}


async def test_header_and_cookie_say_who_somebody_is_and_the_header_counts(people: Settings) -> None:
    ann, data = await registered(people)
    bob, other = await registered(people)
    by_cookie = await ann.get("/api/auth/me")
    by_header = await somewhere(people).get("/api/auth/me", Authorization=bearer(data["token"]))
    assert by_cookie.status == by_header.status == 200
    assert by_cookie.json()["data"]["user"] == by_header.json()["data"]["user"] == data["user"]
    of_both = await ann.get("/api/auth/me", Authorization=bearer(other["token"]))
    assert of_both.json()["data"]["user"]["id"] == other["user"]["id"]
    assert (await bob.get("/api/auth/me")).json()["data"]["user"]["id"] == other["user"]["id"]


async def test_without_a_token_nobody_is_anybody(people: Settings) -> None:
    answer = await somewhere(people).get("/api/auth/me")
    assert (answer.status, code(answer)) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_that_was_changed_or_made_by_somebody_else_is_refused(people: Settings) -> None:
    _, data = await registered(people)
    head, body, signature = data["token"].split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for token in (f"{head}.{body}.{flipped}", f"{head}.{body}.", f"{head}..{signature}", data["refreshToken"], ""):
        answer = await somewhere(people).get("/api/auth/me", Authorization=bearer(token))
        assert (answer.status, code(answer)) == (401, "INVALID_TOKEN"), token
        assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_token_that_has_ended_is_refused(people: Settings) -> None:
    _, data = await registered(people)
    ended = make_access_token(private_keys(people), data["user"]["id"], secrets.token_hex(8), "USER", -60)
    answer = await somewhere(people).get("/api/auth/me", Authorization=bearer(ended))
    assert (answer.status, code(answer)) == (401, "INVALID_TOKEN")
    assert "expired" in answer.json()["error"]["message"]


async def test_an_address_has_one_account(people: Settings) -> None:
    browser, data = await registered(people)
    answer = await browser.post("/api/auth/register", {"email": data["user"]["email"], "password": PASSWORD})
    assert (answer.status, code(answer)) == (409, "USER_EXISTS")


async def test_who_logs_in_gets_what_who_registers_gets(people: Settings) -> None:
    _, data = await registered(people)
    browser = somewhere(people)
    answer = await browser.post("/api/auth/login", {"email": data["user"]["email"], "password": PASSWORD})
    assert answer.status == 200
    assert answer.json()["data"]["user"] == data["user"]
    assert (await browser.get("/api/auth/me")).json()["data"]["user"] == data["user"]


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(people: Settings) -> None:
    browser, data = await registered(people)
    said: list[Any] = []
    for email, password in ((data["user"]["email"], "wrong " + PASSWORD), (fresh_email(), PASSWORD)):
        answer = await browser.post("/api/auth/login", {"email": email, "password": password})
        assert answer.status == 401
        assert not answer.set_cookies
        said.append((answer.json()["error"], sorted(answer.headers)))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "form",
    [
        {},
        [],
        {"email": "ann@shop.example"},
        {"email": 1, "password": PASSWORD},
        {"email": "ann", "password": PASSWORD},
        {"email": "ann@shop.example\r\nBcc: all@shop.example", "password": PASSWORD},
        {"email": "new@shop.example", "password": "short"},
        {"email": "new@shop.example", "password": "x" * 129},
        {"email": "new@shop.example", "password": PASSWORD, "role": "ADMIN"},
        {"email": "new@shop.example", "password": PASSWORD, "nickname": "x" * 65},
    ],
)
async def test_what_no_account_may_have_is_refused_with_a_sentence(people: Settings, form: Any) -> None:
    answer = await somewhere(people).post("/api/auth/register", form)
    refused(answer, 400)


@pytest.mark.parametrize("route", ["register", "login", "refresh", "logout"])
async def test_a_body_that_is_no_json_of_a_sound_size_is_refused(people: Settings, route: str) -> None:
    path = f"/api/auth/{route}"
    refused(await send(people.port, request("POST", path, b"{}", Content_Type="text/plain")), 415)
    refused(await send(people.port, request("POST", path, b"{", Content_Type="application/json")), 400)
    refused(await send(people.port, request("POST", path, b" " * 20_000, Content_Type="application/json")), 413)


async def test_a_refresh_token_is_good_once_and_gives_the_next(people: Settings) -> None:
    browser, first = await registered(people)
    by_cookie = await browser.post("/api/auth/refresh")
    second = by_cookie.json()["data"]
    assert by_cookie.status == 200
    assert second["refreshToken"] != first["refreshToken"]
    assert browser.jar["refresh_token"].value == second["refreshToken"]
    assert browser.jar["session_token"].value == second["token"]
    by_body = await post(people.port, "/api/auth/refresh", {"refreshToken": second["refreshToken"]})
    assert by_body.status == 200
    third = by_body.json()["data"]
    # The first again, of which the second has been used: somebody has a copy, so the whole login ends.
    for token in (first["refreshToken"], third["refreshToken"]):
        again = await post(people.port, "/api/auth/refresh", {"refreshToken": token})
        assert (again.status, code(again)) == (401, "INVALID_TOKEN")
        assert not again.set_cookies


async def test_two_windows_that_refresh_at_once_stay_logged_in_with_one_token(people: Settings) -> None:
    _, data = await registered(people)
    body = {"refreshToken": data["refreshToken"]}
    answers = await asyncio.gather(*(post(people.port, "/api/auth/refresh", body) for _ in range(2)))
    assert [answer.status for answer in answers] == [200, 200]
    assert len({answer.json()["data"]["refreshToken"] for answer in answers}) == 1


async def test_without_a_refresh_token_there_is_nothing_to_renew(people: Settings) -> None:
    for body in (None, {}, {"refreshToken": ""}, {"refreshToken": "a guess"}, {"refreshToken": "A" * 43}):
        answer = await post(people.port, "/api/auth/refresh", body)
        assert answer.status == 401, body
        refused(answer, 401)


@pytest.mark.parametrize("by", ["cookies", "access token", "refresh token"])
async def test_who_logs_out_is_out_by_whichever_token(people: Settings, by: str) -> None:
    browser, data = await registered(people)
    if by == "cookies":
        answer = await browser.post("/api/auth/logout")
        assert browser.jar == {}
    elif by == "access token":
        answer = await post(people.port, "/api/auth/logout", Authorization=bearer(data["token"]))
    else:
        answer = await post(people.port, "/api/auth/logout", {"refreshToken": data["refreshToken"]})
    assert answer.status == 200
    again = await post(people.port, "/api/auth/refresh", {"refreshToken": data["refreshToken"]})
    assert again.status == 401
    # The access token proves itself until it ends, but here the worker is asked for the user.
    me = await somewhere(people).get("/api/auth/me", Authorization=bearer(data["token"]))
    assert (me.status, code(me)) == (401, "INVALID_TOKEN")


async def test_a_browser_forgets_who_was_logged_in_even_if_his_logout_takes_its_time(people: Settings) -> None:
    browser, _ = await registered(people)
    answer = await browser.post("/api/auth/logout", Prefer="wait=0")
    assert (answer.status, browser.jar) == (202, {})


async def test_who_is_out_already_may_log_out_again(people: Settings) -> None:
    assert (await post(people.port, "/api/auth/logout")).status == 200
    assert (await post(people.port, "/api/auth/logout", {}, Authorization="Bearer worn out")).status == 200
