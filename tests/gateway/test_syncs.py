"""Syncs with Amazon over HTTP, as the contract has them, through a gateway, its workers and the sandbox."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from contract.access_tokens import make_access_token
from contract.auth_keys import private_keys
from contract.bus import new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.connected import AMAZON, Merchant, add_merchant
from tests.support.desk import open_desk
from tests.support.http import Response, request, send
from tests.support.http_stage import own_database
from tests.support.processes import running, running_gateway
from tests.support.sandbox import AmazonSandbox, running_amazon
from tests.support.servers import Servers
from workers.service import Desk
from workers.store_orders import STORE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

START = f"{AMAZON}/sync"
STATUS, HISTORY, CANCEL, EVENTS = "/api/sync/status", "/api/sync/history", "/api/sync/cancel", "/api/sync/events"
STARTED = {"success", "syncId", "message", "status", "estimatedDuration"}
UNAUTHORIZED = {"success": False, "message": "Unauthorized. Please log in.", "error": "unauthorized"}
NOT_CONNECTED = {
    "success": False,
    "message": "Amazon account not connected. Please connect your Amazon account first.",
    "error": "amazon_not_connected",
}
NOT_FOUND = {"success": False, "message": "Sync not found", "error": "sync_not_found"}
NOT_CANCELLED = {"success": False, "message": "Sync not found or cannot be cancelled", "error": "sync_not_found"}
FAILED_TO_START = {
    "success": False,
    "message": "Failed to start sync. Please try again later.",
    "error": "internal_server_error",
}
DOCUMENT = {
    "syncId",
    "status",
    "progress",
    "message",
    "step",
    "totalSteps",
    "startedAt",
    "updatedAt",
    "estimatedCompletion",
    "completedAt",
    "ordersProcessed",
    "totalOrders",
    "isTotalEstimated",
    "claimsDetected",
    "inventoryCount",
    "results",
    "rateLimit",
    "error",
}
HELD_UP = {"getOrders": {"per_s": 0.001, "burst": 1}}
"""One page of orders, and the next in a quarter of an hour: a sync goes on for as long as a test needs."""


class Served(NamedTuple):
    """A gateway of a store, its sandbox, and a way to its database."""

    sandbox: AmazonSandbox
    desk: Desk
    database: asyncpg.Connection
    port: int

    async def merchant(self, *, connected: bool = True) -> Merchant:
        """Somebody new."""
        merchant = await add_merchant(self.sandbox, self.desk, self.port)
        if connected:
            answer = await merchant.connect()
            assert answer.status == 200, answer
        return merchant

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """A request of nobody in particular."""
        return await send(self.port, request(method, path, body, **headers))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with own_database(servers.postgres_url) as postgres_url, contextlib.AsyncExitStack() as stack:
        settings = Settings(
            redis_url=servers.redis_url,
            postgres_url=postgres_url,
            data_dir=tmp_path_factory.mktemp("syncs"),
            ask_timeout_s=20,
        )
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        sandbox = await stack.enter_async_context(running_amazon(settings))
        await stack.enter_async_context(running(sandbox.settings, "reaper"))
        await stack.enter_async_context(running(sandbox.settings, "worker", "amazon"))
        gateway = await stack.enter_async_context(running_gateway(sandbox.settings))
        desk = await stack.enter_async_context(open_desk(gateway, STORE))
        database = await asyncpg.connect(postgres_url)
        stack.push_async_callback(database.close)
        yield Served(sandbox, desk, database, gateway.port)


@pytest_asyncio.fixture(loop_scope="module")
async def served(opened: Served) -> Served:
    """Amazon as it is at first."""
    await opened.sandbox.reset()
    return opened


async def test_basic_sync(served: Served) -> None:
    merchant = await served.merchant()
    answer = await merchant.start()
    assert answer.status == 200, answer
    told = answer.json()
    assert set(told) == STARTED
    assert told["success"] is True
    assert re.fullmatch(rf"sync_{merchant.shopper.user_id}_\d{{13}}", told["syncId"])
    assert abs(int(told["syncId"].rpartition("_")[2]) / 1000 - time.time()) < 60
    assert told["message"] == "Sync started successfully"
    assert told["status"] == "in_progress"
    assert told["estimatedDuration"] == "30-60 seconds"


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


async def test_a_second_start_is_told_of_the_first_and_the_first_goes_on(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    first = (await merchant.start()).json()["syncId"]
    again = await merchant.start()
    message = f"Sync already in progress ({first}). Please wait for it to complete or cancel it first."
    assert again.status == 409
    assert again.json() == {
        "success": False,
        "message": message,
        "error": "sync_in_progress",
        "existingSyncId": first,
    }
    assert (await merchant.get(f"{STATUS}/{first}")).json()["status"] == "running"


@pytest.mark.parametrize("at_once", [2, 20])
async def test_of_starts_at_once_one_begins_and_all_others_are_told_of_it(served: Served, at_once: int) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    answers = await asyncio.gather(*(merchant.start() for _ in range(at_once)))
    begun = [answer.json()["syncId"] for answer in answers if answer.status == 200]
    assert len(begun) == 1
    others = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in others} == {409}
    assert {answer.json()["existingSyncId"] for answer in others} == set(begun)
    assert (await merchant.get(HISTORY)).json()["total"] == 1


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


async def test_a_sync_is_followed_to_its_end_and_its_progress_never_goes_back(served: Served) -> None:
    merchant = await served.merchant()
    sync_id = (await merchant.start()).json()["syncId"]
    heard = await merchant.watch(sync_id)
    assert [event.name for event in heard] == ["connected", *["sync_progress"] * (len(heard) - 1)]
    told = [event.data["progress"] for event in heard[1:]]
    assert told == sorted(told)
    last = heard[-1].data
    assert set(last) == DOCUMENT
    assert (last["status"], last["progress"], last["message"]) == ("completed", 100, "Sync completed")
    assert last["completedAt"]
    assert last["results"] == {
        part: {"count": len(await served.sandbox.books(part, merchant.seller)), "status": "success", "error": None}
        for part in ("claims", "inventory", "orders")
    }
    assert last["claimsDetected"] == last["results"]["claims"]["count"]
    assert last["ordersProcessed"] == last["results"]["orders"]["count"]
    for path in (f"{STATUS}/{sync_id}", f"{STATUS}?syncId={sync_id}", f"{STATUS}?id={sync_id}"):
        answer = await merchant.get(path)
        assert (answer.status, answer.json()) == (200, {"success": True, **last}), path
    newest = (await merchant.get(STATUS)).json()
    assert newest == {"success": True, "hasActiveSync": False, "lastSync": last}
    listed = (await merchant.get(HISTORY)).json()
    assert (listed["success"], listed["total"], listed["limit"], listed["offset"]) == (True, 1, 20, 0)
    duration = listed["syncs"][0].pop("duration")
    assert listed["syncs"] == [last]
    assert 0 < duration < 60


async def test_what_a_sync_has_read_is_what_the_lists_have(served: Served) -> None:
    merchant = await served.merchant()
    await merchant.sync()
    for part in ("claims", "inventory", "orders"):
        listed = (await merchant.get(f"{AMAZON}/{part}?limit=100")).json()
        assert listed["success"] is True
        assert listed["total"] == len(await served.sandbox.books(part, merchant.seller))
        assert len(listed[part]) == min(100, listed["total"])
        assert all(row["isMock"] for row in listed[part])


async def test_before_the_first_sync_there_is_none(served: Served) -> None:
    merchant = await served.merchant(connected=False)
    assert (await merchant.get(STATUS)).json() == {"success": True, "hasActiveSync": False, "lastSync": None}
    empty: dict[str, Any] = {"success": True, "syncs": [], "total": 0, "limit": 5, "offset": 3}
    assert (await merchant.get(f"{HISTORY}?limit=5&offset=3")).json() == empty


async def test_a_sync_that_waits_for_amazon_says_so_and_is_cancelled_at_once(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    merchant = await served.merchant()
    sync_id = (await merchant.start()).json()["syncId"]

    async with asyncio.timeout(20):
        # Its events are told in another test; who polls sees the same.
        while (told := (await merchant.get(f"{STATUS}?syncId={sync_id}")).json())["rateLimit"] is None:
            assert told["status"] == "running", told
            await asyncio.sleep(0.05)
    assert told["rateLimit"]["operation"] == "getOrders"
    assert set(told["rateLimit"]) == {"operation", "ratePerSecond", "burst", "waitsUntil", "reason"}
    watching = asyncio.create_task(merchant.watch(sync_id))
    cancelled = await merchant.post(f"{CANCEL}/{sync_id}")
    assert cancelled.json() == {"success": True, "message": "Sync cancelled successfully"}
    assert (await watching)[-1].data["status"] == "cancelled"
    again = await merchant.post(f"{CANCEL}/{sync_id}")
    assert (again.status, again.json()) == (200, cancelled.json())
    assert (await merchant.get(STATUS)).json()["hasActiveSync"] is False
    assert (await merchant.start()).status == 200


async def test_a_sync_is_found_and_cancelled_by_its_own_user_and_nobody_else(served: Served) -> None:
    await served.sandbox.control(rates=HELD_UP)
    owner, stranger = await served.merchant(), await served.merchant(connected=False)
    sync_id = (await owner.start()).json()["syncId"]
    for path in (f"{STATUS}/{sync_id}", f"{STATUS}?syncId={sync_id}", f"{EVENTS}/{sync_id}"):
        answer = await stranger.get(path)
        assert (answer.status, answer.json()) == (404, NOT_FOUND), path
    answer = await stranger.post(f"{CANCEL}/{sync_id}")
    assert (answer.status, answer.json()) == (404, NOT_CANCELLED)
    assert (await owner.get(f"{STATUS}/{sync_id}")).json()["status"] == "running"


async def test_a_completed_sync_cannot_be_cancelled(served: Served) -> None:
    merchant = await served.merchant()
    done = await merchant.sync()
    answer = await merchant.post(f"{CANCEL}/{done['syncId']}")
    assert (answer.status, answer.json()) == (404, NOT_CANCELLED)
    assert (await merchant.get(f"{STATUS}/{done['syncId']}")).json()["status"] == "completed"


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
    served: Served, servers: Servers, tmp_path_factory: pytest.TempPathFactory
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
