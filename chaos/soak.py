"""A soak: sale after sale at full rate, first with restarts and then without, and a look at what has grown meanwhile.

Everything that a sale needs for a while has to go again: connections, file handles, entries, records, consumers. Memory
has to stand still while the load goes on; rows in Postgres stay, as they should.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

import lua
from bench.history import mix_orders, run_history
from chaos import victims
from chaos.checker import check
from chaos.faults.signals import complete, kill
from chaos.house import KEYS, House, house_settings, redis_of
from chaos.sale import Sale
from chaos.system import running_system
from chaos.victims import Victims
from chaos.waiting import until

# Orders of one sale, and the connections that bring them: as fast as the machine goes.
STOCK, CONNECTIONS, CUT = 3_000, 64, 0.01
# Longer than any buyer of a sale goes on asking; shorter than the wait for the floor.
RECORDS_LIVE_S = 20
# Without a sale's records: the sales, the lane's books, the secret, and what each gateway process counts.
EMPTY = {"entries of the outbox": 0.0, "consumers": 1.0, "keys of Valkey": 16.0}
# How long the system may take to come back to its floor: the reaper forgets consumers that have gone.
FLOOR_WITHIN_S = 100.0
# What may be more at the end than at the begin. Handles: the connections of a process's pools, which open as they are
# needed; of a leak each sale would leave more. Memory: what an allocator keeps between two garbage collections.
SPARE = {
    "keys of Valkey": 4,
    "entries of the outbox": 0,
    "consumers": 0,
    "connections to Valkey": 4,
    "connections to Postgres": 4,
}
SPARE_HANDLES, SPARE_MIB, SPARE_SHARE = 12, 12.0, 0.15
MIB = 1 << 20
KILLED: list[tuple[str, Victims]] = [
    ("order worker", victims.order_worker),
    ("one gateway process", victims.one_gateway_process),
    ("Valkey", victims.valkey),
    ("reaper", victims.reaper),
    ("a Postgres session", victims.postgres_session),
    ("gateway master", victims.gateway_master),
]


class Measure(NamedTuple):
    """One thing that must not grow: at the begin, at the end, and what it may be at most."""

    name: str
    begin: float
    end: float
    limit: float

    @property
    def sound(self) -> bool:
        """Whether it stayed within its limit."""
        return self.end <= self.limit


class Soaked(NamedTuple):
    """What a soak came to."""

    sales: int
    orders: int
    restarts: int
    seconds: float
    measures: list[Measure]
    # What was wrong with the sales, in sentences.
    problems: list[str]

    @property
    def grown(self) -> list[Measure]:
        """What did not stay within its limit."""
        return [measure for measure in self.measures if not measure.sound]


async def soak(directory: Path, seconds: float, say: Callable[[str], None]) -> Soaked:
    """Sell for so long, half of the time with restarts, and each at least once. Gives what grew."""
    async with _house(directory) as house:
        numbers = itertools.count(1)
        problems: list[str] = []
        await _sell(house, next(numbers), problems)
        floor = await _at_rest(house)
        started = time.monotonic()
        restarts = 0
        for name, find in itertools.cycle(KILLED):
            before = victims.household(house.system)
            await _sell(house, next(numbers), problems, killed=(name, find))
            restarts += 1
            await complete(house, before)
            say(f"sale sold out with {name} killed; {_memory_line(house)}")
            if time.monotonic() > started + seconds / 2:
                break
        # What was started last is warm after one more sale; from here on nothing may need more.
        await _sell(house, next(numbers), problems)
        warm = _memory(house)
        while True:
            await _sell(house, next(numbers), problems)
            say(f"sale sold out; {_memory_line(house)}")
            if time.monotonic() > started + seconds:
                break
        hot = _memory(house)
        sales = next(numbers) - 1
        rest = await _at_rest(house, floor)
        final = Sale(house, "soaked", STOCK, sales)
        problems += [fault] if (fault := await final.reconciled()) else []
    measures = [Measure(name, was, rest[name], _limit(name, was)) for name, was in floor.items()]
    measures += [
        Measure(f"memory of {role}, MiB", mib, hot.get(role, 0.0), mib * (1 + SPARE_SHARE) + SPARE_MIB)
        for role, mib in warm.items()
    ]
    return Soaked(sales, sales * STOCK, restarts, time.monotonic() - started, measures, problems)


@contextlib.asynccontextmanager
async def _house(directory: Path) -> AsyncGenerator[House]:
    settings = msgspec.structs.replace(house_settings(directory / "data"), idempotency_ttl_s=RECORDS_LIVE_S)
    async with running_system(settings) as system:
        yield House(settings, system, settings.port)


async def _sell(house: House, number: int, problems: list[str], killed: tuple[str, Victims] | None = None) -> None:
    """One sale, sold out and drained; the product is the same each time, and each time a new epoch. Somebody may be
    `killed` in the middle of it."""
    sale = Sale(house, "soaked", STOCK, number)
    await sale.open()
    orders = mix_orders(sale.product, STOCK * 4 // 3, run=number)
    buying = asyncio.create_task(
        run_history(f"http://127.0.0.1:{house.port}", orders, CONNECTIONS, cut=CUT, seed=number)
    )
    if killed:
        name, find = killed
        await _some_sold(house, sale)
        await kill(find(house.system), name)
    outcomes = await buying
    await sale.drained()
    keys = {outcome.order.key for outcome in outcomes}
    rows = [row for row in await sale.rows() if row.key in keys]
    verdict = check(outcomes, rows, STOCK)
    problems += verdict.faults
    if verdict.rows != STOCK:
        problems.append(f"{verdict.rows} of {STOCK} units were sold, although more buyers came")


async def _some_sold(house: House, sale: Sale) -> None:
    async with redis_of(house) as redis:

        async def fewer() -> bool:
            left = await lua.read_stock(redis, KEYS, sale.product)
            return left is not None and left < STOCK

        await until(fewer)


async def _at_rest(house: House, floor: dict[str, float] | None = None) -> dict[str, float]:
    """What is held when nothing is going on; waits until that is no more than the `floor`, or for so long in vain."""
    found: dict[str, float] = {}

    async def lapsed() -> bool:
        nonlocal found
        found = {
            "keys of Valkey": await redis.dbsize(),
            "entries of the outbox": await redis.xlen(KEYS.outbox),
            "consumers": len(await redis.xinfo_consumers(KEYS.outbox, lua.GROUP_OF_ORDERS)),
            "connections to Valkey": (await redis.info("clients"))["connected_clients"],
            "connections to Postgres": len(_sessions(house)),
            **{f"handles of {role}": process.num_fds() for role, process in _roles(house).items()},
        }
        limits = {name: _limit(name, was) for name, was in (floor or EMPTY).items()}
        return all(found[name] <= limit for name, limit in limits.items())

    async with redis_of(house) as redis:
        # The caller sees whether it was in vain, and by how much.
        with contextlib.suppress(TimeoutError):
            await until(lapsed, FLOOR_WITHIN_S)
    return found


def _limit(name: str, was: float) -> float:
    return was + SPARE.get(name, SPARE_HANDLES)


def _sessions(house: House) -> list[psutil.Process]:
    return [session for server in victims.postmaster(house.system) for session in server.children()]


def _roles(house: House) -> dict[str, psutil.Process]:
    """The processes whose memory and handles are watched."""
    finds = {
        "supervisor": victims.supervisor,
        "gateway master": victims.gateway_master,
        "a gateway process": victims.one_gateway_process,
        "order worker": victims.order_worker,
        "reaper": victims.reaper,
        "Valkey": victims.valkey,
        "Postgres": victims.postmaster,
    }
    return {role: find(house.system)[0] for role, find in finds.items()}


def _memory(house: House) -> dict[str, float]:
    """Resident memory by role, in MiB."""
    return {role: process.memory_info().rss / MIB for role, process in _roles(house).items()}


def _memory_line(house: House) -> str:
    return ", ".join(f"{role} {mib:.0f} MiB" for role, mib in _memory(house).items())
