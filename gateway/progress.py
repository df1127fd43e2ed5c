"""Who watches which sync: one subscription to the news of all syncs, and for each watcher the newest state of his.

What is published may be lost, and what a worker answers may be older than what was published meanwhile. So a watcher
hears before it asks, asks again whenever something may have been missed, and keeps of two states the later one.
"""

import asyncio
import datetime
from collections import Counter
from typing import NamedTuple

import msgspec

import lua
from contract.errors import NotReady, Overloaded
from contract.telemetry import get_logger
from gateway.newest import Newest
from gateway.subscription import Subscription

WATCHERS_MAX = 1_000
"""Of one gateway process. Each holds a connection, and what `sync_events.BYTES_MAX` allows where it reads nothing."""
OF_ONE_USER_MAX = 8
"""Pages and devices of one person; a browser opens no more than six connections to one place."""
RUNNING = "running"


class TooMany(Exception):
    """One user watches more than OF_ONE_USER_MAX syncs at once."""


class State(NamedTuple):
    """How far a sync is: its document, and what tells a later one from an earlier one."""

    is_final: bool
    updated_at: datetime.datetime
    progress: int
    document: bytes


class _Sync(msgspec.Struct, rename="camel"):
    sync_id: str
    status: str
    progress: int
    updated_at: datetime.datetime


class _Published(msgspec.Struct, rename="camel"):
    user_id: str
    sync: msgspec.Raw


_syncs = msgspec.json.Decoder(_Sync)
_messages = msgspec.json.Decoder(_Published)


def read_state(document: bytes) -> State:
    """The state that a document of a sync tells of. Raises msgspec.MsgspecError."""
    return _state(_syncs.decode(document), document)


class Watcher(Newest[State]):
    """One who watches a sync of his. `must_ask` is set while something may have been missed."""

    def __init__(self, user_id: str, sync_id: str) -> None:
        super().__init__()
        self.user_id = user_id
        self.sync_id = sync_id
        self._must_ask = False

    def doubt(self) -> None:
        """Something may have been missed."""
        self._must_ask = True
        self.wake()

    def take_doubt(self) -> bool:
        """Whether to ask; whoever hears this asks."""
        asks, self._must_ask = self._must_ask, False
        return asks


class Progress:
    """The watchers of this process. `listener` is a client that may wait long for what it reads."""

    def __init__(self, listener: lua.Client, within_s: float) -> None:
        self._within_s = within_s
        self._watchers: dict[str, set[Watcher]] = {}
        self._of_user: Counter[str] = Counter()
        self._subscription = Subscription(listener, [lua.PROGRESS_CHANNEL], self.hear, self._doubt)

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return self._of_user.total()

    async def watch(self, user_id: str, sync_id: str) -> Watcher:
        """A new watcher, once the subscription stands. Raises Overloaded, TooMany, or NotReady when Redis is away."""
        if self.watchers >= WATCHERS_MAX:
            raise Overloaded
        if self._of_user[user_id] >= OF_ONE_USER_MAX:
            raise TooMany
        watcher = Watcher(user_id, sync_id)
        self._watchers.setdefault(sync_id, set()).add(watcher)
        self._of_user[user_id] += 1
        try:
            async with asyncio.timeout(self._within_s):
                await self._subscription.begin()
        except TimeoutError:
            await self.leave(watcher)
            raise NotReady from None
        except BaseException:
            await self.leave(watcher)
            raise
        return watcher

    async def leave(self, watcher: Watcher) -> None:
        """Let a watcher go; with the last one the subscription ends."""
        those = self._watchers.get(watcher.sync_id, set())
        if watcher not in those:
            return
        those.remove(watcher)
        if not those:
            del self._watchers[watcher.sync_id]
        self._of_user[watcher.user_id] -= 1
        if not self._of_user[watcher.user_id]:
            del self._of_user[watcher.user_id]
        if not self._watchers:
            await self.close()

    async def close(self) -> None:
        """End the subscription."""
        await self._subscription.end()

    def hear(self, message: bytes) -> None:
        """Give what was published to those who watch this very sync, and whose it is."""
        try:
            published = _messages.decode(message)
            sync = _syncs.decode(published.sync)
            watchers = self._watchers.get(sync.sync_id, ())
            state = _state(sync, bytes(published.sync))
        except msgspec.MsgspecError as error:
            get_logger().error("the news of a sync cannot be read", error=str(error))
            return
        for watcher in watchers:
            if watcher.user_id == published.user_id:
                watcher.offer(state)

    def _doubt(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.doubt()


def _state(sync: _Sync, document: bytes) -> State:
    return State(sync.status != RUNNING, sync.updated_at, sync.progress, document)
