"""Messages between simulated processes and servers: delayed, cut before or after they count, or late beyond hope.

A message is an effect, which happens at the server in one instant, and a reply. What a server has to wait for itself
(a lock, an entry that has not come yet) it answers with a future.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, NamedTuple, cast

QUICK_S = 0.001
SLOW_S = 0.3
PAUSE_S = (0.5, 4.5)
"""A process that stands still: up to several leases, and longer than Redis remembers a settled order."""
PATIENCE_S = 2.0
"""When a caller gives up; its message may still arrive."""


class Fate(NamedTuple):
    """What happens to one message, in seconds. `arrives_s` None: never; `gives_up_s` 0: its sender waits for ever."""

    arrives_s: float | None
    back_s: float
    answered: bool = True
    gives_up_s: float = 0.0


class Weather:
    """Draws the fate of every message. Each seed has a mixture of its own, so that no kind of trouble hides another."""

    def __init__(self, die: random.Random) -> None:
        self.calm = False
        self._die = die
        self._cut = die.choice((0.0, 0.01, 0.06))
        self._pause = die.choice((0.0, 0.01, 0.04))
        self._slow = die.choice((0.0, 0.1, 0.4))

    def fate(self) -> Fate:
        """What happens to the next message."""
        if self.calm:
            return Fate(QUICK_S, 0.0)
        die = self._die
        out_s, chance = die.uniform(0, QUICK_S), die.random()
        if chance < self._cut:
            return die.choice(
                (
                    Fate(None, 0.0, answered=False, gives_up_s=out_s),
                    Fate(out_s, 0.0, answered=False, gives_up_s=2 * out_s),
                    Fate(die.uniform(0, 2 * PATIENCE_S), 0.0, answered=False, gives_up_s=PATIENCE_S),
                )
            )
        if chance < self._cut + self._pause:
            pause_s = die.uniform(*PAUSE_S)
            return die.choice((Fate(pause_s, 0.0), Fate(out_s, pause_s)))
        if chance < self._cut + self._pause + self._slow:
            return Fate(die.uniform(0, SLOW_S), 0.0)
        return Fate(out_s, 0.0)

    def half(self) -> bool:
        """One of two."""
        return self._die.random() < 0.5

    def linger_s(self) -> float:
        """How long a server takes to notice that a client has gone."""
        return 0.0 if self.calm or self.half() else self._die.uniform(0, PATIENCE_S)


class Server:
    """What messages arrive at. While it is away, none does, and whoever waits for a reply is told so."""

    def __init__(self, refused: Callable[[], Exception], cut: Callable[[], Exception]) -> None:
        self.away = False
        self.refused = refused
        self.cut = cut
        self.waiting: dict[asyncio.Future[Any], None] = {}

    def leave(self) -> None:
        """Go away: every open connection is cut."""
        self.away = True
        for reply in list(self.waiting):
            _fail(reply, self.cut())


class Link:
    """The connections of one process. Once it is `dead`, the process sends nothing more."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.dead = False

    async def ask(self, server: Server, effect: Callable[[], Any]) -> Any:
        """Have an effect at a server, and its result. Raises the server's errors of connection."""
        if self.dead:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        fate = self.weather.fate()
        reply: asyncio.Future[Any] = loop.create_future()
        server.waiting[reply] = None
        message = None
        if fate.arrives_s is not None:
            message = loop.call_later(fate.arrives_s, _arrive, server, effect, fate, reply)
        if fate.gives_up_s:
            loop.call_later(fate.gives_up_s, _fail, reply, server.cut())
        try:
            return await reply
        except asyncio.CancelledError:
            # What a killed process has sent may be on the wire already.
            if message and self.weather.half():
                message.cancel()
            raise
        finally:
            server.waiting.pop(reply, None)


class DirectLink(Link):
    """For who looks from outside of the simulated world: the effect is there at once."""

    def __init__(self) -> None:
        super().__init__(Weather(random.Random(0)))

    async def ask(self, server: Server, effect: Callable[[], Any]) -> Any:
        """Have an effect at a server that must not have to wait for anything."""
        result: Any = effect()
        return cast(asyncio.Future[Any], result).result() if isinstance(result, asyncio.Future) else result


def _arrive(server: Server, effect: Callable[[], Any], fate: Fate, reply: asyncio.Future[Any]) -> None:
    if server.away:
        _fail(reply, server.refused())
        return
    try:
        result: Any = effect()
    except Exception as refusal:
        error = refusal
        _return(fate, reply, lambda: _fail(reply, error))
        return
    if isinstance(result, asyncio.Future):
        waiting = cast(asyncio.Future[Any], result)
        waiting.add_done_callback(lambda done: _return(fate, reply, lambda: _take_over(done, reply)))
    else:
        _return(fate, reply, lambda: reply.done() or reply.set_result(result))


def _return(fate: Fate, reply: asyncio.Future[Any], finish: Callable[[], Any]) -> None:
    """The way back; a reply that nobody waits for any more, or that is cut off, is dropped."""
    if not fate.answered:
        return
    if fate.back_s:
        reply.get_loop().call_later(fate.back_s, finish)
    else:
        finish()


def _take_over(done: asyncio.Future[Any], reply: asyncio.Future[Any]) -> None:
    error = None if done.cancelled() else done.exception()
    if reply.done() or done.cancelled():
        return
    if error:
        reply.set_exception(error)
    else:
        reply.set_result(done.result())


def _fail(reply: asyncio.Future[Any], error: Exception) -> None:
    if not reply.done():
        reply.set_exception(error)
