"""Who watches the race that is open: one subscription and one newest state of a process, however many watch.

What is published may be lost, and what is asked for may be older than what was published meanwhile. So this hears
before it asks, asks again whenever something may have been missed, and keeps of two states the later one. It asks by
way of the cache, so that watchers are told something while the worker is away; what is old there is asked for again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

import msgspec

import lua
from contract.errors import NotReady, Overloaded
from contract.telemetry import get_logger
from gateway.newest import Newest
from gateway.subscription import Subscription

WATCHERS_MAX = 10_000
"""Of one gateway process. Each holds a connection, and what `race_events.BYTES_MAX` allows where it reads nothing."""
AT_ONCE = 20
PAUSE_S = 0.01
"""Watchers who are told at once, and the pause before the next: orders have their turn in between. With a hundred at
once the slowest orders beside a notice took three times as long, and of a race that moves every five minutes nobody
needs to hear half a second earlier."""
ASK_EVERY_S = 60.0
"""What was published may have been lost, and a race whose time is over changes without any news."""
ASK_AGAIN_S = 2.0
"""The first pause where what was told is not the newest, or nothing was; each is twice the one before it."""
_RANKS = {"live": 0, "transition": 1, "completed": 2}


class State(NamedTuple):
    """Where a race stands: its message, and what tells a later one from an earlier one."""

    version: int
    race_id: str
    rank: int
    message: bytes


class _News(msgspec.Struct, rename="camel"):
    version: int
    race_id: str
    status: Literal["live", "transition", "completed"]


Ask = Callable[[], Awaitable[tuple[bytes, int]]]
"""Gives the newest document that can be had, and how many seconds old it is."""
_news = msgspec.json.Decoder(_News)


def read_state(document: bytes) -> State:
    """The state that a document of the worker tells of. Raises msgspec.MsgspecError."""
    news = _news.decode(document)
    # Decoded and encoded once more, an amount would lose digits.
    return State(news.version, news.race_id, _RANKS[news.status], b'{"type":"race",' + document.lstrip()[1:])


class RaceNews:
    """The watchers of this process. `listener` is a client that may wait long for what it reads."""

    def __init__(self, listener: lua.Client, within_s: float, ask: Ask) -> None:
        self._within_s = within_s
        self._ask = ask
        self._watchers: set[Newest[State]] = set()
        self._coming = 0
        self._newest: State | None = None
        self._is_news = asyncio.Event()
        self._in_doubt = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []
        self._subscription = Subscription(listener, [lua.RACES_CHANNEL], self.hear, self._in_doubt.set)

    @property
    def watchers(self) -> int:
        """How many watch now, or are about to."""
        return len(self._watchers) + self._coming

    async def watch(self, since: int | None = None) -> Newest[State]:
        """A new watcher, who is told where the race stands unless that is `since`, and then of each change.

        Raises Overloaded, NotReady when Redis is away, and what asking raises where nothing is known.
        """
        if self.watchers >= WATCHERS_MAX:
            raise Overloaded
        self._coming += 1
        try:
            state = await self._begin()
            watcher = Newest[State]()
            if state.version == since:
                watcher.know(state)
            else:
                watcher.offer(state)
            self._watchers.add(watcher)
            return watcher
        finally:
            self._coming -= 1
            await self._end_unless_watched()

    async def leave(self, watcher: Newest[State]) -> None:
        """Let a watcher go; with the last one the subscription ends."""
        self._watchers.discard(watcher)
        await self._end_unless_watched()

    async def close(self) -> None:
        """End the subscription, and forget what is known: it grows old from now on."""
        working, self._working = self._working, []
        self._newest = None
        for task in working:
            task.cancel()
        await self._subscription.end()
        await asyncio.gather(*working, return_exceptions=True)

    def hear(self, message: bytes) -> None:
        """Keep what was published."""
        try:
            self._keep(read_state(message))
        except msgspec.MsgspecError as error:
            get_logger().error("the news of a race cannot be read", error=str(error))

    async def _begin(self) -> State:
        """Listen, if that has not begun, and give where the race stands."""
        try:
            async with asyncio.timeout(self._within_s):
                await self._subscription.begin()
        except TimeoutError:
            raise NotReady from None
        if not self._working:
            self._in_doubt.clear()
            self._working = [asyncio.create_task(self._keep_up()), asyncio.create_task(self._tell())]
        if self._newest is not None:
            return self._newest
        document, age_s = await self._ask()
        if age_s:
            self._in_doubt.set()
        return self._keep(read_state(document))

    async def _end_unless_watched(self) -> None:
        if not self.watchers:
            await self.close()

    def _keep(self, state: State) -> State:
        """Keep a state unless a later one is known; gives the later of both."""
        if self._newest is None or state[:-1] > self._newest[:-1]:
            self._newest = state
            self._is_news.set()
        return self._newest

    async def _keep_up(self) -> None:
        """Ask again where something may have been missed, and from time to time."""
        pause_s, again_s = ASK_EVERY_S, ASK_AGAIN_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._in_doubt.wait()
            self._in_doubt.clear()
            try:
                document, age_s = await self._ask()
                self._keep(read_state(document))
            except Exception as error:
                get_logger().warning("nobody says where the race stands", error=f"{type(error).__name__}: {error}")
                age_s = 1
            pause_s, again_s = (again_s, min(ASK_EVERY_S, 2 * again_s)) if age_s else (ASK_EVERY_S, ASK_AGAIN_S)

    async def _tell(self) -> None:
        """Tell all of each later state, a few at a time."""
        while True:
            await self._is_news.wait()
            self._is_news.clear()
            watchers = list(self._watchers)
            for first in range(0, len(watchers), AT_ONCE):
                for watcher in watchers[first : first + AT_ONCE]:
                    if self._newest is not None:
                        watcher.offer(self._newest)
                await asyncio.sleep(PAUSE_S)
