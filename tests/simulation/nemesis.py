"""The one who breaks things: kills and redeploys processes, takes servers away, meddles with leases, clock, group."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.network import Server
from tests.simulation.world import Process, World, start_reaper, start_worker

TROUBLE_S = 8.0
"""How long anything may happen; after it everything is calm, and what was begun has to come to its end."""
AWAY_S = (0.02, 2.5)
RESTART_S = (0.0, 1.0)
STEP_US = 3_000_000
AGED_MS = 3_600_000
HASTY_MAX = 4
"""Deliveries of one entry that may come before their time, or it would be given up although nobody gave it time."""
GHOST = b'0000000000000001["ghost","ann",1,"poison"]'
"""An order of a sale that never was."""
POISON = (
    {b"kind": b"orders", b"at": b"x", b"name": b"a time that is none"},
    {b"kind": b"orders", b"at": b"1", b"01a1fe32-3c6f-7000-b8c1-4f339a60d8b7": GHOST},
    {b"kind": b"cancelled", b"at": b"1", b"not-a-uuid": GHOST},
    {b"kind": b"orders", b"at": b"1", b"\xff": b"no name"},
    {b"kind": b"wishes", b"at": b"1", b"a": b"b"},
    {b"kind": b"opened", b"at": b"1", b"sale": b"1:2:3"},
    {b"junk": b"junk"},
)
"""What cannot be read, what Postgres refuses, and what would wait for ever."""


class Nemesis:
    """Chooses its means and their moments by the world's die."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        kinds = (self._kill, self._redeploy, self._away, self._expire, self._regroup, self._step, self._poison)
        self._kinds: list[Callable[[], Coroutine[Any, Any, None]]] = world.die.sample(kinds, world.die.randint(1, 7))

    def begin(self) -> None:
        """Start the processes."""
        for _ in range(self._world.die.randint(1, 3)):
            self._start()
        start_reaper(self._world, "reaper")

    async def rage(self) -> None:
        """Break things as long as there is time, several at once."""
        die = self._world.die
        async with asyncio.TaskGroup() as tasks:
            for _ in range(die.randint(0, 12)):
                tasks.create_task(self._strike(die.uniform(0, TROUBLE_S), die.choice(self._kinds)))

    async def _strike(self, at_s: float, means: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.sleep(at_s)
        self._world.met[means.__name__.lstrip("_")] += 1
        await means()

    def _start(self) -> None:
        start_worker(self._world, f"worker-{next(self._numbers)}")

    async def _kill(self) -> None:
        process = self._choose()
        if process:
            await process.kill()
            await asyncio.sleep(self._world.die.uniform(*RESTART_S))
            self._follow(process)

    async def _redeploy(self) -> None:
        process = self._choose()
        if process:
            await process.stop()
            self._follow(process)

    async def _away(self) -> None:
        """A server that stops, and keeps what it had on disk."""
        server: Server = self._world.die.choice((self._world.redis, self._world.postgres))
        if not server.away:
            server.leave()
            await asyncio.sleep(self._world.die.uniform(*AWAY_S))
            server.away = False

    async def _expire(self) -> None:
        """Leases end before their time: each entry in hand is delivered to a second worker."""
        stream = self._world.redis.stream(self._world.keys.outbox)
        for group in stream.groups.values() if stream else ():
            for pending in group.pending.values():
                if pending.count < HASTY_MAX:
                    pending.delivered_ms -= AGED_MS

    async def _regroup(self) -> None:
        """Somebody deletes the group, and with it what was delivered to whom."""
        stream = self._world.redis.stream(self._world.keys.outbox)
        if stream and self._world.worker.group in stream.groups:
            self._world.redis.xgroup_destroy(self._world.keys.outbox, self._world.worker.group)

    async def _step(self) -> None:
        """The clock of Redis is set."""
        self._world.redis.step_us += self._world.die.randint(-STEP_US, STEP_US)

    async def _poison(self) -> None:
        """Somebody writes into the outbox what no worker can read."""
        self._world.redis.xadd(self._world.keys.outbox, dict(self._world.die.choice(POISON)))

    def _choose(self) -> Process | None:
        return self._world.die.choice(self._world.processes) if self._world.processes else None

    def _follow(self, process: Process) -> None:
        if process.name.startswith("worker"):
            self._start()
        else:
            start_reaper(self._world, process.name)
