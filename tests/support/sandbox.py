"""The sandbox of G2A as the tests run it: a real process on a port of its own, told what to do by its own routes."""

import contextlib
import hashlib
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.ports import free_port
from contract.settings import SANDBOX_CREDENTIALS, Settings
from tests.support.http import Response, request, send
from tests.support.processes import listening, running


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
