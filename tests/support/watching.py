"""A WebSocket client over a plain socket: a well-behaved watcher of events, and one that can stop reading."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

from tests.support.http import Response

HEARS_WITHIN_S = 10.0


class Denied(Exception):
    """The server answered the upgrade with a response of its own."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response


class Watching:
    """One connection to /events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.closed: CloseConnection | None = None
        self._reader, self._writer = reader, writer
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._waiting: list[Event] = []

    async def open(self, path: str, headers: dict[str, str]) -> None:
        """Ask for the upgrade. Raises Denied."""
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.say(Request(host="localhost", target=path, extra_headers=extra))
        event = await self._event()
        if isinstance(event, RejectConnection):
            body = b""
            while event.has_body and isinstance(data := await self._event(), RejectData):
                body += bytes(data.data)
                if data.body_finished:
                    break
            raise Denied(Response(event.status_code, _decoded(event.headers), body))
        assert isinstance(event, AcceptConnection), event

    async def hear(self, within_s: float = HEARS_WITHIN_S) -> Any:
        """The next message, decoded; None when the server has closed."""
        text = ""
        while True:
            event = await self._event(within_s)
            if isinstance(event, CloseConnection):
                self.closed = event
                return None
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return json.loads(text)

    async def hear_until(self, **fields: Any) -> list[Any]:
        """Messages up to and including the first with these fields."""
        heard: list[Any] = []
        while not heard or any(heard[-1].get(name) != value for name, value in fields.items()):
            heard.append(await self.hear())
            assert heard[-1] is not None, f"the server closed: {self.closed}"
        return heard

    def say(self, event: Event) -> None:
        """Send something."""
        self._writer.write(self._wire.send(event))

    async def leave(self) -> None:
        """Close the connection without a word, as a browser that crashed."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _event(self, within_s: float = HEARS_WITHIN_S) -> Event:
        async with asyncio.timeout(within_s):
            while not self._waiting:
                data = await self._reader.read(65_536)
                self._wire.receive_data(data or None)
                self._waiting += list(self._wire.events())
        return self._waiting.pop(0)


@contextlib.asynccontextmanager
async def watching(port: int, query: str = "", at: str = "/events", **headers: str) -> AsyncIterator[Watching]:
    """A watcher of /events, or of what is told elsewhere, inside the block. Raises Denied."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    watcher = Watching(reader, writer)
    try:
        await watcher.open(at + query, headers)
        yield watcher
    finally:
        await watcher.leave()


def message(size: int, binary: bool) -> TextMessage | BytesMessage:
    """Something that a watcher is not expected to say."""
    return BytesMessage(data=b"x" * size) if binary else TextMessage(data="x" * size)


def _decoded(headers: Any) -> dict[str, str]:
    return {bytes(name).decode("latin-1").lower(): bytes(value).decode("latin-1") for name, value in headers}
