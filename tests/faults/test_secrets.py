"""A whole system that tells all it does: no password and no token is in any file that it leaves, nor in any row."""

import base64
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec
import pytest

import lua
from chaos.waiting import until
from contract.auth_keys import derive_keys, public_keys
from contract.bus import BusCommand, encode, new_command_id
from contract.sealing import seal_body
from contract.seeds import new_seed
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.browsers import Browser
from tests.support.durable import Durable, durable_servers
from tests.support.http import Response, get, init, post, request, send
from tests.support.people import fresh_email
from tests.support.processes import running, running_gateway

pytestmark = [pytest.mark.slow, pytest.mark.fault]

DONE_WITHIN_S = 20.0
REFUSED = (400, 401, 415)


class Kept:
    """What is secret in this run, and what a client was told of it."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def password(self) -> str:
        """A password that nobody else has."""
        word = f"pass {secrets.token_hex(8)}"
        self.secrets.add(word)
        return word

    def note(self, answer: Response, status: int) -> dict[str, Any]:
        """Remember the tokens of an answer; gives its data."""
        assert answer.status == status, answer
        data: dict[str, Any] = answer.json()["data"]
        self.secrets |= {data["token"], data["refreshToken"]}
        return data


async def late(port: int, answer: Response, kept: Kept) -> Response:
    """The reply to a command that is fetched at its place; the key in its URL is secret too."""
    assert answer.status == 202, answer
    place = answer.headers["location"]
    kept.secrets.add(place.rpartition(".")[2])
    answers: list[Response] = []

    async def done() -> bool:
        answers.append(await get(port, place))
        return answers[-1].status != 202

    await until(done, DONE_WITHIN_S)
    return answers[-1]


async def live(settings: Settings, kept: Kept, email: str) -> None:
    """Everything that people do with passwords and tokens, right and wrong."""
    port, browser, right = settings.port, Browser(settings.port), kept.password()
    form = {"email": email, "password": right}
    # Without its worker the command lies in its stream, and in the file of that.
    waiting = await browser.post("/api/auth/register", form, Prefer="wait=0")
    async with running(settings, "worker", "all"), running(settings, "reaper"):
        data = kept.note(await late(port, waiting, kept), 201)
        kept.note(await late(port, await browser.post("/api/auth/login", form, Prefer="wait=0"), kept), 200)
        data = kept.note(await browser.post("/api/auth/login", form), 200)
        for wrong in (kept.password(), kept.password()):
            assert (await browser.post("/api/auth/login", form | {"password": wrong})).status == 401
        data = kept.note(await browser.post("/api/auth/refresh"), 200)
        await order(port, browser, data)
        await mistakes(port, browser, kept, data, email)
        await damage(settings, kept, email)
        assert (await browser.get("/api/auth/me")).status == 200
        assert (await browser.post("/api/auth/logout")).status == 200


async def order(port: int, browser: Browser, data: dict[str, Any]) -> None:
    """Order with the token as a header, and as a cookie."""
    assert (await init(port, "ps5", 10)).status == 200
    me = await browser.get("/api/auth/me")
    wish = {"productId": "ps5", "userId": me.json()["data"]["user"]["id"]}
    by_header = await post(port, "/order", wish, X_Idempotency_Key="one", Authorization=f"Bearer {data['token']}")
    by_cookie = await browser.post("/order", wish, X_Idempotency_Key="two")
    assert (by_header.status, by_cookie.status) == (200, 200), (by_header, by_cookie)


async def mistakes(port: int, browser: Browser, kept: Kept, data: dict[str, Any], email: str) -> None:
    """Requests that are refused, with something secret where it does not belong."""
    password = kept.password()
    forms = ({"email": password, "password": email}, {"password": password}, {"email": email, "password": [password]})
    for form in (*forms, {"email": email, "password": password, "again": password}):
        for route in ("register", "login"):
            assert (await browser.post(f"/api/auth/{route}", form)).status in REFUSED, form
    for body in (password.encode(), b'{"email":"' + email.encode() + b'","password":"' + password.encode()):
        raw = request("POST", "/api/auth/login", body, Content_Type="application/json")
        assert (await send(port, raw)).status in REFUSED
    damaged = data["token"][:-4] + "AAAA"
    kept.secrets.add(damaged)
    assert (await get(port, "/api/auth/me", Authorization=f"Bearer {damaged}")).status == 401
    guess = secrets.token_urlsafe(32)
    kept.secrets.add(guess)
    assert (await post(port, "/api/auth/refresh", {"refreshToken": guess})).status == 401


async def damage(settings: Settings, kept: Kept, email: str) -> None:
    """Commands of the auth worker that it cannot handle, or cannot read."""
    fields = {"email": email, "password": kept.password()}
    sealed, _ = seal_body(public_keys(settings), fields)
    foreign, _ = seal_body(derive_keys(new_seed()).public, fields)
    commands = [
        BusCommand(id=new_command_id(), kind="of a later version", body=msgspec.Raw(encode(sealed))),
        BusCommand(id=new_command_id(), kind="login", body=msgspec.Raw(encode(foreign)), reply_to="nobody"),
    ]
    texts = [msgspec.json.encode(command) for command in commands]
    redis = open_redis(settings)
    try:
        for text in (*texts, texts[0][:-20]):
            assert await lua.submit(redis, "auth", text, 100)

        async def both_are_dead() -> bool:
            return await cast(Any, redis).xlen(lua.dead_commands_key("auth")) == 2

        await until(both_are_dead, DONE_WITHIN_S)
    finally:
        await redis.aclose()


async def everything(durable: Durable) -> dict[str, bytes]:
    """All that is left: every file of the system, as it is when it has ended, and every row."""
    redis: Any = open_redis(durable.settings)
    # Compressed, a text is there and cannot be found.
    await redis.config_set("rdbcompression", "no")
    await redis.save()
    await redis.aclose()
    connection = cast(Any, await asyncpg.connect(durable.settings.postgres_url))
    found: dict[str, bytes] = {}
    for (name,) in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        rows = await connection.fetch(f'SELECT own::text AS row FROM "{name}" AS own')
        found[f"table {name}"] = "\n".join(row["row"] for row in rows).encode()
    await connection.close()
    await durable.redis.stop()
    await durable.postgres.stop()
    directory = durable.settings.data_dir
    return found | {str(path.relative_to(directory)): path.read_bytes() for path in files(directory)}


def files(directory: Path) -> Iterable[Path]:
    """All files below a directory."""
    return (path for path in directory.rglob("*") if path.is_file())


def forms(text: str) -> set[bytes]:
    """A text as somebody may have kept it."""
    raw = text.encode()
    return {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}


def places(kept: dict[str, bytes], text: str) -> set[str]:
    """Where a text is, in any of its forms."""
    return {place for place, content in kept.items() if any(form in content for form in forms(text))}


async def test_what_is_secret_is_in_no_file_and_in_no_row(tmp_path: Path) -> None:
    kept, email, asked = Kept(), fresh_email(), f"request-{secrets.token_hex(8)}"
    more = {"log_level": "debug", "order_auth": "required", "ask_timeout_s": 20.0, "rate_per_s": 100_000.0}
    async with durable_servers(tmp_path, **more) as durable:
        async with running_gateway(durable.settings) as gateway:
            await live(gateway, kept, email)
            await post(gateway.port, "/api/cart", {"gameId": "x"}, X_Request_Id=asked, Prefer="wait=0")
        left = await everything(durable)
    assert len(kept.secrets) >= 15
    assert {secret: places(left, secret) for secret in kept.secrets if places(left, secret)} == {}
    # The same search finds what is there: an address in rows and in the files below them, a request in log and stream.
    of_email, of_request = places(left, email), places(left, asked)
    assert "table users" in of_email
    assert any(place.startswith("postgres/data/") for place in of_email)
    assert "gateway.log" in of_request
    assert {place.rpartition(".")[2] for place in of_request if place.startswith("valkey/")} >= {"aof", "rdb"}
    assert {"worker-all.log", "reaper.log", "valkey/log", "postgres/log"} <= set(left)
