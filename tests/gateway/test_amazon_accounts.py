"""Accounts at Amazon over HTTP: from our page to Amazon's and back, and what nobody else can make of that way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
import pytest_asyncio

from bench.ports import free_port
from chaos.waiting import until
from tests.support.browsers import OTHER_PAGE, OWN_PAGE
from tests.support.http import get, request, send
from tests.support.http_sellers import AT, HttpSeller, Market, open_market, refusal, well
from tests.support.kept import in_logs, in_postgres, in_valkey
from tests.support.processes import running_gateway
from tests.support.sandbox import NOBODY
from tests.support.servers import Servers
from workers.amazon_account_rows import find_account

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LATE = "UPDATE amazon_consents SET expires_at = now() WHERE user_id = $1"
ROUTES = [
    ("GET", "/auth/start"),
    ("GET", "/auth/callback?state=x&spapi_oauth_code=y&selling_partner_id=z"),
    ("POST", "/disconnect"),
    ("GET", "/status"),
    ("GET", "/claims"),
    ("GET", "/inventory"),
    ("GET", "/orders"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def market(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    async with open_market(servers, tmp_path_factory.mktemp("amazon")) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def ann(market: Market) -> HttpSeller:
    await market.sandbox.reset()
    return await market.seller()


async def come_back(seller: HttpSeller, **query: str) -> Any:
    """The callback, as a browser comes to it."""
    return await seller.get("/auth/callback", **query)


async def test_a_seller_is_sent_to_amazon_with_a_state_that_nobody_guesses(ann: HttpSeller) -> None:
    first, second = urlsplit(await ann.set_out()), urlsplit(await ann.set_out())
    settings = ann.market.settings
    assert f"{first.scheme}://{first.netloc}{first.path}" == settings.amazon_consent_at
    asked = dict(parse_qsl(first.query))
    state = asked.pop("state")
    assert asked == {
        "application_id": settings.amazon_client[0],
        "redirect_uri": f"http://localhost:{settings.port}{AT}/auth/callback",
    }
    assert len(state) == 43
    assert state not in second.query


async def test_who_has_let_us_in_is_connected(ann: HttpSeller) -> None:
    assert (await ann.data("/status"))["status"] == "not_connected"
    reply = await come_back(ann, **await ann.consent())
    assert reply.headers["referrer-policy"] == "no-referrer"
    told = well(reply)
    known = {"connected": True, "sellerId": "A1SANDBOXSELLER", "marketplaceId": "ATVPDKIKX0DER"}
    assert {**told, **known} == told
    status = await ann.data("/status")
    assert {**status, **told, "status": "connected", "isSandbox": True} == status
    account = await find_account(ann.market.desk, ann.user_id)
    assert account is not None
    # The token is one that Amazon takes.
    login = await ann.market.sandbox.login(grant_type="refresh_token", refresh_token=account.refresh_token)
    assert login.status == 200


async def test_who_comes_back_again_is_told_to_begin_again(ann: HttpSeller) -> None:
    back = await ann.consent()
    well(await come_back(ann, **back))
    assert refusal(await come_back(ann, **back), 400) == "consent_unknown"
    # A code that was used is worth nothing with a state of now.
    another = await ann.consent()
    used = another | {"spapi_oauth_code": back["spapi_oauth_code"]}
    assert refusal(await come_back(ann, **used), 400) == "consent_refused"
    assert (await ann.data("/status"))["connected"] is True


async def test_the_state_of_somebody_else_connects_nobody(ann: HttpSeller) -> None:
    eve = await ann.market.seller()
    # Eve would have Ann's syncs read an account of hers.
    assert refusal(await come_back(ann, **await eve.consent()), 400) == "consent_unknown"
    # Or has got hold of where Ann was sent back to.
    assert refusal(await come_back(eve, **await ann.consent()), 400) == "consent_unknown"
    assert not any([(await who.data("/status"))["connected"] for who in (ann, eve)])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": "A" * 43}, "consent_unknown"),
        ({"state": "A" * 42}, "consent_unknown"),
        ({"state": "A" * 1000}, "consent_unknown"),
        ({"state": ""}, "consent_unknown"),
        ({"spapi_oauth_code": ""}, "bad_request"),
        ({"spapi_oauth_code": "a b"}, "bad_request"),
        ({"spapi_oauth_code": "a\n"}, "bad_request"),
        ({"spapi_oauth_code": "x" * 1025}, "bad_request"),
        ({"spapi_oauth_code": "never-given"}, "consent_refused"),
        ({"selling_partner_id": ""}, "bad_request"),
        ({"selling_partner_id": "A/../B"}, "bad_request"),
        ({"error": "access_denied"}, "consent_denied"),
        ({"error": "<script>"}, "consent_denied"),
    ],
)
async def test_what_amazon_has_not_sent_connects_nothing(ann: HttpSeller, change: dict[str, str], code: str) -> None:
    reply = await come_back(ann, **(await ann.consent() | change))
    assert refusal(reply, 400) == code
    assert (reply.headers["cache-control"], reply.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert b"script" not in reply.body
    assert (await ann.data("/status"))["connected"] is False


async def test_a_seller_who_says_no_is_told_so(ann: HttpSeller) -> None:
    assert refusal(await come_back(ann, **await ann.consent(deny="1")), 400) == "consent_denied"


async def test_who_comes_back_too_late_begins_again(ann: HttpSeller) -> None:
    back = await ann.consent()
    await ann.market.desk.pool.execute(LATE, ann.user_id)
    assert refusal(await come_back(ann, **back), 400) == "consent_unknown"


async def test_of_two_who_come_back_at_once_one_is_connected(ann: HttpSeller) -> None:
    await ann.market.sandbox.control(latency_ms=200)
    back = await ann.consent()
    one, other = await asyncio.gather(come_back(ann, **back), come_back(ann, **back))
    assert sorted([one.status, other.status]) == [200, 400]
    assert (await ann.data("/status"))["connected"] is True


async def test_while_amazon_is_away_nothing_is_lost_and_the_page_may_be_loaded_again(ann: HttpSeller) -> None:
    back = await ann.consent()
    fault = {"match": "POST /auth/o2/token", "status": 503, "times": None}
    await ann.market.sandbox.control(faults=[fault])
    assert refusal(await come_back(ann, **back), 503) == "amazon_unavailable"
    await ann.market.sandbox.control(faults=[])

    async def is_back() -> bool:
        # The client leaves a service alone for a while that has failed.
        return (await come_back(ann, **back)).status == 200

    await until(is_back, 30)


async def test_who_disconnects_has_no_token_here_and_no_sync_any_more(ann: HttpSeller) -> None:
    await ann.connect()
    await ann.market.sandbox.control(latency_ms=2_000)
    begun = await ann.shopper.send("POST", f"{AT}/sync")
    assert begun.status == 200, begun
    assert (await ann.data("/status"))["syncInProgress"] is True
    assert well(await ann.disconnect()) == {"connected": False}
    status = await ann.data("/status")
    assert (status["status"], status["syncInProgress"]) == ("disconnected", False)
    assert (status["lastSync"]["syncId"], status["lastSync"]["status"]) == (begun.json()["syncId"], "cancelled")
    row = await ann.market.desk.pool.fetchrow("SELECT * FROM amazon_accounts WHERE user_id = $1", ann.user_id)
    assert row["sealed_token"] is None
    assert well(await ann.disconnect()) == {"connected": False}
    assert refusal(await ann.shopper.send("POST", f"{AT}/sync"), 400) == "amazon_not_connected"


async def test_another_token_that_amazon_gives_an_account_is_kept(ann: HttpSeller) -> None:
    sandbox = ann.market.sandbox
    # Of this one the worker has no access token yet.
    await sandbox.control(seller="A2ROTATES")
    await ann.connect()
    await sandbox.control(rotates=True, rate_scale=10_000.0, events=1, sales=1, skus=1, orders=1)
    first = await find_account(ann.market.desk, ann.user_id)
    await ann.sync()
    last = await find_account(ann.market.desk, ann.user_id)
    assert first is not None
    assert last is not None
    assert last.refresh_token != first.refresh_token
    # Amazon takes this one, and the first no more.
    replies = [
        await sandbox.login(grant_type="refresh_token", refresh_token=account.refresh_token)
        for account in (first, last)
    ]
    assert [reply.status for reply in replies] == [400, 200]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_gets_in_without_logging_in(market: Market, method: str, path: str) -> None:
    for authorization in ("", "Bearer nonsense"):
        reply = await send(market.settings.port, request(method, AT + path, Authorization=authorization))
        assert reply.status == 401
        message = "Unauthorized. Please log in."
        assert reply.json() == {"success": False, "message": message, "error": "unauthorized"}


async def test_a_page_of_another_site_disconnects_nobody(ann: HttpSeller) -> None:
    await ann.connect()
    cookie, port = f"session_token={ann.shopper.token}", ann.market.settings.port
    reply = await send(port, request("POST", f"{AT}/disconnect", b"", Cookie=cookie, **OTHER_PAGE))
    assert refusal(reply, 403) == "cross_site"
    # A browser that comes back from Amazon has its cookie, and whoever sends it there is not asked.
    assert (await get(port, f"{AT}/status", Cookie=cookie, **OTHER_PAGE)).json()["connected"] is True
    assert well(await send(port, request("POST", f"{AT}/disconnect", b"", Cookie=cookie, **OWN_PAGE))) == {
        "connected": False
    }


async def test_no_code_no_state_and_no_token_is_anywhere_but_with_who_owns_it(ann: HttpSeller) -> None:
    back = await ann.consent()
    well(await come_back(ann, **back))
    again = await ann.consent()
    assert refusal(await come_back(ann, **(again | {"spapi_oauth_code": "never-given"})), 400) == "consent_refused"
    account = await find_account(ann.market.desk, ann.user_id)
    assert account is not None
    settings = ann.market.settings
    places = await in_valkey(settings) | await in_postgres(settings) | in_logs(settings.data_dir)
    # The log of the sandbox is Amazon's own.
    ours = {name: content for name, content in places.items() if "sandbox" not in name}
    assert any(ann.user_id.encode() in content for content in ours.values())
    assert any(b"finish_consent" in content for name, content in ours.items() if name.startswith("log"))
    secrets = (back["spapi_oauth_code"], back["state"], again["state"], account.refresh_token, "never-given")
    for secret in secrets:
        assert [name for name, content in ours.items() if secret.encode() in content] == []


async def test_without_a_page_of_consent_nobody_can_be_connected(market: Market) -> None:
    async with running_gateway(msgspec.structs.replace(market.settings, amazon_url=NOBODY)) as served:
        seller = await market._replace(settings=served).seller()
        reply = await seller.get("/auth/start")
        assert refusal(reply, 503) == "amazon_not_set_up"
        assert "FLUXGATE_AMAZON_CONSENT_URL" in reply.json()["message"]


async def test_where_the_settings_say_so_a_seller_is_sent_on(market: Market) -> None:
    page = f"http://localhost:{free_port()}/integrations?connected=1"
    async with running_gateway(msgspec.structs.replace(market.settings, amazon_return_url=page)) as served:
        seller = await market._replace(settings=served).seller()
        back = await seller.consent()
        reply = await come_back(seller, **back)
        assert (reply.status, reply.body) == (303, b"")
        assert (reply.headers["location"], reply.headers["cache-control"]) == (page, "no-store")
        assert reply.headers["referrer-policy"] == "no-referrer"
        # What is refused is told, and leads nowhere.
        assert refusal(await come_back(seller, **back), 400) == "consent_unknown"
