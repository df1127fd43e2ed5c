"""Syncs as a test tells them: what the worker would answer of them and publish, when the test says so."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import lua
from contract.access_tokens import make_access_token
from contract.amazon import OneSync
from contract.auth_keys import private_keys
from contract.bus import BusCommand, encode, new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.desk import open_desk, serving
from tests.support.processes import running_gateway
from tests.support.servers import Servers
from tests.support.streams import Stream, streaming
from workers.service import Desk, Ending, Refuse, Service, replied

EVENTS = "/api/sync/events/"
BEGAN_AT = datetime.datetime(2026, 11, 27, 8, tzinfo=datetime.UTC)


class ToldSyncs:
    """Syncs by their ids. While `may_answer` is not set, whoever asks waits."""

    def __init__(self, redis: lua.Client) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._redis = redis
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def know(self, user_id: str, sync_id: str, step: int, status: str = "running", message: str = "") -> None:
        """What is told of a sync from now on to who asks; each step is a second later."""
        at = BEGAN_AT + datetime.timedelta(seconds=step)
        document = {"syncId": sync_id, "status": status, "progress": step, "message": message, "updatedAt": at}
        self._known[user_id, sync_id] = document

    async def publish(self, user_id: str, sync_id: str, step: int, status: str = "running", message: str = "") -> None:
        """Go on, and publish it."""
        self.know(user_id, sync_id, step, status, message)
        news = {"userId": user_id, "steps": step, "sync": self._known[user_id, sync_id]}
        await lua.publish_progress(self._redis, encode(news))

    def forget(self, user_id: str, sync_id: str) -> None:
        """There is no such sync any more."""
        del self._known[user_id, sync_id]

    async def answer(self, _desk: Desk, command: BusCommand) -> Ending:
        """The handler of `sync_status`."""
        self.asked += 1
        found = self._known.get((command.user_id, msgspec.json.decode(command.body, type=OneSync).sync_id))
        await self.may_answer.wait()
        if found is None:
            raise Refuse(404, "SYNC_NOT_FOUND", "Sync not found")
        return replied(found)


@contextlib.asynccontextmanager
async def telling(settings: Settings) -> AsyncGenerator[ToldSyncs]:
    """A worker inside the block that answers as the test tells it."""
    handlers: dict[str, Any] = {}
    service = Service("amazon", handlers, query_file="bus")
    async with open_desk(settings, service) as desk:
        told = ToldSyncs(desk.redis)
        handlers["sync_status"] = told.answer
        async with serving(desk, service):
            yield told


class Scene(NamedTuple):
    """A gateway, a worker that answers what the test has it know, and somebody who has a sync."""

    settings: Settings
    told: ToldSyncs
    redis: Any
    user_id: str
    sync_id: str
    token: str

    def watching(self, **headers: str) -> contextlib.AbstractAsyncContextManager[Stream]:
        """A stream of this sync."""
        known = {"Authorization": f"Bearer {self.token}"} | headers
        return streaming(self.settings.port, EVENTS + self.sync_id, **known)

    async def publish(self, step: int, status: str = "running", message: str = "") -> None:
        """The sync goes on."""
        await self.told.publish(self.user_id, self.sync_id, step, status, message)

    async def listeners(self) -> int:
        """How many processes listen to the news of syncs."""
        return (await self.redis.pubsub_numsub(lua.PROGRESS_CHANNEL))[0][1]


@contextlib.asynccontextmanager
async def open_scene(servers: Servers, directory: Path) -> AsyncGenerator[Callable[[], Scene]]:
    """A gateway and the worker inside the block; gives what makes a sync that has begun, of somebody new."""
    settings = Settings(
        redis_url=servers.redis_url, postgres_url=servers.postgres_url, data_dir=directory, redis_timeout_s=5
    )
    redis = open_redis(settings)
    await redis.flushall()
    async with running_gateway(settings) as own, telling(own) as told:

        def begin() -> Scene:
            user_id, token = somebody(own)
            sync_id = f"sync_{user_id}_1795766400000"
            told.know(user_id, sync_id, 0)
            return Scene(own, told, redis, user_id, sync_id, token)

        yield begin
    await redis.aclose()


def somebody(settings: Settings) -> tuple[str, str]:
    """The id and the access token of somebody new."""
    user_id = new_command_id()
    return user_id, make_access_token(private_keys(settings), user_id, new_command_id(), "USER", 900)
