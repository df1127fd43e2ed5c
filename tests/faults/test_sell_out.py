"""A sell-out, three times in a row: a crowd of 500 connections at 100 units, with double-clicks and cut connections."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bench.history import mix_orders, run_history
from chaos.checker import check
from chaos.house import House, embedded
from chaos.sale import Sale

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

STOCK, REQUESTS, CONNECTIONS = 100, 20_000, 500
# Requests that lose their connection right after they were sent; the same key then has to tell what became of them.
CUT = 0.05


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with embedded(tmp_path_factory.mktemp("system"), gateway_processes=1) as opened:
        yield opened


@pytest.mark.parametrize("run", [1, 2, 3])
async def test_a_crowd_buys_exactly_what_there_is(house: House, run: int) -> None:
    sale = Sale(house, f"console-{run}", STOCK, run)
    await sale.open()

    orders = mix_orders(sale.product, REQUESTS, run=run)
    outcomes = await run_history(f"http://127.0.0.1:{house.port}", orders, CONNECTIONS, cut=CUT, seed=run)
    await sale.drained()

    verdict = check(outcomes, await sale.rows(), STOCK)
    assert verdict.faults == (), "\n".join(verdict.faults)
    assert (verdict.accepted, verdict.rows) == (STOCK, STOCK)
    assert verdict.requests >= REQUESTS
    assert verdict.keys < REQUESTS, "nobody clicked twice"
    assert verdict.indeterminate > 0, "nobody had to ask again"
    assert await sale.problems() == []
