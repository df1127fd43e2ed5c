"""Syncs with Amazon over HTTP: what is refused, to whom, and in which words."""

from typing import Any

import msgspec
import pytest

from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.bus import new_command_id
from tests.support.connected import AMAZON, CANCEL, EVENTS, HISTORY, START, STATUS, Served
from tests.support.processes import running_gateway
from tests.support.servers import Servers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

UNAUTHORIZED = {"success": False, "message": "Unauthorized. Please log in.", "error": "unauthorized"}
NOT_CONNECTED = {
    "success": False,
    "message": "Amazon account not connected. Please connect your Amazon account first.",
    "error": "amazon_not_connected",
}
FAILED_TO_START = {
    "success": False,
    "message": "Failed to start sync. Please try again later.",
    "error": "internal_server_error",
}


async def test_no_connection(served: Served) -> None:
    merchant = await served.merchant(connected=False)
    answer = await merchant.start()
    assert (answer.status, answer.json()) == (400, NOT_CONNECTED)


@pytest.mark.parametrize("token", [None, "", "guess", "a.b.c", "expired"])
@pytest.mark.parametrize("way", ["header", "cookie"])
async def test_invalid_auth(served: Served, token: str | None, way: str) -> None:
    if token == "expired":
        own = private_keys(served.sandbox.settings)
        token = make_access_token(own, new_command_id(), new_command_id(), "USER", -60)
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    if way == "cookie" and token is not None:
        given = {"Cookie": f"session_token={token}"}
    for method, path in (
        ("POST", START),
        ("GET", STATUS),
        ("GET", f"{STATUS}/some"),
        ("GET", HISTORY),
        ("POST", f"{CANCEL}/some"),
        ("GET", f"{EVENTS}/some"),
    ):
        body = b"{}" if path == START else b""
        answer = await served.ask(method, path, body, Content_Type="application/json", **given)
        assert (answer.status, answer.json()) == (401, UNAUTHORIZED), (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_the_cookie_of_a_session_starts_a_sync_and_no_page_of_another_site_does(served: Served) -> None:
    merchant = await served.merchant()
    cookie = {"Cookie": f"session_token={merchant.shopper.token}", "Content_Type": "application/json"}
    elsewhere = {**cookie, "Origin": "https://elsewhere.example"}
    answer = await served.ask("POST", START, b"{}", **elsewhere)
    assert answer.status == 403
    assert answer.json()["error"] == "cross_site"
    answer = await served.ask("POST", START, b"{}", **cookie)
    assert answer.status == 200
    assert (await merchant.watch(answer.json()["syncId"]))[-1].data["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 200),
        (b"", None, 200),
        (b"{}", "application/json; charset=utf-8", 200),
        (b"{}", None, 415),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"userId":"somebody-else"}', "application/json", 400),
    ],
)
async def test_a_start_takes_an_empty_body_and_says_so_to_any_other(
    served: Served, body: bytes, content_type: str | None, status: int
) -> None:
    merchant = await served.merchant()
    given = {"Authorization": f"Bearer {merchant.shopper.token}"}
    if content_type:
        given["Content_Type"] = content_type
    answer = await served.ask("POST", START, body, **given)
    assert answer.status == status, answer
    told = answer.json()
    assert told["success"] is (status == 200)
    if status != 200:
        assert set(told) == {"success", "message", "error"}
        assert told["error"] == {400: "bad_request", 415: "unsupported_media_type"}[status]
    if status == 400:
        assert told["message"].endswith("Send JSON such as {}.")


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/api/sync", 404, "not_found"),
        ("GET", "/api/sync/", 404, "not_found"),
        ("GET", "/api/sync/nothing", 404, "not_found"),
        ("GET", AMAZON, 404, "not_found"),
        ("GET", f"{AMAZON}/", 404, "not_found"),
        ("GET", START, 405, "method_not_allowed"),
        ("POST", STATUS, 405, "method_not_allowed"),
        ("GET", f"{STATUS}/none", 404, "sync_not_found"),
        ("GET", f"{STATUS}/a%20b", 404, "sync_not_found"),
        ("GET", f"{STATUS}?syncId=%00", 404, "sync_not_found"),
        ("GET", f"{STATUS}?syncId={'a' * 256}", 404, "sync_not_found"),
        ("GET", f"{STATUS}?syncId=a&id=b", 400, "bad_request"),
        ("GET", f"{STATUS}?" + "a=1&" * 17, 400, "bad_request"),
        ("GET", f"{HISTORY}?limit=0", 400, "bad_request"),
        ("GET", f"{HISTORY}?limit=101", 400, "bad_request"),
        ("GET", f"{HISTORY}?limit=some", 400, "bad_request"),
        ("GET", f"{HISTORY}?offset=-1", 400, "bad_request"),
        ("GET", f"{HISTORY}?offset=10001", 400, "bad_request"),
        ("POST", f"{CANCEL}/none", 404, "sync_not_found"),
        ("GET", f"{AMAZON}/orders?before=4", 400, "bad_request"),
        ("GET", f"{AMAZON}/claims?after=2026-11-27", 400, "bad_request"),
        ("GET", f"{STATUS}?a=" + "a" * 2048, 414, "url_too_long"),
    ],
)
async def test_every_refusal_below_these_paths_has_the_form_of_the_contract(
    served: Served, method: str, path: str, status: int, error: str
) -> None:
    merchant = await served.merchant(connected=False)
    answer = await merchant.shopper.send(method, path)
    assert answer.status == status, answer
    assert set(answer.json()) == {"success", "message", "error"}
    assert (answer.json()["success"], answer.json()["error"]) == (False, error)


async def test_a_broken_database_is_told_as_a_fault_of_ours_and_a_mended_one_syncs(served: Served) -> None:
    merchant = await served.merchant()
    await served.database.execute("ALTER TABLE sync_progress RENAME TO broken")
    try:
        answer = await merchant.start()
        assert (answer.status, answer.json()) == (500, FAILED_TO_START)
        answer = await merchant.get(STATUS)
        assert (answer.status, answer.json()["error"]) == (500, "internal_server_error")
    finally:
        await served.database.execute("ALTER TABLE broken RENAME TO sync_progress")
    assert (await merchant.start()).status == 200


async def test_without_a_worker_a_start_is_refused_for_now_and_may_be_repeated(
    served: Served, servers: Servers
) -> None:
    merchant = await served.merchant()
    own: dict[str, Any] = {
        "redis_url": f"{servers.redis_url.rpartition('/')[0]}/5",
        "data_dir": served.sandbox.settings.data_dir,
        "ask_timeout_s": 0.2,
    }
    alone = msgspec.structs.replace(served.sandbox.settings, **own)
    async with running_gateway(alone) as gateway:
        lonely = merchant._replace(shopper=merchant.shopper._replace(port=gateway.port))
        for answer in (
            await lonely.start(),
            await lonely.post(START, {}, Prefer="respond-async"),
            await lonely.get(STATUS),
            await lonely.get(f"{EVENTS}/some"),
        ):
            assert answer.status == 503
            assert set(answer.json()) == {"success", "message", "error"}
            assert answer.json()["error"] == "service_unavailable"
            assert int(answer.headers["retry-after"]) >= 1
