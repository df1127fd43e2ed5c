"""A crowd that watches races: half of it by WebSocket, half by server-sent events, on an event loop of its own thread.

It only notes which version of the race came when, because whatever it does costs processor time of the same machine.
"""

import asyncio
import base64
import re
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import uvloop

from bench.loopback import LOOPBACK

WITHIN_S = 30.0
# Connections that are opened at once: fewer than the kernel's queue of a listening socket holds.
AT_ONCE = 100
# Every message has one version; in a text, quotation marks are escaped.
VERSION = re.compile(rb'"version":(\d+)')
KEPT_BYTES = 32
T = TypeVar("T")


class Watcher(asyncio.Protocol):
    """One connection: it notes when each version came, even where that is cut in two by the network."""

    def __init__(self, crowd: "Crowd", request: bytes) -> None:
        self._crowd = crowd
        self._request = request
        self._rest = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to watch."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note what came."""
        now = time.perf_counter()
        text = self._rest + data
        end = 0
        for found in VERSION.finditer(text):
            # A number at the end may go on.
            if found.end() < len(text):
                self._crowd.note(int(found[1]), now)
                end = found.end()
        self._rest = text[max(end, len(text) - KEPT_BYTES) :]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody leaves before the end."""
        self._crowd.lost += not self._crowd.leaves


class Crowd:
    """All watchers. `times` are the moments of `perf_counter` at which each version came to one of them; `lost` counts
    those whose connection has ended before `leave`."""

    def __init__(self, port: int) -> None:
        self.times: defaultdict[int, list[float]] = defaultdict(list)
        self.lost = 0
        self.leaves = False
        self._port = port
        self._watchers: list[Watcher] = []
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def note(self, version: int, now: float) -> None:
        """A version has come to somebody."""
        self.times[version].append(now)

    def come(self, count: int) -> None:
        """So many begin to watch, and hear where the race stands. Raises TimeoutError."""
        before = self._heard()
        self._run(self._come(count))
        self.wait(lambda: self._heard() - before >= count)

    def leave(self) -> None:
        """All of them leave."""
        self.leaves = True
        self._run(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait(self, true: Any, within_s: float = WITHIN_S) -> None:
        """Wait until something is true. Raises TimeoutError."""
        deadline = time.monotonic() + within_s
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(0.005)

    def _heard(self) -> int:
        return sum(map(len, self.times.copy().values()))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_S)

    async def _come(self, count: int) -> None:
        for first in range(0, count, AT_ONCE):
            numbers = range(first, min(count, first + AT_ONCE))
            self._watchers += await asyncio.gather(*(self._dial(number) for number in numbers))

    async def _dial(self, number: int) -> Watcher:
        request = self._upgrade() if number % 2 else self._stream()
        _, watcher = await self._loop.create_connection(lambda: Watcher(self, request), LOOPBACK, self._port)
        return watcher

    def _stream(self) -> bytes:
        head = f"GET /api/wager-races/events HTTP/1.1\r\nHost: {LOOPBACK}:{self._port}\r\n"
        return f"{head}Accept: text/event-stream\r\n\r\n".encode()

    def _upgrade(self) -> bytes:
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        head = (
            f"GET /ws/races HTTP/1.1\r\nHost: {LOOPBACK}:{self._port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        )
        return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()

    async def _leave(self) -> None:
        for watcher in self._watchers:
            watcher.transport.abort()
