"""Where the scenes of the HTTP interface are performed: gateways in five conditions, and the workers of one."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import msgspec

import lua
from bench.ports import free_port
from contract.access_tokens import make_access_token
from contract.auth_keys import derive_keys
from contract.bus import new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from gateway.openapi.amazon import CODE, CONSENT_AT, SHOP_AT
from gateway.openapi.amazon_lists import CURSOR, POSTED_AT
from gateway.openapi.goated_admin import AGE_MS, SECONDS
from gateway.openapi.people import JWT, OPAQUE
from gateway.openapi.problems import INSTANT, REQUEST_ID
from gateway.openapi.races import RACE_ID
from gateway.openapi.schemas import ORDER_ID
from gateway.openapi.syncs import BEGAN_AT_MS, DURATION_S, RETRY
from gateway.openapi.webhooks import SENT_AT, SIGNATURE
from sql import apply_schema
from tests.support.buckets import put_tokens
from tests.support.http import Response
from tests.support.processes import running, running_gateway
from tests.support.sandbox import AmazonSandbox, GoatedSandbox, Sandbox, running_amazon, running_g2a, running_goated
from tests.support.servers import Servers
from tests.support.streams import beginning
from tests.support.waiting import open_context
from tests.support.wire import exchange, head
from workers import outbox

KEY = "550e8400-e29b-41d4-a716-446655440000"
ADMIN_KEY = "the operator's key"
SESSION = "6f1c9b1e0d5a4c7f8e2b3a4d5c6f7081"
# Shorter than the default that the document names, so that nobody waits.
BODY_TIMEOUT_S = 0.5
PRODUCTS = 20
"""What the catalogue of G2A has."""
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_OPAQUE = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
_DIGEST = re.compile(r"(?<![\w-])[0-9a-f]{64}(?![\w-])")
_SENT_AT = re.compile(r'(?<="timestamp": ")(?!17000)\d{13}')
_SYNC_AT = re.compile(r"(?<=[0-9a-f]{12}_)\d{13}")
_DURATION = re.compile(r'(?<="duration":)\d+(\.\d+)?')
_SECONDS = re.compile(r'(?<="seconds":)[\d.e-]+')
_AGE_MS = re.compile(r'((?<="ageMs":)|(?<="lapsesInMs":))\d+')
_RACE_ID = re.compile(r'((?<="id":")|(?<="raceId":"))20\d{4}(?=")')
_RETRY = re.compile(r"(?<=retry: )\d+")
_CLAIM = re.compile(r"(?<=[A-Z]{3}-)[0-9a-f]{64}")
_CURSOR = re.compile(r'(?<="nextCursor":")[\w-]+')
_POSTED = re.compile(r'((?<="createdAt":")|(?<="purchaseDate":")|(?<="lastUpdateDate":"))\d{4}-[\d:T-]{14}Z')
_CODE = re.compile(r"(?<=spapi_oauth_code=)[^& ]+")
_SESSION = re.compile(r"(?<![\w-])[0-9a-f]{32}(?![\w-])")


class Stage(NamedTuple):
    """The ports of gateways: of the sale, without and with a crowd; away from Redis; of the store with all its workers,
    without any, and with a page that sellers are sent back to. `redis` is that of the sale, `database` the Postgres of
    the store, `sandbox` the G2A that it has, `amazon` its Amazon, and `goated` its Goated.

    `known` has what stands for `{name}` in a scene; what is put on `stack` is closed when all of them are over.
    """

    open: int
    crowded: int
    away: int
    store: int
    idle: int
    back: int
    redis: lua.Client
    database: asyncpg.Connection
    sandbox: Sandbox
    amazon: AmazonSandbox
    goated: GoatedSandbox
    known: dict[str, str]
    stack: contextlib.AsyncExitStack


Prepare = Callable[[Stage], Awaitable[object]]


class Scene(NamedTuple):
    """A request, the status that answers it, and the name of the documented example of that answer.

    `on` is the gateway: open; crowded, with an operator's key and without tokens; away from Redis; store; idle, the
    store's without workers; or back, the store's with a page that sellers are sent back to. `prepare` brings about what
    the scene needs, `keep` names what is known after it, by its place in the answer. What many routes have in common is
    `common`. An answer without an end is left once `enough` has come.
    """

    operation: str
    status: int
    example: str
    request: str
    body: str = ""
    headers: tuple[str, ...] = ()
    on: str = "open"
    prepare: Prepare | None = None
    missing: int = 0
    keep: tuple[tuple[str, str], ...] = ()
    common: bool = False
    enough: str = ""

    @property
    def lines(self) -> list[str]:
        """The headers as they are sent."""
        return [*self.headers, *([f"Content-Length: {len(self.body) + self.missing}"] if self.body else [])]


Performed = tuple[Scene, Scene, Response]
"""A scene, the same as it was sent, and the answer."""


@contextlib.asynccontextmanager
async def staged(servers: Servers, directory: Path) -> AsyncIterator[Stage]:
    """Six gateways on an emptied Valkey; the store has a database of its own, with an administrator."""
    calm = Settings(redis_url=servers.redis_url, rate_per_s=100_000, body_timeout_s=BODY_TIMEOUT_S, redis_timeout_s=1)
    crowded = msgspec.structs.replace(calm, rate_per_s=0.001, burst=1, admin_key=ADMIN_KEY)
    redis = open_redis(calm)
    await redis.flushall()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(redis.aclose)
        postgres_url = await stack.enter_async_context(own_database(servers.postgres_url))
        database = await asyncpg.connect(postgres_url)
        stack.push_async_callback(database.close)
        seed = secrets.token_hex(32)
        # Where nobody answers within seconds, something is broken; a busy machine may take some.
        store = msgspec.structs.replace(
            calm,
            postgres_url=postgres_url,
            redis_url=_numbered(servers.redis_url, 1),
            auth_seed=seed,
            ask_timeout_s=20,
            g2a_sandbox_products=PRODUCTS,
            gateway_url=SHOP_AT,
            amazon_consent_url=CONSENT_AT,
        )
        back = msgspec.structs.replace(store, amazon_return_url=f"{SHOP_AT}/connected")
        idle = msgspec.structs.replace(store, redis_url=_numbered(servers.redis_url, 2), ask_timeout_s=0.1)
        away = msgspec.structs.replace(calm, redis_url=f"redis://127.0.0.1:{free_port()}/0", auth_seed=seed)
        ports: list[int] = []
        conditions = {"open": calm, "crowded": crowded, "away": away, "store": store, "idle": idle, "back": back}
        for name, settings in conditions.items():
            own = msgspec.structs.replace(settings, data_dir=directory / name)
            own.data_dir.mkdir()
            served = await stack.enter_async_context(running_gateway(own))
            ports.append(served.port)
            if name == "store":
                sandbox = await stack.enter_async_context(running_g2a(served))
                amazon = await stack.enter_async_context(running_amazon(sandbox.settings))
                goated = await stack.enter_async_context(running_goated(amazon.settings))
                await stack.enter_async_context(running(goated.settings, "worker", "all"))
                await stack.enter_async_context(_publishing(goated.settings))
        known = {"{admin}": await _add_admin(database, seed), "{session}": SESSION}
        yield Stage(*ports, redis, database, sandbox, amazon, goated, known, stack)


@contextlib.asynccontextmanager
async def _publishing(settings: Settings) -> AsyncGenerator[None]:
    """What waits in the outbox is sent inside the block. The reaper would run its schedules too, when they are due."""
    stop = asyncio.Event()
    async with open_context(settings) as context, asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run(context, stop))
        yield
        stop.set()


@contextlib.asynccontextmanager
async def own_database(postgres_url: str) -> AsyncIterator[str]:
    """A database of the same server inside the block, with our tables and nothing in them."""
    name = f"store_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        own = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        await apply_schema(own)
        yield own
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


async def perform(stage: Stage, scene: Scene) -> tuple[Scene, Response]:
    """Play a scene; give it as it was sent, and the answer."""
    if scene.prepare is not None:
        await scene.prepare(stage)
    if scene.on == "crowded":
        await put_tokens(stage.redis, 0)
    request, body, *headers = (_filled(stage, text) for text in (scene.request, scene.body, *scene.headers))
    sent = scene._replace(request=request, body=body, headers=tuple(headers))
    raw = head(f"{request} HTTP/1.1", f"X-Request-Id: {REQUEST_ID}", *sent.lines)
    port: int = getattr(stage, scene.on)
    if scene.enough:
        response = await beginning(port, raw, scene.enough.encode())
    else:
        response = await exchange(port, raw, body.encode())
    assert response is not None, scene
    if response.status == scene.status:
        for name, place in scene.keep:
            found = response.json()
            for step in place.split("."):
                found = found[step]
            stage.known[name] = found
    return sent, response


def normalised(text: str) -> str:
    """The same text wherever and whenever it was made: ids, tokens, instants and times allowed are the document's."""
    text = text.replace(f"{BODY_TIMEOUT_S:g} seconds", f"{Settings().body_timeout_s:g} seconds")
    for pattern, ours in (
        (_JWT, JWT),
        (_ID, ORDER_ID),
        (_OPAQUE, OPAQUE),
        (_SESSION, SESSION),
        (_INSTANT, INSTANT),
        (_DIGEST, SIGNATURE),
        (_SENT_AT, SENT_AT),
        (_SYNC_AT, BEGAN_AT_MS),
        (_DURATION, f"{DURATION_S}"),
        (_SECONDS, f"{SECONDS}"),
        (_AGE_MS, f"{AGE_MS}"),
        (_RACE_ID, RACE_ID),
        (_RETRY, RETRY),
        (_CLAIM, SIGNATURE),
        (_CURSOR, CURSOR),
        (_POSTED, POSTED_AT),
        (_CODE, CODE),
    ):
        text = pattern.sub(ours, text)
    return text


def _filled(stage: Stage, text: str) -> str:
    for name, value in stage.known.items():
        text = text.replace(name, value)
    return text


def _numbered(redis_url: str, number: int) -> str:
    """The same server, another of its databases."""
    return urlsplit(redis_url)._replace(path=f"/{number}").geturl()


async def _add_admin(database: asyncpg.Connection, seed: str) -> str:
    """The access token of a new administrator."""
    user_id = new_command_id()
    insertion = "INSERT INTO users (id, email, password_hash, nickname, role) VALUES ($1, $2, 'none', 'Root', 'ADMIN')"
    await database.execute(insertion, user_id, "root@shop.example")
    return make_access_token(derive_keys(seed), user_id, new_command_id(), "ADMIN", 900)
