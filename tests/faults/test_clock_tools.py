"""What the fault suite does to the clock: servers and programs really go by the false one."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.books import open_books
from bench.history import Order, run_history
from bench.requests import order_key
from bench.sale import open_sale
from chaos.checker import read_body
from chaos.fault import Unavailable
from chaos.faults.clock import Clocks, set_clock, with_false_clocks
from chaos.faults.false_clock import SECOND_NS, false_time_ns
from chaos.house import House
from chaos.waiting import until
from contract.transport import open_redis

NUMBERS = itertools.count()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    try:
        async with with_false_clocks(tmp_path) as opened:
            await asyncio.to_thread(open_sale, opened.port, "phone", 10_000)
            yield opened
    except Unavailable as error:
        pytest.skip(str(error))


def test_a_false_clock_reads_its_file_again_at_every_full_second(tmp_path: Path) -> None:
    true_ns = 5 * SECOND_NS
    file = tmp_path / "clock"
    set_clock(file, 0)
    clock = false_time_ns(lambda: true_ns, file)
    assert clock() == 5 * SECOND_NS
    set_clock(file, -3)
    true_ns += SECOND_NS - 1
    assert clock() == 6 * SECOND_NS - 1
    true_ns += 1
    assert clock() == 3 * SECOND_NS


@pytest.mark.slow
async def test_everybody_in_a_house_goes_by_its_clocks_and_valkey_by_one_of_its_own(house: House) -> None:
    clocks: Clocks = house.hands

    async def become(valkey_s: int, others_s: int) -> None:
        async def are() -> bool:
            return await offsets_s(house) == (valkey_s, others_s, others_s)

        await until(are)

    await become(0, 0)
    set_clock(clocks.valkey, -30)
    await become(-30, 0)
    for clock in clocks.others:
        set_clock(clock, 7_200)
    await become(-30, 7_200)


async def offsets_s(house: House) -> tuple[int, int, int]:
    """How far the clocks of Valkey, of Postgres and of a gateway process are from the true time."""
    redis = open_redis(house.settings)
    seconds, _ = await redis.time()
    await redis.aclose()
    async with open_books(house.settings) as connection:
        stored = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float")
    order = Order(order_key(1, next(NUMBERS)), "phone", "ann")
    [outcome] = await run_history(f"http://127.0.0.1:{house.port}", [order], 1)
    # An order's id begins with the milliseconds at which its gateway made it.
    made_ms = int(read_body(outcome.body).orderId.replace("-", "")[:12], 16)
    now = time.time()
    return round(seconds + 0.5 - now), round(stored - now), round(made_ms / 1_000 - now)
