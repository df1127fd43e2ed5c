"""A sell-out, three times in a row: a crowd of 500 connections at 100 units, with double-clicks and cut connections."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.history import mix_orders, run_history
from chaos.checker import check
from chaos.sale import Sale, sale_settings
from chaos.system import System, running_system

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

STOCK, REQUESTS, CONNECTIONS = 100, 20_000, 500
# Requests that lose their connection right after they were sent; the same key then has to tell what became of them.
CUT = 0.05


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running_system(
        sale_settings(tmp_path_factory.mktemp("system") / "data", gateway_processes=1)
    ) as running:
        yield running


@pytest.mark.parametrize("run", [1, 2, 3])
async def test_a_crowd_buys_exactly_what_there_is(system: System, run: int) -> None:
    settings = system.settings
    sale = Sale(settings, f"console-{run}", STOCK, run)
    await sale.open()

    orders = mix_orders(sale.product, REQUESTS, run=run)
    outcomes = await run_history(f"http://127.0.0.1:{settings.port}", orders, CONNECTIONS, cut=CUT, seed=run)
    await sale.drained()

    verdict = check(outcomes, await sale.rows(), STOCK)
    assert verdict.faults == (), "\n".join(verdict.faults)
    assert (verdict.accepted, verdict.rows) == (STOCK, STOCK)
    assert verdict.requests >= REQUESTS
    assert verdict.keys < REQUESTS, "nobody clicked twice"
    assert verdict.indeterminate > 0, "nobody had to ask again"
    assert await sale.reconciled() == ""
    assert sale.complaints() == []
