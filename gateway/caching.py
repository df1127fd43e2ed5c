"""Reads by way of the cache: an answer is asked for once, however many want it, and an old one is served meanwhile.

Redis has the answers, and says who fills one: a lease. Whoever finds a lease there that this process has something to
do with waits for that; so nobody is ever given what was asked before a change that he has seen, because the
invalidation takes the lease away with the answer. Whatever goes wrong with Redis is logged, and costs time at most.

    fresh            served at once
    old              served at once with its age, and one refresh runs in the background
    none             all wait for one fill; for one of another process briefly, and then they fill without keeping it
    Redis is away    the last answer that this process has seen (`gateway/last_answers.py`), else what the fill says
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from redis.exceptions import ResponseError

import lua
from contract.errors import NotReady, Overloaded
from contract.telemetry import get_logger
from gateway.last_answers import Cached, LastAnswers
from gateway.redis_faults import as_not_ready
from lua import Found, LeaseStatus

LEASE_S = 6.0
"""How long a fill may take: a little longer than a command is waited for. It is also the pause between two refreshes
that fail: the old answer is served meanwhile."""
WAIT_S = 1.0
"""How long another process is waited for: most fills take milliseconds, and one that died may cost a reader this."""
LOOK_FIRST_S = 0.01
LOOK_MAX_S = 0.1
"""Between two looks at what another process fills: doubled from the first, up to the second."""
AWAY_S = 1.0
"""How long Redis is not asked for what is remembered, after it did not answer: a silent one would keep every reader for
the whole of its time limit."""
FLIGHTS_MAX = 1_000
"""Fills that may run in one process; each is a command to a worker, and these take some hundred a second."""
VALUE_BYTES_MAX = 256 << 10
"""Answers that are larger are not kept: some hundred of them would be all the memory that the sale has."""
Fill = Callable[[], Awaitable[bytes]]
T = TypeVar("T")


class _Terms(NamedTuple):
    """What is wanted: an answer, younger than `fresh_s`, or for now younger than `stale_s`."""

    name: str
    fill: Fill
    fresh_s: float
    stale_s: float

    def served(self, found: Found) -> Cached | None:
        """What was found, if it may be served as it is."""
        if found.value is None or found.age_ms >= 1000 * max(self.fresh_s, self.stale_s):
            return None
        return Cached(found.value, found.age_ms // 1000)


class Cache:
    """The cache as one gateway process uses it. The counters are of reads, except `fills`, which are of commands."""

    def __init__(
        self, client: lua.Client, *, lease_s: float = LEASE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._lease_s = lease_s
        self._clock = clock
        self._last = LastAnswers(clock)
        self._away_until = 0.0
        # What this process does about a lease; about a name, where there is no Redis to give leases.
        self._flights: dict[str, asyncio.Task[Cached]] = {}
        # Every flight, with that under which it stands above.
        self._keys: dict[asyncio.Task[Cached], list[str]] = {}
        # By name: the flight that will ask for a lease next, and whose turn it is to ask.
        self._gathering: dict[str, asyncio.Task[Cached]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self.hits = 0
        self.stale = 0
        self.misses = 0
        self.fills = 0

    async def read(self, name: str, fill: Fill, *, fresh_s: float, stale_s: float) -> Cached:
        """The answer `name`, or what `fill` raises where there is none to be had.

        What one reader fills is shared with all who want `name`, so `fill` and the terms depend on nothing but that.
        Raises TimeoutError when it takes longer than the lease, Overloaded when FLIGHTS_MAX fills run.
        """
        terms = _Terms(name, fill, fresh_s, stale_s)
        found = await self._look(name)
        if found is None:
            if (last := self._last.recall(name)) is not None:
                self.stale += 1
                return last
            self.misses += 1
            return await asyncio.shield(self._flights.get(name) or self._begin(self._fill(terms), name))
        served = terms.served(found)
        if served is None:
            self.misses += 1
            return await asyncio.shield(self._flights.get(found.lease) or self._gathered(terms))
        if found.age_ms < 1000 * fresh_s:
            self.hits += 1
            return served
        self.stale += 1
        if not found.lease and name not in self._turns and len(self._keys) < FLIGHTS_MAX:
            self._gathered(terms)
        return served

    @property
    def busy(self) -> bool:
        """Whether anything runs in the background."""
        return bool(self._keys)

    async def close(self) -> None:
        """Cancel what runs, and whoever waits for it."""
        flights = list(self._keys)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _look(self, name: str) -> Found | None:
        """What Redis has; None when it cannot be asked."""
        if self._clock() < self._away_until and self._last.recall(name) is not None:
            return None
        try:
            with as_not_ready():
                found = await lua.read_cached(self._client, name)
        except NotReady as error:
            # One damaged key is no reason to leave the others alone.
            if not isinstance(error.__cause__, ResponseError):
                self._away_until = self._clock() + AWAY_S
            return None
        if found.value is None:
            self._last.forget(name)
        else:
            self._last.remember(name, found.value, found.age_ms / 1000)
        return found

    def _gathered(self, terms: _Terms) -> asyncio.Task[Cached]:
        """The flight that has yet to ask for a lease: what it will find is of after this moment."""
        flight = self._gathering.get(terms.name)
        if flight is None:
            flight = self._gathering[terms.name] = self._begin(self._refill(terms))
        return flight

    def _begin(self, work: Coroutine[Any, Any, Cached], key: str = "") -> asyncio.Task[Cached]:
        if len(self._keys) >= FLIGHTS_MAX:
            work.close()
            raise Overloaded
        flight = asyncio.create_task(work)
        self._keys[flight] = []
        flight.add_done_callback(self._end)
        if key:
            self._stand(flight, key)
        return flight

    def _stand(self, flight: asyncio.Task[Cached], key: str) -> None:
        """From now on whoever asks about `key` waits for this flight."""
        self._flights[key] = flight
        self._keys[flight].append(key)

    def _end(self, flight: asyncio.Task[Cached]) -> None:
        for key in self._keys.pop(flight):
            if self._flights.get(key) is flight:
                del self._flights[key]
        if not flight.cancelled():
            # Looked at, because those who waited may be gone.
            flight.exception()

    async def _refill(self, terms: _Terms) -> Cached:
        """Take the lease and fill; or wait for who has it; or fill for those who wait here alone."""
        flight: Any = asyncio.current_task()
        lease = lua.new_lease()
        # Before it is asked for: others may hear of it before we do.
        self._stand(flight, lease)
        async with self._turn(terms.name):
            asked = await self._lease(terms, lease)
        give_up, pause_s = self._clock() + WAIT_S, LOOK_FIRST_S
        while asked is not None:
            status, found = asked
            if status is LeaseStatus.LEASED:
                return await self._fill_and_keep(terms, lease, found)
            if (served := terms.served(found)) is not None:
                return served
            other = self._flights.get(found.lease)
            if other is None:
                self._stand(flight, found.lease)
            elif other is not flight:
                return await asyncio.shield(other)
            if self._clock() >= give_up:
                break
            # No event of another process's fill reaches us, so it is looked for.
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LOOK_MAX_S)
            asked = await self._lease(terms, lease)
        return await self._fill(terms)

    @contextlib.asynccontextmanager
    async def _turn(self, name: str) -> AsyncGenerator[None]:
        """One asks for a lease at a time; all who come meanwhile gather behind the next."""
        turn = self._turns.setdefault(name, asyncio.Lock())
        async with turn:
            del self._gathering[name]
            try:
                yield
            finally:
                if name not in self._gathering:
                    del self._turns[name]

    async def _fill_and_keep(self, terms: _Terms, lease: str, old: Found) -> Cached:
        name, kept_s = terms.name, max(terms.fresh_s, terms.stale_s)
        # A name may tell whose it is, so the log has its family only.
        log = get_logger().bind(family=name.partition(":")[0])
        try:
            cached = await self._fill(terms)
        except Exception as error:
            if old.value is not None:
                # The lease is left to lapse: until then nobody tries again, and the old answer is served.
                log.warning(
                    "an old answer is served, for there is no new one", error=f"{type(error).__name__}: {error}"
                )
                return Cached(old.value, old.age_ms // 1000)
            await self._quietly(lua.release_cached(self._client, name, lease))
            raise
        if len(cached.value) > VALUE_BYTES_MAX:
            log.warning("an answer is too large to be kept", bytes=len(cached.value))
            await self._quietly(lua.release_cached(self._client, name, lease))
        elif await self._quietly(lua.store_cached(self._client, name, lease, cached.value, kept_s=kept_s)):
            self._last.remember(name, cached.value, 0)
        return cached

    async def _fill(self, terms: _Terms) -> Cached:
        self.fills += 1
        async with asyncio.timeout(self._lease_s):
            return Cached(await terms.fill(), 0)

    async def _lease(self, terms: _Terms, lease: str) -> tuple[LeaseStatus, Found] | None:
        """What Redis says about the lease; None when it cannot be asked."""
        return await self._quietly(
            lua.lease_cached(self._client, terms.name, lease, lease_s=self._lease_s, fresh_s=terms.fresh_s)
        )

    async def _quietly(self, asking: Awaitable[T]) -> T | None:
        """What Redis says; None, and a line in the log, when it cannot be asked."""
        with contextlib.suppress(NotReady), as_not_ready():
            return await asking
        return None
