"""A crowd at one balance and one stock: in whatever order they come, neither goes below nothing, and all adds up."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from contract.settings import Settings
from tests.support.buyers import add_buyer, balance_of, stock_of
from tests.support.desk import Ask, command, open_desk, serving
from tests.support.store import add_game, new_id
from workers.service import Desk
from workers.store_orders import STORE

ORDERS = 200
WORKERS = 3
PRICE = Decimal("2.50")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    async with open_desk(msgspec.structs.replace(settings, lease_s=5.0), STORE) as opened:
        yield opened


async def crowd(desk: Desk, buyers: list[str], games: list[list[str]]) -> Counter[str]:
    """Each of these buyers orders one of each of these games, all at once; gives how often what was answered."""

    async def order(ask: Ask, buyer: str, wanted: list[str]) -> str:
        items = [{"gameId": game, "quantity": 1} for game in wanted]
        own = command("place_order", {"items": items, "idempotency_key": new_id("key")}, user_id=buyer)
        reply = await ask(own)
        return reply.problem.code if reply.problem else str(reply.status)

    async with serving(desk, STORE, WORKERS) as ask:
        return Counter(await asyncio.gather(*map(partial(order, ask), buyers, games)))


@pytest.mark.slow
async def test_a_balance_for_some_of_them_pays_exactly_these(desk: Desk) -> None:
    buyer, game = await add_buyer(desk, "101.00"), await add_game(desk, price=PRICE, stock=1000)
    answers = await crowd(desk, [buyer] * ORDERS, [[game]] * ORDERS)
    assert answers == {"201": 40, "INSUFFICIENT_BALANCE": ORDERS - 40}
    assert await balance_of(desk, buyer) == Decimal("1.00")
    assert await stock_of(desk, game) == (960, 40)


@pytest.mark.slow
async def test_a_stock_for_some_of_them_goes_to_exactly_these(desk: Desk) -> None:
    buyers, game = [await add_buyer(desk) for _ in range(20)], await add_game(desk, price=PRICE, stock=30)
    answers = await crowd(desk, buyers * (ORDERS // 20), [[game]] * ORDERS)
    assert answers == {"201": 30, "OUT_OF_STOCK": ORDERS - 30}
    assert await stock_of(desk, game) == (0, 30)
    left = [await balance_of(desk, buyer) for buyer in buyers]
    assert sum(left) == 20 * 100 - 30 * PRICE


@pytest.mark.slow
async def test_carts_of_many_games_in_any_order_wait_for_each_other_and_never_in_a_circle(desk: Desk) -> None:
    games = [await add_game(desk, price=PRICE, stock=ORDERS) for _ in range(6)]
    buyers = [await add_buyer(desk, "1000.00") for _ in range(10)]
    wanted = [games[i % 6 :] + games[: i % 6] if i % 2 else games[::-1] for i in range(60)]
    before = await desk.pool.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert await crowd(desk, buyers * 6, wanted) == {"201": 60}
    assert [await stock_of(desk, game) for game in games] == [(ORDERS - 60, 60)] * 6
    after = await desk.pool.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert after == before
