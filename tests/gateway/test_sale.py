"""The contract of the sale over real HTTP: /init, /order, /status, /inventory, /cancel."""

import asyncio

from contract.settings import Settings
from tests.support.http import init, order
from tests.support.workshop import Workshop


async def test_the_complete_flow_of_the_contract_answers_to_the_letter(gateway: Settings) -> None:
    opened = await init(gateway.port, "ps5-disc", 1)
    assert (opened.status, opened.json()) == (200, {"status": "ok", "msg": "Stock initialized for ps5-disc to 1"})
    accepted = await order(gateway.port, "key-1", "ps5-disc", "user-42")
    order_id = accepted.json()["orderId"]
    assert accepted.status == 200
    assert accepted.json() == {"status": "success", "msg": "Order accepted", "orderId": order_id}
    again = await order(gateway.port, "key-1", "ps5-disc", "user-42")
    assert again.status == 200
    assert again.json() == {"status": "ignored", "msg": "Duplicate request", "orderId": order_id}
    assert again.headers["idempotent-replayed"] == "true"
    sold_out = await order(gateway.port, "key-2", "ps5-disc", "user-43")
    assert (sold_out.status, sold_out.json()) == (409, {"status": "sold_out", "msg": "Inventory empty"})


async def test_fifty_requests_with_one_key_at_once_make_one_order(gateway: Settings, workshop: Workshop) -> None:
    await init(gateway.port, quantity=100)
    answers = await asyncio.gather(*(order(gateway.port, "same") for _ in range(50)))
    assert sorted(answer.json()["status"] for answer in answers) == ["ignored"] * 49 + ["success"]
    assert len({answer.json()["orderId"] for answer in answers}) == 1
    await workshop.work()
    assert len(await workshop.rows()) == 1
