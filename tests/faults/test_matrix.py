"""SIGKILL of any process while a sale runs: nothing accepted is lost, nothing is sold twice, and selling goes on."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from chaos.sale import (
    BACK_WITHIN_S,
    STOCK,
    Figures,
    Sale,
    eventually,
    sale_settings,
)
from chaos.system import System, running_system, started
from chaos.victims import FAULTS, SUPERVISOR, WORKER, Fault, Struck, child, gateway_processes, household, kill
from fluxgate.embedded import resolve

# One system goes through all these faults, one after the other, as a real one would; each meets a sale of its own.
pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

RUNS = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running_system(sale_settings(tmp_path_factory.mktemp("system") / "data")) as running:
        yield running


def a_sale(system: System) -> Sale:
    run = next(RUNS)
    return Sale(system.settings, f"phone-{run}", STOCK, run)


async def stands(system: System, sale: Sale, figures: Figures) -> None:
    """Everything that must hold after any fault."""
    verdict = figures.verdict
    assert verdict.faults == (), "\n".join(verdict.faults)
    assert (verdict.accepted, verdict.rows) == (STOCK, STOCK)
    assert await sale.reconciled() == ""
    await sale.proven_by_the_reaper()
    assert sale.complaints() == []
    assert system.process.returncode is None, system.says()


def is_back_in_time(figures: Figures) -> None:
    assert figures.accepts_back_s <= BACK_WITHIN_S
    assert figures.rows_back_s <= BACK_WITHIN_S


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_killed_process_costs_no_order_and_the_sale_goes_on(
    system: System, fault: Fault, figures: list[Figures]
) -> None:
    before = household(system)
    struck: list[Struck] = []

    async def strike() -> Struck:
        struck.append(await kill(fault, system))
        return struck[0]

    async def complete() -> bool:
        now = household(system)
        return len(now) == len(before) and not set(struck[0].victims) & set(now)

    sale = a_sale(system)
    figures.append(await sale.goes_through(fault.name, strike))
    await stands(system, sale, figures[-1])
    is_back_in_time(figures[-1])
    await eventually(complete, "all processes are there again")


async def test_gateway_processes_that_keep_dying_cost_no_order_and_the_sale_goes_on(
    system: System, figures: list[Figures]
) -> None:
    masters = child("fluxgate gateway")(system)
    fault = Fault("a gateway process, twice", lambda system: gateway_processes(system)[-1:])

    async def strike() -> Struck:
        first = await kill(fault, system)

        async def respawned() -> bool:
            return len(gateway_processes(system)) == system.settings.gateway_workers

        await eventually(respawned, "it has been respawned")
        # The second death comes so soon after the first that Granian takes it for a crash loop, and ends altogether.
        return (await kill(fault, system))._replace(at=first.at, at_epoch=first.at_epoch)

    sale = a_sale(system)
    figures.append(await sale.goes_through(fault.name, strike))
    await stands(system, sale, figures[-1])
    is_back_in_time(figures[-1])
    assert child("fluxgate gateway")(system) != masters, "Granian went on, so this was not what is tried here"


async def test_an_order_worker_killed_in_the_middle_of_its_transaction_costs_no_order(
    system: System, figures: list[Figures]
) -> None:
    sale = a_sale(system)

    async def strike() -> Struck:
        connection = await asyncpg.connect(resolve(system.settings).postgres_at)

        async def is_held_up() -> bool:
            return await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'fluxgate orders' AND wait_event_type = 'Lock'"
            )

        try:
            async with connection.transaction():
                # The worker has read orders, and waits for this lock before it can write them.
                await connection.execute("SELECT 1 FROM sales WHERE product_id = $1 FOR UPDATE", sale.product)
                await eventually(is_held_up, "the worker waits for the lock")
                return await kill(WORKER, system)
        finally:
            await connection.close()

    figures.append(await sale.goes_through("order worker in its transaction", strike))
    await stands(system, sale, figures[-1])
    is_back_in_time(figures[-1])


async def test_after_the_death_of_the_supervisor_nothing_runs_on_and_the_next_one_sells_on(
    tmp_path: Path, figures: list[Figures]
) -> None:
    settings = sale_settings(tmp_path / "data")
    async with contextlib.AsyncExitStack() as stack:
        systems = [await stack.enter_async_context(running_system(settings))]
        sale = Sale(settings, "phone", STOCK, next(RUNS))

        async def strike() -> Struck:
            family = systems[0].family()
            struck = await kill(SUPERVISOR, systems[0])
            await systems[0].ends()
            await systems[0].leaves_nothing(family)
            systems.append(await stack.enter_async_context(started(settings, name="up-again")))
            return struck

        figures.append(await sale.goes_through(SUPERVISOR.name, strike))
        # Somebody has to start it again, and a whole system takes its time, so it is not held to the ten seconds.
        await stands(systems[1], sale, figures[-1])
