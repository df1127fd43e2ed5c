"""HTTP/1.1 on a socket: requests in, answers out, also such as no sound server gives.

It reads with h11, and has the socket in its own hands: a web server would not let go of a connection without an answer,
nor send half of one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import parse_qsl

import h11

# A client of ours keeps a few connections open; a test of many workers some dozens.
CONNECTIONS_MAX = 512
# The head of a request has a few hundred bytes; the largest body is a control document.
HEAD_BYTES_MAX = 16_384
BODY_BYTES_MAX = 262_144
READ_BYTES = 65_536
# How long a connection may say nothing, between requests and within one.
IDLE_S = 60.0
# How long a client that was turned away may go on sending.
LINGER_S = 1.0
# How long a request is left without an answer, when it is to hang: longer than any client of ours waits.
HANG_S = 120.0
NOT_MODIFIED = 304

Sent = Literal["whole", "half", "none", "hang"]
"""What a client gets of an answer: all of it, half of it, only the end of its connection, or nothing at all."""


class Request(NamedTuple):
    """A request; header names are lower case, and what a query names several times stands with commas between."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """An answer, and how much of it is sent."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    sent: Sent = "whole"


Answer = Callable[[Request], Awaitable[Reply]]


class TooLarge(Exception):
    """A body beyond the limit."""


class Listener:
    """A server on one port of loopback."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> None:
        """Listen. Raises OSError when that is not possible."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=CONNECTIONS_MAX)

    async def stop(self) -> None:
        """Close everything, also what waits for an answer."""
        if self._server:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections.add(task)
        try:
            # A client that goes away, stays silent or talks nonsense costs its own connection and nothing else.
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError, h11.RemoteProtocolError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        while True:
            try:
                request = await _read(connection, reader, writer)
            except (TooLarge, h11.RemoteProtocolError) as error:
                status = 413 if isinstance(error, TooLarge) else error.error_status_hint
                await _turn_away(connection, reader, writer, Reply(status))
                return
            if request is None:
                return
            reply = await self._answer(request)
            if reply.sent == "hang":
                async with asyncio.timeout(HANG_S):
                    await reader.read(1)
            if reply.sent in ("hang", "none"):
                writer.transport.abort()
                return
            await _send(connection, writer, reply)
            if reply.sent == "half" or connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()


async def _read(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    """The next request; None when the client has closed. Raises TooLarge, h11.RemoteProtocolError, TimeoutError."""
    head: h11.Request | None = None
    body = b""
    async with asyncio.timeout(IDLE_S):
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                connection.receive_data(await reader.read(READ_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > BODY_BYTES_MAX:
                    raise TooLarge
            elif isinstance(event, h11.EndOfMessage) and head:
                return _request(head, body)
            else:
                return None


async def _turn_away(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply
) -> None:
    """Answer a request that was not read to its end."""
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return
    await _send(connection, writer, reply)
    writer.write_eof()
    # Who closes while something of the client's is unread takes the answer back, so the rest is heard out.
    async with asyncio.timeout(LINGER_S):
        while await reader.read(READ_BYTES):
            pass


def _request(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("latin-1").partition("?")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    given: dict[str, str] = {}
    for name, value in parse_qsl(query):
        given[name] = f"{given[name]},{value}" if name in given else value
    return Request(head.method.decode("latin-1"), path, given, headers, body)


async def _send(connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> None:
    content = [("content-type", reply.content_type), ("content-length", str(len(reply.body)))]
    # What a client has already is not described again.
    headers = [*([] if reply.status == NOT_MODIFIED else content), *reply.headers]
    said: Any = connection.send(h11.Response(status_code=reply.status, headers=headers))
    if reply.sent == "half":
        writer.write(said + reply.body[: len(reply.body) // 2])
    else:
        body: Any = connection.send(h11.Data(data=reply.body))
        writer.write(said + body + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()
