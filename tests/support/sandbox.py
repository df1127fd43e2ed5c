"""The sandboxes as the tests run them: real processes on ports of their own, told what to do by their own routes."""

import contextlib
import hashlib
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from bench.ports import free_port
from contract.settings import Settings
from contract.upstream_settings import SANDBOX_CREDENTIALS
from tests.support.http import Response, request, send
from tests.support.processes import listening, running

AMAZON_SELLER = "A1SANDBOXSELLER"
"""The seller that consents in the sandbox of Amazon where nobody else was named."""


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox. `settings` lead whoever has them to it."""

    settings: Settings

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.settings.g2a_sandbox_port

    async def ask(self, method: str, path: str, document: Any = None, **headers: str) -> Response:
        """One request, on a connection of its own."""
        body = b"" if document is None else json.dumps(document).encode()
        return await send(self.port, request(method, path, body, Content_Type="application/json", **headers))

    async def contract(self, method: str, path: str, document: Any = None) -> Response:
        """One request of a client of `/contract`, past the project's own."""
        return await self.ask(method, f"/contract{path}", document, **contract_headers())

    async def export(self, method: str, path: str, document: Any = None) -> Response:
        """One request of a client of `/v1`, past the project's own."""
        return await self.ask(method, f"/v1{path}", document, **export_headers())

    async def control(self, **change: Any) -> Any:
        """Change how it behaves; what is not named stays as it is. Gives how it behaves now."""
        return await self._done("PUT", "/sandbox/control", change)

    async def journal(self) -> Any:
        """What it was asked: `total`, `totals` by route and status, and the `requests`."""
        return await self._done("GET", "/sandbox/journal")

    async def orders(self) -> list[dict[str, Any]]:
        """Every order that was made at it, the oldest first."""
        return (await self._done("GET", "/sandbox/orders"))["orders"]

    async def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery of a webhook, the oldest first; those that are still being answered are not in it."""
        return (await self._done("GET", "/sandbox/webhooks"))["deliveries"]

    async def webhook(self, order_id: str, **how: Any) -> Any:
        """Have a webhook sent; gives its `event_id` and `deliveries`."""
        return await self._done("POST", "/sandbox/webhooks", {"order_id": order_id, **how})

    async def reset(self) -> None:
        """Make it forget everything."""
        await self._done("POST", "/sandbox/reset")

    async def _done(self, method: str, path: str, document: Any = None) -> Any:
        reply = await self.ask(method, path, document)
        assert 200 <= reply.status < 300, reply.body
        return reply.json() if reply.body else None


NOBODY = "http://127.0.0.1:1"
"""Where nobody answers for G2A, also while a system of somebody else runs its sandbox on this machine."""


@contextlib.asynccontextmanager
async def running_g2a(settings: Settings) -> AsyncGenerator[Sandbox]:
    """G2A's sandbox inside the block. Its webhooks go to the gateway of these settings, so that has its port first."""
    settings = msgspec.structs.replace(settings, g2a_sandbox_port=free_port(), g2a_url="")
    async with running(settings, "sandbox", "g2a") as process:
        await listening(settings.g2a_sandbox_port, process)
        yield Sandbox(settings)


@dataclass(frozen=True)
class AmazonSandbox:
    """A running sandbox of Amazon. `settings` lead whoever has them to it."""

    settings: Settings

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.settings.amazon_sandbox_port

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """One request, on a connection of its own."""
        return await send(self.port, request(method, path, body, **headers))

    async def control(self, **change: Any) -> Any:
        """Change how it behaves; what is not named stays as it is. Gives how it behaves now."""
        return await self._done("PUT", "/sandbox/control", change)

    async def journal(self) -> Any:
        """What it was asked: `total`, `totals` by route and status, and the `requests`."""
        return await self._done("GET", "/sandbox/journal")

    async def advance(self, **how: Any) -> Any:
        """Let the data of a seller move on; gives what has moved."""
        return await self._done("POST", "/sandbox/advance", how)

    async def expire(self, how: str = "expired") -> None:
        """End all access tokens that were given out so far, which are `expired` or `revoked` then."""
        await self._done("POST", "/sandbox/expire", {"how": how})

    async def books(self, part: str, seller: str = AMAZON_SELLER, **more: str) -> list[dict[str, Any]]:
        """What a client that reads everything must have of `claims`, `inventory`, `orders` or `items`."""
        found: list[dict[str, Any]] = []
        while True:
            query = urlencode({"seller": seller, "part": part, "offset": len(found), **more})
            page = await self._done("GET", f"/sandbox/books?{query}")
            found += page["rows"]
            if len(found) >= page["total"]:
                return found

    async def reset(self) -> None:
        """Make it forget everything."""
        await self._done("POST", "/sandbox/reset")

    async def login(self, **form: str) -> Response:
        """Ask for an access token, with the client's own id and secret where no others are given."""
        _, client_id, secret = self.settings.amazon_client
        body = urlencode({"client_id": client_id, "client_secret": secret, **form}).encode()
        return await self.ask("POST", "/auth/o2/token", body, Content_Type="application/x-www-form-urlencoded")

    async def consent(self, back: str = "http://127.0.0.1:1/back", **more: str) -> dict[str, str]:
        """Let the seller whom the control names consent; what he is sent back with."""
        asked = {"application_id": self.settings.amazon_client[0], "state": "a-state", "redirect_uri": back, **more}
        reply = await self.ask("GET", f"/apps/authorize/consent?{urlencode(asked)}")
        assert reply.status == 302, reply.body
        return dict(parse_qsl(urlsplit(reply.headers["location"]).query))

    async def refresh_token(self, seller: str = AMAZON_SELLER) -> str:
        """A refresh token of a seller, who is then the one that consents."""
        await self.control(seller=seller)
        code = (await self.consent())["spapi_oauth_code"]
        return (await self.login(grant_type="authorization_code", code=code)).json()["refresh_token"]

    async def access_token(self, seller: str = AMAZON_SELLER) -> str:
        """An access token of a seller."""
        refresh_token = await self.refresh_token(seller)
        reply = await self.login(grant_type="refresh_token", refresh_token=refresh_token)
        return reply.json()["access_token"]

    async def get(self, path: str, token: str, **query: Any) -> Response:
        """One request of a client of the API, past the project's own."""
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return await self.ask("GET", target, x_amz_access_token=token, User_Agent="Tests/1.0 (Language=Python)")

    async def _done(self, method: str, path: str, document: Any = None) -> Any:
        body = b"" if document is None else json.dumps(document).encode()
        reply = await self.ask(method, path, body)
        assert 200 <= reply.status < 300, reply.body
        return reply.json() if reply.body else None


@contextlib.asynccontextmanager
async def running_amazon(settings: Settings) -> AsyncGenerator[AmazonSandbox]:
    """Amazon's sandbox inside the block."""
    settings = msgspec.structs.replace(settings, amazon_sandbox_port=free_port(), amazon_url="")
    async with running(settings, "sandbox", "amazon") as process:
        await listening(settings.amazon_sandbox_port, process)
        yield AmazonSandbox(settings)


def contract_headers(timestamp: float | None = None) -> dict[str, str]:
    """The headers that prove to `/contract` who asks, as the contract has them."""
    at = str(int(time.time() if timestamp is None else timestamp))
    known_hash, key, _ = SANDBOX_CREDENTIALS
    proof = hashlib.sha256(f"{known_hash}{key}{at}".encode()).hexdigest()
    return {"X-API-HASH": known_hash, "X-API-KEY": key, "X-G2A-Timestamp": at, "X-G2A-Hash": proof}


def export_headers() -> dict[str, str]:
    """The header that proves to `/v1` who asks."""
    known_hash, key, email = SANDBOX_CREDENTIALS
    return {"Authorization": f"{known_hash}, {hashlib.sha256(f'{known_hash}{email}{key}'.encode()).hexdigest()}"}


@dataclass(frozen=True)
class GoatedSandbox:
    """A running sandbox of Goated. `settings` lead whoever has them to it."""

    settings: Settings

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.settings.goated_sandbox_port

    async def ask(self, method: str, path: str, document: Any = None, **headers: str) -> Response:
        """One request, on a connection of its own."""
        body = b"" if document is None else json.dumps(document).encode()
        return await send(self.port, request(method, path, body, Content_Type="application/json", **headers))

    async def fetch(self, **headers: str) -> Response:
        """The leaderboard, past the project's own client, with the token of the settings unless another is given."""
        code, token, _ = self.settings.goated_credentials
        headers = {"Authorization": f"Bearer {token}"} | headers
        return await self.ask("GET", f"/user/affiliate/referral-leaderboard/{code}", **headers)

    async def control(self, **change: Any) -> Any:
        """Change how it behaves; what is not named stays as it is. Gives how it behaves now."""
        return await self._done("PUT", "/sandbox/control", change)

    async def advance(self, **how: Any) -> Any:
        """Move the clock and the people; gives what time it is `at`, and the uids `added`, `removed` and `renamed`."""
        return await self._done("POST", "/sandbox/advance", how)

    async def expire(self) -> None:
        """End the bearer tokens that are good."""
        await self._done("POST", "/sandbox/expire")

    async def journal(self) -> Any:
        """What it was asked: `total`, `totals` by route and status, and the `requests`."""
        return await self._done("GET", "/sandbox/journal")

    async def books(self, top: int = 10) -> Any:
        """What is true now: `people`, and `sums`, `active` and `top` by period."""
        return await self._done("GET", f"/sandbox/books?top={top}")

    async def rows(self) -> list[dict[str, Any]]:
        """Everybody that the computed list has, with amounts as texts."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self._done("GET", f"/sandbox/books?top=0&limit=20000&offset={len(found)}")
            found += page["rows"]
            if len(found) >= page["people"]:
                return found

    async def reset(self) -> None:
        """Make it forget everything."""
        await self._done("POST", "/sandbox/reset")

    async def _done(self, method: str, path: str, document: Any = None) -> Any:
        reply = await self.ask(method, path, document)
        assert 200 <= reply.status < 300, reply.body
        return reply.json() if reply.body else None


@contextlib.asynccontextmanager
async def running_goated(settings: Settings) -> AsyncGenerator[GoatedSandbox]:
    """Goated's sandbox inside the block."""
    settings = msgspec.structs.replace(settings, goated_sandbox_port=free_port(), goated_url="")
    async with running(settings, "sandbox", "goated") as process:
        await listening(settings.goated_sandbox_port, process)
        yield GoatedSandbox(settings)
