"""Store orders while their worker is killed, and while Postgres is away: paid once or not at all, and nobody misled."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest

from bench.ports import free_port
from chaos.waiting import until
from contract.settings import Settings
from tests.support.buyers import balance_of, stock_of
from tests.support.desk import open_desk
from tests.support.http import Response
from tests.support.processes import running, running_gateway
from tests.support.refusals import refused
from tests.support.shoppers import Shopper, add_shopper
from tests.support.store import add_game, new_id
from workers.service import Desk
from workers.store_orders import STORE

pytestmark = [pytest.mark.slow, pytest.mark.fault]

ORDERS = 200
SHOPPERS = 5
PRICE = Decimal("2.50")
PAID_BY_ONE = 30
"""Orders that one balance pays: all balances together would pay more than there is in stock."""
STOCK = 120
AT_ONCE = 24
KILL_AFTER = (30, 90)
"""Answers after which the worker is killed; most orders are yet to come, and some are in its hands."""
PAUSE_S = 0.05
PURCHASES = """
    SELECT count(*) FROM outbox WHERE worker = 'g2a' AND convert_from(command, 'UTF8')::jsonb ->> 'user_id' = ANY($1)
"""
FINAL = (200, 201, 400, 404)


class Answered(NamedTuple):
    """What a client heard of its key in the end."""

    shopper: Shopper
    key: str
    reply: Response


class Crowd:
    """Clients who repeat an order with its key until they know what became of it."""

    def __init__(self, shoppers: list[Shopper], game: str) -> None:
        self._wishes = [(shoppers[i % len(shoppers)], new_id("key")) for i in range(ORDERS)]
        self._game = game
        self._room = asyncio.Semaphore(AT_ONCE)
        self._told = asyncio.Condition()
        self.answered: list[Answered] = []
        self.unknown = 0

    async def come(self) -> None:
        """All of them, some at once."""
        async with asyncio.TaskGroup() as tasks:
            for shopper, key in self._wishes:
                tasks.create_task(self._order(shopper, key))

    async def heard(self, count: int) -> None:
        """Wait until so many know."""
        async with self._told:
            await self._told.wait_for(lambda: len(self.answered) >= count)

    async def _order(self, shopper: Shopper, key: str) -> None:
        async with self._room:
            reply = await shopper.order({self._game: 1}, key)
            while reply.status not in FINAL:
                assert reply.status in (202, 503), reply
                self.unknown += 1
                await asyncio.sleep(PAUSE_S)
                reply = await shopper.order({self._game: 1}, key)
        async with self._told:
            self.answered.append(Answered(shopper, key, reply))
            self._told.notify_all()


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """Clients wait briefly, and what a dead worker held is soon another's."""
    settings = msgspec.structs.replace(settings, lease_s=0.5, ask_timeout_s=1.0)
    async with running_gateway(settings) as served, open_desk(served, STORE) as opened:
        yield opened


async def orders_by_key(desk: Desk, shoppers: list[Shopper]) -> dict[str, list[str]]:
    """The orders that stand in Postgres, by their keys."""
    users = [shopper.user_id for shopper in shoppers]
    text = "SELECT idempotency_key, id::text, status::text FROM store_orders WHERE user_id = ANY($1::text[])"
    rows = await desk.pool.fetch(text, users)
    assert {row["status"] for row in rows} == {"PROCESSING"}
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["idempotency_key"], []).append(row["id"])
    return found


async def test_a_worker_that_is_killed_twice_makes_one_order_of_each_key_and_all_of_it_adds_up(desk: Desk) -> None:
    game = await add_game(desk, price=PRICE, stock=STOCK)
    balance = PRICE * PAID_BY_ONE
    shoppers = [await add_shopper(desk.settings, desk, str(balance)) for _ in range(SHOPPERS)]
    crowd = Crowd(shoppers, game)
    coming = asyncio.create_task(crowd.come())
    for count in KILL_AFTER:
        async with running(desk.settings, "worker", "orders") as process:
            await crowd.heard(count)
            process.kill()
            assert await process.wait() < 0
    async with running(desk.settings, "worker", "orders"):
        await coming
    made = await orders_by_key(desk, shoppers)
    told = {answer.key: answer for answer in crowd.answered}
    assert len(told) == ORDERS
    bought = {key: answer.reply.json()["data"]["id"] for key, answer in told.items() if answer.reply.status < 300}
    assert {key: [order_id] for key, order_id in bought.items()} == made
    refusals = Counter(answer.reply.json()["error"]["code"] for answer in told.values() if answer.reply.status >= 400)
    assert set(refusals) <= {"INSUFFICIENT_BALANCE", "OUT_OF_STOCK"}
    assert refusals.total() == ORDERS - STOCK
    assert await stock_of(desk, game) == (0, STOCK)
    of_each = Counter(answer.shopper.user_id for answer in told.values() if answer.reply.status < 300)
    for shopper in shoppers:
        left = await balance_of(desk, shopper.user_id)
        assert left == balance - of_each[shopper.user_id] * PRICE
        assert left >= 0
    assert await desk.pool.fetchval(PURCHASES, [shopper.user_id for shopper in shoppers]) == STOCK
    assert crowd.unknown, "nobody was waiting for an answer when the worker was killed"


async def test_while_postgres_is_away_an_order_is_a_503_that_may_be_repeated_and_then_stands(desk: Desk) -> None:
    game = await add_game(desk, price=PRICE)
    shopper = await add_shopper(desk.settings, desk)
    nowhere = f"postgresql://fluxgate@127.0.0.1:{free_port()}/fluxgate"
    away = msgspec.structs.replace(desk.settings, postgres_url=nowhere)
    patient = {"Prefer": "wait=20"}
    async with running(away, "worker", "orders"):
        reply = await shopper.send("POST", "/api/orders", body(game), Idempotency_Key="the-same", **patient)
    refused(reply, 503)
    assert reply.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
    assert reply.json()["error"]["details"]["retryable"] is True
    assert int(reply.headers["retry-after"]) >= 1
    async with running(desk.settings, "worker", "orders"):
        again = await shopper.send("POST", "/api/orders", body(game), Idempotency_Key="the-same", **patient)
    assert again.status == 201
    assert await balance_of(desk, shopper.user_id) == Decimal("97.50")


async def test_an_order_that_is_answered_late_is_found_at_the_place_that_was_told(desk: Desk) -> None:
    game = await add_game(desk, price=PRICE)
    shopper = await add_shopper(desk.settings, desk)
    pending = await shopper.send("POST", "/api/orders", body(game), Idempotency_Key="late", Prefer="respond-async")
    assert pending.status == 202
    async with running(desk.settings, "worker", "orders"):
        again = await shopper.send("POST", "/api/orders", body(game), Idempotency_Key="late", Prefer="wait=20")

        async def is_there() -> bool:
            return (await shopper.send("GET", pending.headers["location"])).status != 202

        await until(is_there)
        late = await shopper.send("GET", pending.headers["location"])
    # A worker has both at once: whichever was first has made the order, and the other is told of it.
    assert {again.status, late.status} == {200, 201}
    assert late.json()["data"] == again.json()["data"]


def body(game: str) -> dict[str, object]:
    """One of this game."""
    return {"items": [{"gameId": game, "quantity": 1}]}
