"""Pages of other sites at the routes of people: what a browser sends for them, and what they may read."""

import pytest

from contract.settings import Settings
from tests.support.browsers import OTHER_PAGE, Browser
from tests.support.http import Response, get, request, send
from tests.support.people import PASSWORD, fresh_email

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LISTED = {"Origin": "https://app.example", "Sec_Fetch_Site": "cross-site"}


async def logged_in(people: Settings) -> tuple[Browser, dict[str, str]]:
    """A browser of somebody who has registered, and how he logs in."""
    browser, form = Browser(people.port, "10.1.0.1"), {"email": fresh_email(), "password": PASSWORD}
    assert (await browser.post("/api/auth/register", form)).status == 201
    return browser, form


def is_cross_site(answer: Response) -> bool:
    return answer.status == 403 and answer.json()["error"]["code"] == "CROSS_SITE"


async def test_a_page_of_another_site_can_neither_log_anybody_in_nor_out(people: Settings) -> None:
    browser, form = await logged_in(people)
    kept = dict(browser.jar)
    for path, document in (
        ("/api/auth/register", {"email": fresh_email(), "password": PASSWORD}),
        ("/api/auth/login", form),
        ("/api/auth/refresh", None),
        ("/api/auth/logout", None),
    ):
        answer = await browser.post(path, document, **OTHER_PAGE)
        assert is_cross_site(answer), path
        assert not answer.set_cookies
    assert browser.jar == kept
    assert (await browser.get("/api/auth/me")).status == 200
    assert (await browser.post("/api/auth/refresh")).status == 200


async def test_a_sister_of_our_host_is_another_site(people: Settings) -> None:
    browser, _ = await logged_in(people)
    sister = {"Origin": "http://other.localhost", "Sec_Fetch_Site": "same-site"}
    assert is_cross_site(await browser.post("/api/auth/logout", **sister))
    # As browsers did that say nothing of the site.
    raw = request("POST", "/api/auth/logout", Origin="http://other.localhost")
    assert is_cross_site(await send(people.port, raw))


async def test_a_page_of_an_origin_in_the_settings_may_log_in_and_read_the_answer(people: Settings) -> None:
    browser, form = await logged_in(people)
    answer = await browser.post("/api/auth/login", form, **LISTED)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "origin"
    assert (await browser.post("/api/auth/logout", **LISTED)).status == 200


async def test_refusals_can_be_read_by_them_too(people: Settings) -> None:
    for path, status in (("/api/auth/me", 401), ("/api/nowhere", 404), ("/api/auth/login", 405)):
        answer = await get(people.port, path, Origin="https://app.example")
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "https://app.example")


async def test_a_preflight_is_answered_to_them_and_to_nobody_else(people: Settings) -> None:
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}
    raw = request("OPTIONS", "/api/auth/login", Origin="https://app.example", **asks)
    answer = await send(people.port, raw)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "content-type" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    for path, origin in (("/api/auth/login", "https://evil.example"), ("/order", "https://app.example")):
        refusal = await send(people.port, request("OPTIONS", path, Origin=origin, **asks))
        assert refusal.status == 405
        assert not [name for name in refusal.headers if name.startswith("access-control-allow")]


async def test_pages_of_other_sites_may_read_nothing(people: Settings) -> None:
    browser, _ = await logged_in(people)
    answer = await browser.get("/api/auth/me", **OTHER_PAGE)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_cookies_that_no_browser_sends_count_as_none(people: Settings) -> None:
    browser, _ = await logged_in(people)
    token = browser.jar["session_token"].value
    for cookie in (f"Session_Token={token}", f"session_token = {token}\\", f"session_token={token}; name=Zo\xeb"):
        raw = request("GET", "/api/auth/me").replace(b"Host", f"Cookie: {cookie}\r\nHost".encode(), 1)
        assert (await send(people.port, raw)).status == 401, cookie
    sound = await send(people.port, request("GET", "/api/auth/me", Cookie=f'odd; ; x; session_token="{token}"; =y'))
    assert sound.status == 200
