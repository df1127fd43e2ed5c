"""The sale lane where it asks for access tokens, and `/init` for an administrator: in the form of the sale."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from chaos.system import refusal
from contract.access_tokens import make_access_token
from contract.auth_keys import derive_keys, private_keys
from contract.seeds import new_seed
from contract.settings import Settings
from tests.support.browsers import OTHER_PAGE, OWN_PAGE
from tests.support.http import Response, post, request, send
from tests.support.processes import running_gateway
from tests.support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN_KEY = "the key of this installation"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """A gateway that takes orders from people who have logged in."""
    settings = Settings(
        redis_url=servers.redis_url,
        data_dir=tmp_path_factory.mktemp("guarded"),
        rate_per_s=100_000,
        admin_key=ADMIN_KEY,
        order_auth="required",
    )
    async with running_gateway(settings) as served:
        assert (await init(served, X_Admin_Key=ADMIN_KEY)).status == 200
        yield served


def token(settings: Settings, user: str = "ann", role: str = "USER", ttl_s: int = 100) -> str:
    """An access token as the auth worker makes it."""
    return make_access_token(private_keys(settings), user, "login-1", role, ttl_s)


async def init(settings: Settings, **headers: str) -> Response:
    return await post(settings.port, "/init", {"productId": "ps5", "quantity": 100}, **headers)


async def order(settings: Settings, key: str, user: str = "ann", **headers: str) -> Response:
    document = {"productId": "ps5", "userId": user}
    return await post(settings.port, "/order", document, X_Idempotency_Key=key, **headers)


def is_refused(answer: Response, status: int) -> str:
    """The sentence of a refusal in the form of the sale."""
    assert answer.status == status
    assert answer.json()["status"] == "error"
    assert set(answer.json()) == {"status", "msg"}
    return answer.json()["msg"]


async def test_the_user_of_the_token_orders_by_header_or_cookie(guarded: Settings) -> None:
    by_header = await order(guarded, "by-header", Authorization=f"Bearer {token(guarded)}")
    by_cookie = await order(guarded, "by-cookie", Cookie=f"session_token={token(guarded)}", **OWN_PAGE)
    assert by_header.json()["status"] == by_cookie.json()["status"] == "success"


async def test_without_a_good_token_nothing_is_sold_and_the_key_stays_unused(guarded: Settings) -> None:
    forged = token(guarded)[:-6] + "AAAAAA"
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Cookie": "session_token="}):
        is_refused(await order(guarded, "later", **headers), 401)
    for bad in (forged, token(guarded, ttl_s=-60), "x"):
        answer = await order(guarded, "later", Authorization=f"Bearer {bad}")
        is_refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await order(guarded, "later", Authorization=f"Bearer {token(guarded)}")).json()["status"] == "success"


async def test_nobody_orders_for_somebody_else(guarded: Settings) -> None:
    answer = await order(guarded, "for-bob", "bob", Authorization=f"Bearer {token(guarded)}")
    assert "userId" in is_refused(answer, 403)
    both = {"Authorization": f"Bearer {token(guarded)}", "Cookie": f"session_token={token(guarded, 'bob')}"}
    is_refused(await order(guarded, "for-bob", "bob", **both), 403)


async def test_a_page_of_another_site_orders_nothing_by_somebodys_cookie(guarded: Settings) -> None:
    is_refused(await order(guarded, "cross", Cookie=f"session_token={token(guarded)}", **OTHER_PAGE), 403)


GAME = b'{"title":"Halo","price":9.99}'


async def test_a_sale_is_opened_with_the_key_or_by_an_administrator(guarded: Settings) -> None:
    boss = token(guarded, "boss", "ADMIN")
    assert (await init(guarded, X_Admin_Key=ADMIN_KEY)).status == 200
    assert (await init(guarded, Authorization=f"Bearer {boss}")).status == 200
    assert (await init(guarded, Cookie=f"session_token={boss}", **OWN_PAGE)).status == 200
    is_refused(await init(guarded), 401)
    is_refused(await init(guarded, X_Admin_Key="a guess"), 401)
    is_refused(await init(guarded, Authorization=f"Bearer {boss[:-6]}AAAAAA"), 401)
    is_refused(await init(guarded, Authorization=f"Bearer {token(guarded)}"), 403)
    is_refused(await init(guarded, Cookie=f"session_token={boss}", **OTHER_PAGE), 403)


async def test_the_operators_key_opens_the_routes_of_administrators_too(guarded: Settings) -> None:
    for key, status in ((ADMIN_KEY, 202), ("a guess", 401), ("", 401)):
        raw = request("PUT", "/api/games/halo", GAME, Content_Type="application/json", X_Admin_Key=key, Prefer="wait=0")
        assert (await send(guarded.port, raw)).status == status


async def test_where_the_setting_is_off_the_sale_asks_for_no_token(guarded: Settings) -> None:
    async with running_gateway(msgspec.structs.replace(guarded, order_auth="off")) as served:
        assert (await order(served, "free", "whoever", Authorization="Bearer worn out")).json()["status"] == "success"


@pytest.mark.slow
async def test_in_production_a_gateway_without_the_public_key_does_not_start(guarded: Settings) -> None:
    production = msgspec.structs.replace(guarded, env="production")
    assert "FLUXGATE_AUTH_PUBLIC must be set" in await refusal(production, "gateway")
    assert "FLUXGATE_AUTH_PUBLIC must be 128 hex" in await refusal(
        msgspec.structs.replace(production, auth_public="abc"), "gateway"
    )
    public = derive_keys(new_seed()).public.text
    async with running_gateway(msgspec.structs.replace(production, auth_public=public)) as served:
        is_refused(await order(served, "elsewhere", Authorization=f"Bearer {token(guarded)}"), 401)
