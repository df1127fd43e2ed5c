"""Purchases of which nobody knows at first what became of them: asked for, waited for, and never guessed."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract.settings import Settings
from tests.support.key_shop import KeyShop, open_impatient_shop
from tests.support.sandbox import Sandbox
from workers import g2a_steps
from workers.service import More, Replied

PAY = {"contract": "POST /contract/orders", "g2a": "PUT /v1/order/pay/*"}


def spoiled_pay(shop: KeyShop, **how: Any) -> dict[str, Any]:
    """What goes wrong with payments."""
    return {"faults": [{"match": PAY[shop.desk.settings.g2a_dialect], **how}]}


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_hangs_is_asked_for_and_bought_once(shop: KeyShop, when: str) -> None:
    await shop.sandbox.control(**spoiled_pay(shop, do="hang", when=when))
    order_id = await shop.order()
    assert await shop.step(order_id) == More(3.0)
    assert await shop.states(order_id) == ["calling"]
    # As long as the first worker may still be at it, nobody asks.
    before = (await shop.sandbox.journal())["total"]
    ending = await shop.step(order_id)
    assert isinstance(ending, More)
    assert 0 < ending.after_s <= 3
    assert (await shop.sandbox.journal())["total"] == before
    await shop.time_passes(order_id)
    await shop.buy(order_id)
    assert (await shop.bought(), len(await shop.keys(order_id))) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("do", ["drop", "half", "truncate", "html", "junk", "empty"])
async def test_an_answer_that_nobody_can_read_is_asked_for_and_never_guessed(contract_shop: KeyShop, do: str) -> None:
    shop = contract_shop
    await shop.sandbox.control(**spoiled_pay(shop, do=do, when="after"))
    order_id = await shop.order()
    await shop.step(order_id)
    assert await shop.states(order_id) == ["calling"]
    await shop.time_passes(order_id)
    await shop.buy(order_id)
    assert (await shop.bought(), len(await shop.keys(order_id))) == (1, 1)


async def test_a_limit_of_requests_is_waited_for_as_long_as_g2a_wants(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.sandbox.control(**spoiled_pay(shop, status=429, retry_after=7))
    order_id = await shop.order()
    ending = await shop.step(order_id)
    assert isinstance(ending, More)
    assert ending.after_s >= 7
    assert await shop.states(order_id) == ["intended"]


async def test_credentials_that_are_wrong_wait_for_an_operator(contract_shop: KeyShop) -> None:
    shop = contract_shop
    await shop.sandbox.control(**spoiled_pay(shop, status=401))
    order_id = await shop.order()
    assert isinstance(await shop.step(order_id), More)
    await shop.buy(order_id)
    assert len(await shop.keys(order_id)) == 1


async def test_a_key_that_was_given_out_and_did_not_come_is_lost_and_paid_back(
    settings: Settings, sandbox: Sandbox
) -> None:
    async with open_impatient_shop(settings, sandbox, "g2a") as shop:
        order_id = await shop.order()
        fault = {"match": "GET /v1/order/key/*", "do": "half", "times": 1}
        await sandbox.control(faults=[fault])
        await shop.buy(order_id)
        assert await shop.states(order_id) == ["lost"]
        assert ((await shop.row(order_id))["status"], await shop.balance()) == ("REFUNDED", Decimal(1000))


async def test_whoever_fetches_a_key_is_not_taken_for_dead(settings: Settings, sandbox: Sandbox) -> None:
    async with open_impatient_shop(settings, sandbox, "g2a") as shop:
        order_id = await shop.order()
        await sandbox.control(faults=[{"match": "GET /v1/order/key/*", "do": "slow", "latency_ms": 300}])
        endings = await asyncio.gather(shop.step(order_id), shop.step(order_id), shop.step(order_id))
        assert [type(ending) for ending in endings].count(Replied) <= 1
        await shop.buy(order_id)
        assert len(await shop.keys(order_id)) == 1


@pytest.mark.parametrize(
    ("answers", "limit_s", "state"),
    [
        ({"POST /contract/orders": 429}, 4 * 3600, "failed"),
        ({"POST /contract/orders": 503}, 4 * 3600, "failed"),
        # 404 of a question is no answer to it, and is not repeated at once.
        ({"POST /contract/orders": 503, "GET /contract/orders": 404}, 24 * 3600, "lost"),
        ({}, 24 * 3600, "lost"),
    ],
    ids=["nothing can be bought", "buying breaks", "nobody knows", "it never comes"],
)
async def test_nobody_waits_for_ever(contract_shop: KeyShop, answers: dict[str, int], limit_s: int, state: str) -> None:
    shop = contract_shop
    faults = [{"match": match, "status": status, "times": None} for match, status in answers.items()]
    await shop.sandbox.control(completion="never", faults=faults)
    order_id = await shop.order()
    assert isinstance(await shop.step(order_id), More)
    before = "UPDATE store_orders SET purchase_began_at = now() - make_interval(secs => $2) WHERE id = $1"
    await shop.desk.pool.execute(before, order_id, limit_s - 60)
    for _ in range(3):
        await shop.time_passes(order_id)
        assert isinstance(await shop.step(order_id), More)
    await shop.desk.pool.execute(before, order_id, limit_s + 60)
    for _ in range(3):
        await shop.time_passes(order_id)
        await shop.step(order_id)
    row = await shop.row(order_id)
    assert (row["status"], row["reason"].partition(":")[0]) == ("REFUNDED", "G2A_TIMEOUT")
    assert (await shop.states(order_id), await shop.balance()) == ([state], Decimal(1000))


def test_the_quiet_time_is_longer_than_any_call_of_ours(tmp_path: Path) -> None:
    for timeout_s in (0.1, 8.0, 20.0):
        settings = Settings(g2a_timeout_s=timeout_s, data_dir=tmp_path)
        assert g2a_steps.quiet_s(settings) >= 2 * timeout_s
