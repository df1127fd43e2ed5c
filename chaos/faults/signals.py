"""Faults by signals: processes that die at once, that stand still for a while, and that are told to start anew."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import psutil

from bench.books import open_books
from chaos import victims
from chaos.fault import Fault, Scene, Struck
from chaos.house import House
from chaos.sale import eventually
from chaos.system import lives
from chaos.victims import Victims
from chaos.waiting import until

GONE_WITHIN_S = 5.0
# A process stands still for so long: the upper end is beyond the two seconds that a command of Redis may take.
STILL_S = (1.0, 3.5)
# A worker stands still beyond its lease of 5 s, so that what it holds is given to another.
STILL_BEYOND_LEASE_S = (6.0, 7.0)


def killed(name: str, find: Victims) -> Fault:
    """SIGKILL."""

    async def strike(scene: Scene) -> Struck:
        at = time.perf_counter()
        await kill(find(scene.house.system), name)
        return Struck(at, at)

    async def around(scene: Scene) -> AsyncGenerator[None]:
        before = victims.household(scene.house.system)
        yield
        await complete(scene.house, before)

    return Fault(f"SIGKILL {name}", strike, contextlib.asynccontextmanager(around))


def stopped(name: str, find: Victims, still_s: tuple[float, float] = STILL_S) -> Fault:
    """SIGSTOP, and SIGCONT after a while."""

    async def strike(scene: Scene) -> Struck:
        at = time.perf_counter()
        with still(find(scene.house.system)):
            # The fault is that nothing happens for so long.
            await asyncio.sleep(scene.draw.uniform(*still_s))
        return Struck(at, time.perf_counter())

    return Fault(f"SIGSTOP {name}", strike)


@contextlib.contextmanager
def still(processes: list[psutil.Process]) -> Generator[None]:
    """Inside the block these processes stand still, until somebody kills them."""
    assert processes, "there is nobody to stop"
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


async def kill(found: list[psutil.Process], name: str) -> None:
    """SIGKILL these processes; returns when they are gone."""
    assert found, f"there is no {name} to kill"
    for victim in found:
        victim.kill()

    async def gone() -> bool:
        return not any(lives(victim) for victim in found)

    await until(gone, GONE_WITHIN_S)


async def complete(house: House, before: list[psutil.Process]) -> None:
    """Wait until the house has as many processes as before."""

    async def is_complete() -> bool:
        return len(victims.household(house.system)) == len(before)

    await eventually(is_complete, "all processes are there again")


async def _gateway_process_twice(scene: Scene) -> Struck:
    system = scene.house.system
    at = time.perf_counter()
    await kill(victims.gateway_processes(system)[-1:], "gateway process")

    async def respawned() -> bool:
        return len(victims.gateway_processes(system)) == system.settings.gateway_workers

    await eventually(respawned, "it has been respawned")
    # The second death comes so soon after the first that Granian takes it for a crash loop, and ends altogether.
    await kill(victims.gateway_processes(system)[-1:], "gateway process")
    return Struck(at, time.perf_counter())


@contextlib.asynccontextmanager
async def sale_locked(house: House, product: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Inside the block the worker cannot write orders of a product; gives what waits until it has read some."""
    async with open_books(house.settings) as connection:

        async def waits() -> bool:
            return await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'fluxgate orders' AND wait_event_type = 'Lock'"
            )

        async with connection.transaction():
            await connection.execute("SELECT 1 FROM sales WHERE product_id = $1 FOR UPDATE", product)
            yield lambda: eventually(waits, "the worker waits for the lock")


async def _worker_in_its_transaction(scene: Scene) -> Struck:
    async with sale_locked(scene.house, scene.product) as worker_waits:
        await worker_waits()
        at = time.perf_counter()
        await kill(victims.order_worker(scene.house.system), "order worker")
        return Struck(at, at)


async def _supervisor(scene: Scene) -> Struck:
    house = scene.house
    family = house.system.family()
    at = time.perf_counter()
    await kill(victims.supervisor(house.system), "supervisor")
    await house.system.ends()
    await house.system.leaves_nothing(family)
    # Somebody has to start it again; from then on it is on its own.
    await house.start_again()
    return Struck(at, time.perf_counter())


async def _redeploy(scene: Scene) -> Struck:
    """SIGHUP: the gateway replaces its processes one after the other, as after an update of its code."""
    system = scene.house.system
    old = victims.gateway_processes(system)
    at = time.perf_counter()
    for master in victims.gateway_master(system):
        master.send_signal(signal.SIGHUP)

    async def replaced() -> bool:
        now = victims.gateway_processes(system)
        return len(now) == len(old) and not set(now) & set(old)

    await eventually(replaced, "all gateway processes have been replaced")
    return Struck(at, time.perf_counter())


async def _restart_of_the_workers(scene: Scene) -> Struck:
    """SIGTERM to worker and reaper, as a deployment does it; the supervisor starts the new ones."""
    system = scene.house.system
    old = victims.order_worker(system) + victims.reaper(system)
    at = time.perf_counter()
    for process in old:
        process.terminate()

    async def replaced() -> bool:
        now = victims.order_worker(system) + victims.reaper(system)
        return len(now) == len(old) and not set(now) & set(old)

    await eventually(replaced, "both have been replaced")
    return Struck(at, time.perf_counter())


KILLED = [
    killed("one gateway process", victims.one_gateway_process),
    killed("all gateway processes", victims.gateway_processes),
    killed("gateway master", victims.gateway_master),
    killed("order worker", victims.order_worker),
    killed("reaper", victims.reaper),
    killed("Valkey", victims.valkey),
    killed("Postgres", victims.postmaster),
    killed("a Postgres session", victims.postgres_session),
]
STOPPED = [
    stopped("one gateway process", victims.one_gateway_process),
    stopped("gateway master", victims.gateway_master),
    stopped("supervisor", victims.supervisor),
    stopped("order worker", victims.order_worker, STILL_BEYOND_LEASE_S),
    stopped("reaper", victims.reaper),
    stopped("Valkey", victims.valkey),
    stopped("Postgres", victims.postmaster),
    stopped("a Postgres session", victims.postgres_session),
]
OTHERS = [
    Fault("SIGKILL a gateway process, twice", _gateway_process_twice),
    Fault("SIGKILL order worker in its transaction", _worker_in_its_transaction),
    Fault("SIGKILL supervisor", _supervisor),
    Fault("redeploy of the gateway", _redeploy),
    Fault("redeploy of the workers", _restart_of_the_workers),
]
