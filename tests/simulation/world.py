"""The simulated world: two modelled servers, and processes that run the real code of `workers/` against them."""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import lua
from contract.messages import Command, OrderAccepted
from contract.settings import Settings
from contract.transport import Stream
from tests.simulation.network import DirectLink, Link, Weather
from tests.simulation.postgres_client import Pool
from tests.simulation.postgres_model import PostgresModel
from tests.simulation.postgres_queries import NAMES
from tests.simulation.redis_client import RedisClient
from tests.simulation.redis_model import RedisModel
from tests.simulation.redis_scripts import SCRIPTS, Script
from workers import consumer, reaper
from workers.orders import ORDERS
from workers.worker import Context, DeadLetter, Outcome, Placed, Worker

SETTINGS = Settings(lease_s=1.0, idempotency_ttl_s=3, reaper_every_s=1.5)
"""Short, so that a few virtual seconds hold many leases, and records that lapse while others still pause."""
BATCH_ENTRIES = 4
"""Few, so that the entries of a sale are spread over several workers."""
STOPPING_MAX_S = 60.0
GAME = "ps5"
USERS = ("ann", "bob")
"""What the store knows of what is sold here, and of who buys."""
REFUSED = "refused by a fault of this worker"


class Log:
    """Stands in for structlog: counts what was said, and keeps what must never be."""

    def __init__(self, met: Counter[str], complaints: list[str]) -> None:
        self._met = met
        self._complaints = complaints

    def _note(self, event: str, **_: Any) -> None:
        self._met[event] += 1

    info = warning = error = _note

    def exception(self, event: str, **details: Any) -> None:
        """A worker says this of a bug only."""
        self._complaints.append(f"{event}: {sys.exc_info()[1]!r} {details}")


@dataclass
class World:
    """Everything of one seed. `handle`, `stream` and `scripts` are the real ones unless a mutation replaced them."""

    seed: int
    complaints: list[str] = field(default_factory=list[str])
    met: Counter[str] = field(default_factory=Counter[str])
    worker: Worker = field(default=ORDERS._replace(batch_entries=BATCH_ENTRIES))
    stream: type[Stream] = Stream
    scripts: dict[str, Script] = field(default_factory=lambda: dict(SCRIPTS))
    keys: lua.LaneKeys = field(default_factory=lambda: lua.LaneKeys(0))

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.die = random.Random(self.seed)
        self.weather = Weather(self.die)
        self.refusing = self.die.choice((0.0, 0.0, 0.05))
        self.redis = RedisModel(loop.time)
        self.postgres = PostgresModel()
        # One of the products is a game of the store, and all buyers but one are users there.
        self.postgres.rows |= {("game", GAME): {}, **{("user", user): {} for user in USERS}}
        self.processes: list[Process] = []
        self.log = Log(self.met, self.complaints)
        self.outside = self.context(DirectLink())

    def context(self, link: Link) -> Context:
        """What a process gets that speaks over this link."""
        client: Any = RedisClient(self.redis, link, self.scripts)
        return Context(SETTINGS, client, Pool(self.postgres, link), self.keys, NAMES, self.log)

    def refuses(self, command: Command) -> bool:
        """Whether a worker has a fault that dead-letters this order; an operator will replay it."""
        if not isinstance(command, OrderAccepted) or self.weather.calm or self.die.random() >= self.refusing:
            return False
        self.met[REFUSED] += 1
        return True


class Process:
    """One process: it runs until it is stopped or killed. What it does by itself before that is a complaint."""

    def __init__(self, world: World, name: str, main: Callable[[Context, str, asyncio.Event], Awaitable[None]]) -> None:
        self._world = world
        self._link = Link(world.weather)
        self._context = world.context(self._link)
        self._stop = asyncio.Event()
        self.name = name
        self.main = main
        self._task = asyncio.ensure_future(main(self._context, name, self._stop))
        world.processes.append(self)

    async def kill(self) -> None:
        """It vanishes in the middle of whatever it does."""
        self._world.processes.remove(self)
        self._link.dead = True
        self._context.pool.die()
        self._task.cancel()
        await self._ended()

    async def stop(self) -> None:
        """It finishes what it has in hand."""
        self._world.processes.remove(self)
        self._stop.set()
        try:
            async with asyncio.timeout(STOPPING_MAX_S):
                await asyncio.shield(self._task)
        except TimeoutError:
            self._world.complaints.append(f"{self.name} does not stop")
        except Exception as error:
            self._world.complaints.append(f"{self.name} ended by itself: {error!r}")

    async def _ended(self) -> None:
        try:
            await self._task
        except asyncio.CancelledError:
            return
        except Exception as error:
            self._world.complaints.append(f"{self.name} ended by itself: {error!r}")


def start_worker(world: World, name: str) -> Process:
    """An order worker, as `workers/run.py` puts it together."""

    async def handle(context: Context, placed: list[Placed]) -> list[Outcome]:
        refused = [item for item in placed if world.refuses(item.command)]
        kept = [item for item in placed if item not in refused]
        outcomes = iter(await world.worker.handle(context, kept) if kept else [])
        return [DeadLetter(REFUSED) if item in refused else next(outcomes) for item in placed]

    async def main(context: Context, consumer_name: str, stop: asyncio.Event) -> None:
        stream = world.stream(context.redis, context.keys.outbox, world.worker.group, consumer_name)
        await consumer.run(context, world.worker._replace(handle=handle), stream, stop)

    return Process(world, name, main)


def start_reaper(world: World, name: str) -> Process:
    """A reaper."""

    async def main(context: Context, _name: str, stop: asyncio.Event) -> None:
        await reaper.run(context, stop)

    return Process(world, name, main)
