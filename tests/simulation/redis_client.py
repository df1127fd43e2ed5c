"""A client of the modelled Redis, with the calls of redis-py that our code makes, each as one message."""

import asyncio
from collections.abc import Callable
from typing import Any

from redis.exceptions import ResponseError

from tests.simulation.network import Link
from tests.simulation.redis_model import RedisModel
from tests.simulation.redis_scripts import SCRIPTS, Script


class RedisClient:
    """What stands in for `redis.asyncio.Redis`."""

    def __init__(self, model: RedisModel, link: Link, scripts: dict[str, Script] | None = None) -> None:
        self._model = model
        self._link = link
        self._scripts = scripts or SCRIPTS

    async def execute_command(self, command: str, sha: str, count: int, *rest: Any) -> Any:
        """Run one of our scripts."""
        assert command == "EVALSHA"
        keys, arguments = list(rest[:count]), [as_bytes(value) for value in rest[count:]]
        return await self._ask(lambda: self._scripts[sha](self._model, keys, arguments))

    async def xgroup_create(self, name: str, group: str, id: str, mkstream: bool) -> None:
        assert mkstream
        await self._ask(lambda: self._model.xgroup_create(name, group, id))

    async def xreadgroup(
        self, group: str, consumer: str, streams: dict[str, str], count: int, block: int | None = None
    ) -> list[Any]:
        ((name, start),) = streams.items()
        if start != ">":
            return await self._ask(lambda: [[name.encode(), self._model.xread_held(name, group, consumer, count)]])
        found = await self._ask(lambda: self._read(name, group, consumer, count, (block or 0) / 1000))
        return [[name.encode(), found]] if found else []

    async def xautoclaim(
        self, name: str, group: str, consumer: str, idle_ms: int, start_id: str | bytes, count: int
    ) -> list[Any]:
        start = start_id.decode() if isinstance(start_id, bytes) else start_id
        return await self._ask(lambda: self._model.xautoclaim(name, group, consumer, idle_ms, start, count))

    async def xrange(self, name: str, first: str = "-", last: str = "+", count: int | None = None) -> list[Any]:
        return await self._ask(lambda: self._model.xrange(name, first, last, count))

    async def hkeys(self, name: str) -> list[bytes]:
        return await self._ask(lambda: list(self._model.fields(name)))

    async def get(self, name: str) -> bytes | None:
        return await self._ask(lambda: self._model.get(name))

    async def hgetall(self, name: str) -> dict[bytes, bytes]:
        return await self._ask(lambda: dict(self._model.fields(name)))

    async def pttl(self, name: str) -> int:
        """Milliseconds to the end of a key; -1 where it has none, -2 where there is no key."""
        return await self._ask(lambda: self._model.ttl_ms(name))

    async def time(self) -> tuple[int, int]:
        return await self._ask(lambda: divmod(self._model.now_us, 1_000_000))

    async def mget(self, names: list[str]) -> list[bytes | None]:
        return await self._ask(lambda: [self._model.get(name) for name in names])

    async def set(self, name: str, value: bytes, ex: int) -> None:
        await self._ask(lambda: self._model.set(name, value, ex * 1000))

    def pipeline(self, transaction: bool) -> "Pipeline":
        assert not transaction
        return Pipeline(self._model, self._ask)

    async def _ask(self, effect: Callable[[], Any]) -> Any:
        return await self._link.ask(self._model, effect)

    def _read(self, name: str, group: str, consumer: str, count: int, block_s: float) -> Any:
        """The entries, or the future of what comes within `block_s`."""
        found = self._model.xread_new(name, group, consumer, count)
        stream = self._model.stream(name)
        if found or not block_s or not stream:
            return found
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        ends_s = loop.time() + block_s

        def look(_woken: Any) -> None:
            if answer.cancelled():
                return
            try:
                again = self._model.xread_new(name, group, consumer, count)
            except ResponseError as error:
                answer.set_exception(error)
                return
            if again or loop.time() >= ends_s:
                answer.set_result(again)
            else:
                wait()

        def wait() -> None:
            woken: asyncio.Future[Any] = loop.create_future()
            woken.add_done_callback(look)
            stream.waiting.append(woken)
            loop.call_at(ends_s, lambda: woken.done() or woken.set_result(None))

        wait()
        return answer


class Pipeline:
    """Commands that travel together. Unless told otherwise, the first that fails is what the caller sees."""

    def __init__(self, model: RedisModel, ask: Callable[[Callable[[], Any]], Any]) -> None:
        self._model = model
        self._ask = ask
        self._commands: list[Callable[[], Any]] = []

    async def __aenter__(self) -> "Pipeline":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._commands = []

    def xpending_range(self, name: str, group: str, first: str, last: str, count: int) -> None:
        self._commands.append(lambda: self._model.xpending(name, group, first, last)[:count])

    def set(self, name: str, value: bytes, nx: bool, pxat: int) -> None:
        assert nx
        self._commands.append(lambda: self._model.get(name) or self._model.set(name, value, pxat - self._model.now_ms))

    def xadd(self, *_: Any, **__: Any) -> None:
        """An answer to a question; nobody reads it here."""

    def expire(self, *_: Any) -> None:
        """The end of a stream of answers."""

    def publish(self, *_: Any) -> None:
        """News for gateway processes; there are none here."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        results: list[Any] = await self._ask(lambda: [_attempt(command) for command in self._commands])
        for number, result in enumerate(results, 1):
            if raise_on_error and isinstance(result, ResponseError):
                # As redis-py tells it: the words of Redis do not stand first any more.
                raise ResponseError(f"Command # {number} of pipeline caused error: {result.args}")
        return results


def _attempt(command: Callable[[], Any]) -> Any:
    try:
        return command()
    except ResponseError as error:
        return error


def as_bytes(value: Any) -> bytes:
    """An argument as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode()
