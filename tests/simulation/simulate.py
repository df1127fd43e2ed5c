"""Plays one seed: a sale with everything that goes wrong, then calm, then the verdict."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import lua
from tests.simulation.clock import Stuck, VirtualLoop
from tests.simulation.crowd import Crowd
from tests.simulation.nemesis import TROUBLE_S, Nemesis
from tests.simulation.redis_model import show_id
from tests.simulation.verdict import dead, faults, is_sound, judge
from tests.simulation.world import REFUSED, World
from workers import reaper

REST_MAX_S = 90.0
"""Virtual seconds in which calm has to settle everything; poison takes DELIVERIES_MAX leases to be recognised."""
CONSUMER_IDLE_MS = 1500
"""Stands for the reaper's hour: a worker that pauses is taken for one that has ended."""
LOOK_S = 0.5
LOOKS = 4
"""Moments of trouble at which the books have to balance."""

Mutation = Callable[[World], None]


class Result(NamedTuple):
    """What is wrong after a seed, what it has met, and how many virtual seconds it took."""

    seed: int
    complaints: list[str]
    met: Counter[str]
    seconds: float


def simulate(seed: int, mutation: Mutation | None = None) -> Result:
    """Play a seed; the same seed is the same history."""
    before = random.getstate()
    # The back-off of the workers takes its jitter from there.
    random.seed(seed)
    try:
        with (
            mock.patch.object(reaper, "CONSUMER_IDLE_MS", CONSUMER_IDLE_MS),
            asyncio.Runner(loop_factory=VirtualLoop) as runner,
        ):
            return runner.run(_play(seed, mutation))
    except Stuck as stuck:
        return Result(seed, [str(stuck)], Counter(), 0.0)
    finally:
        random.setstate(before)


async def _play(seed: int, mutation: Mutation | None) -> Result:
    world = World(seed)
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: _note(world, trouble))
    if mutation:
        mutation(world)
    nemesis = Nemesis(world)
    nemesis.begin()
    async with asyncio.TaskGroup() as tasks:
        crowd = tasks.create_task(Crowd(world).come())
        tasks.create_task(nemesis.rage())
        tasks.create_task(_watch(world))
        tasks.create_task(_calm_down(world, crowd))
    await _rest(world)
    for process in list(world.processes):
        await process.stop()
    return Result(seed, world.complaints + await judge(world), world.met, asyncio.get_running_loop().time())


def _note(world: World, trouble: dict[str, Any]) -> None:
    """A bug of the simulator. An error that nobody takes, because its process was killed, is none."""
    if "never retrieved" not in trouble["message"]:
        world.complaints.append(f"the simulator: {trouble}")


async def _calm_down(world: World, crowd: asyncio.Task[None]) -> None:
    await asyncio.sleep(TROUBLE_S)
    world.weather.calm = True
    while not crowd.done():
        # A cancellation waits for its order, and not for ever.
        await _replay(world)
        await asyncio.sleep(LOOK_S)


async def _watch(world: World) -> None:
    """The books balance at every moment, not only in the end. What is dead by then is replayed."""
    for moment in sorted(world.die.uniform(0, TROUBLE_S) for _ in range(LOOKS)):
        await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
        for book, fault in await faults(world):
            world.complaints.append(f"after {moment:.3f} s the books of {book.product_id} say: {fault}")
        await _replay(world)


async def _rest(world: World) -> None:
    """Wait until nothing is on its way."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + REST_MAX_S
    while loop.time() < ends_s:
        await asyncio.sleep(LOOK_S)
        await _replay(world)
        stream = world.redis.stream(world.keys.outbox)
        if stream and not stream.entries:
            return


async def _replay(world: World) -> None:
    """Replay what is dead and sound, as an operator does. No worker gives such a command up by itself."""
    for entry, corpse in list(dead(world).entries.items()):
        if is_sound(world, corpse):
            if corpse[b"reason"].decode() != REFUSED:
                world.complaints.append(f"{corpse[b'name']!r} was given up: {corpse[b'reason']!r}")
            await lua.replay_dead(world.outside.redis, world.keys, show_id(entry).decode())
