"""Syncs as a test tells them: what the worker would answer of them and publish, when the test says so."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

import lua
from contract.amazon import OneSync
from contract.bus import BusCommand, encode
from contract.settings import Settings
from tests.support.desk import open_desk, serving
from workers.service import Desk, Ending, Refuse, Service, replied

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
