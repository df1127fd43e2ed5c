"""One connection to Redis for one caller's commands, in their order: the way of the sale lane.

redis-py packs every argument of an asynchronous command in Python and keeps a pool, hooks and metrics around it, which
for a batch of orders costs more than deciding them. Here hiredis packs and parses, and nothing stands between. The
meaning is the same: no command is ever sent twice, errors are redis-py's, and a connection whose replies could no
longer be told apart is closed.

A line may listen to a channel besides (RESP3): what is published comes between the replies, in the order in which
Redis did things, which no second connection could promise.
"""

import asyncio
from collections import deque
from typing import Any, Protocol, cast

import hiredis
from redis._parsers.base import BaseParser
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Future = asyncio.Future[Any]
_Push: type = cast(Any, hiredis).PushNotification


class Listener(Protocol):
    """Who is told what is published on a line's channel."""

    def begin(self) -> None:
        """From now on everything is heard."""
        ...

    def hear(self, message: bytes) -> None:
        """Something was published."""
        ...

    def end(self) -> None:
        """The connection is gone, and something may be missed until the next beginning."""
        ...


class Line:
    """A connection that opens itself when it is needed. Cancelling a caller does not disturb the others."""

    def __init__(self, url: str, timeout_s: float, *, channel: str = "", listener: Listener | None = None) -> None:
        given: Any = parse_url(url)
        self._host: str = given.get("host", "localhost")
        self._port: int = given.get("port", 6379)
        self._channel = channel
        self._listener = listener
        self._greeting: list[tuple[Any, ...]] = []
        if given.get("password"):
            user = (given["username"],) if given.get("username") else ()
            self._greeting.append(("AUTH", *user, given["password"]))
        if listener is not None:
            self._greeting.append(("HELLO", 3))
        if given.get("db"):
            self._greeting.append(("SELECT", given["db"]))
        self._timeout_s = timeout_s
        self._wire: _Wire | None = None
        self._opening = asyncio.Lock()

    async def execute_command(self, *command: Any) -> Any:
        """The reply to one command. Raises redis-py's errors: of connection, of time, or what Redis answered."""
        wire = self._wire
        if wire is None or wire.broken:
            wire = await self._open()
        return await wire.ask(command)

    async def aclose(self) -> None:
        """Close the connection; what waits for a reply fails."""
        if self._wire is not None:
            self._wire.fail(RedisConnectionError("The connection was closed."))

    def _new_wire(self) -> "_Wire":
        return _Wire(self._timeout_s, self._listener)

    async def _open(self) -> "_Wire":
        async with self._opening:
            if self._wire is not None and not self._wire.broken:
                return self._wire
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._timeout_s):
                    _, wire = await loop.create_connection(
                        lambda: _Wire(self._timeout_s, self._listener), self._host, self._port
                    )
            except TimeoutError:
                raise RedisTimeoutError(f"No connection to {self._host}:{self._port} in time.") from None
            except OSError as error:
                raise RedisConnectionError(f"No connection to {self._host}:{self._port}: {error}.") from error
            try:
                for command in self._greeting:
                    await wire.ask(command)
                if self._listener is not None:
                    wire.tell(("SUBSCRIBE", self._channel))
            except RedisError as error:
                wire.fail(error)
                raise
            self._wire = wire
            return wire


class _Wire(asyncio.Protocol):
    """One TCP connection: commands out, replies in, matched by their order, and what is published between them."""

    def __init__(self, timeout_s: float, listener: Listener | None) -> None:
        self.broken = False
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._listener = listener
        self._waiting: deque[Future] = deque()
        self._transport: Any = None
        parse_error = cast(Any, BaseParser).parse_error
        self._reader: Any = cast(Any, hiredis).Reader(replyError=parse_error)

    async def ask(self, command: tuple[Any, ...]) -> Any:
        """Send a command and wait for its reply."""
        if self.broken:
            raise RedisConnectionError("The connection is gone.")
        reply: Future = self._loop.create_future()
        self._waiting.append(reply)
        self._transport.write(cast(Any, hiredis).pack_command(command))
        limit = self._loop.call_later(self._timeout_s, self._too_late)
        try:
            return await reply
        finally:
            limit.cancel()

    def tell(self, command: tuple[Any, ...]) -> None:
        """Send a command that has no reply, or whose reply comes as something published."""
        self._transport.write(cast(Any, hiredis).pack_command(command))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand every reply to the command that it answers."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not False:
                if isinstance(answer, _Push):
                    self._publish(cast("list[Any]", answer))
                    continue
                reply = self._waiting.popleft()
                if reply.done():
                    continue
                if isinstance(answer, Exception):
                    reply.set_exception(answer)
                else:
                    reply.set_result(answer)
        except (hiredis.ProtocolError, IndexError) as error:
            self.fail(RedisConnectionError(f"Redis does not speak its protocol: {error}."))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; whether the commands that wait have counted, nobody knows."""
        self.fail(RedisConnectionError(f"The connection was lost: {exc or 'closed by Redis'}."))

    def fail(self, error: RedisError) -> None:
        """End the connection and tell everybody who waits."""
        if not self.broken and self._listener is not None:
            self._listener.end()
        self.broken = True
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            reply = self._waiting.popleft()
            if not reply.done():
                reply.set_exception(error)

    def _publish(self, push: list[Any]) -> None:
        if self._listener is None:
            return
        if push[0] == b"subscribe":
            self._listener.begin()
        elif push[0] == b"message":
            self._listener.hear(push[2])

    def _too_late(self) -> None:
        self.fail(RedisTimeoutError(f"Redis did not answer within {self._timeout_s:g} s."))
