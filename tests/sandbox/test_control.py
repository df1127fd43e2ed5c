"""What the sandbox is told: what is wrong with it is said in a sentence, and changes nothing."""

import json
import re
from typing import Any

import pytest

from tests.support.processes import ROOT
from tests.support.sandbox import Sandbox


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latency": 5}, "unknown field `latency`"),
        ({"latency_ms": -1}, ">= 0"),
        ({"completion": "soon"}, "$.completion"),
        ({"faults": [{"match": "*", "does": "hang"}]}, "unknown field `does`"),
        ({"faults": [{"do": "hang"}]}, "missing required field `match`"),
        ({"faults": [{"match": "*"}] * 51}, "length <= 50"),
        ({"products": [{"id": "1", "quantity": 5}]}, "There is no product '1'."),
        ({"products": [{"id": "10000000001000", "price": 5}]}, "unknown field `price`"),
        ({"webhooks": {"sign": "badly"}}, "$.webhooks.sign"),
        ({"size": 1_000_001}, "<= 1000000"),
        ([], "Expected `object`"),
        ("{", "Expected `object`"),
    ],
)
async def test_a_control_document_that_makes_no_sense_is_refused(sandbox: Sandbox, change: Any, said: str) -> None:
    before = (await sandbox.ask("GET", "/sandbox/control")).json()
    sound: dict[str, Any] = {"wallet_cents": 1}
    reply = await sandbox.ask("PUT", "/sandbox/control", sound | change if isinstance(change, dict) else change)
    assert reply.status == 400
    assert said in reply.json()["error"]["message"]
    assert (await sandbox.ask("GET", "/sandbox/control")).json() == before


async def test_what_is_not_named_stays_as_it_is(sandbox: Sandbox) -> None:
    await sandbox.control(latency_ms=1, completion="never", faults=[{"match": "*", "skip": 5}])
    now = await sandbox.control(latency_ms=2)
    assert (now["latency_ms"], now["completion"], len(now["faults"])) == (2, "never", 1)


async def test_to_change_something_else_does_not_begin_the_faults_anew(sandbox: Sandbox) -> None:
    await sandbox.control(faults=[{"match": "*"}])
    assert (await sandbox.contract("GET", "/products")).status == 500
    await sandbox.control(latency_ms=1)
    assert (await sandbox.contract("GET", "/products")).status == 200


async def test_a_reset_forgets_everything(sandbox: Sandbox) -> None:
    product_id = (await sandbox.contract("GET", "/products")).json()["data"][0]["id"]
    before = await sandbox.control()
    await sandbox.control(completion="inline", size=5, products=[{"id": product_id, "quantity": 3}])
    assert (await sandbox.contract("POST", "/orders", {"productId": product_id})).status == 200
    await sandbox.reset()
    assert await sandbox.orders() == []
    assert (await sandbox.journal()) == {"total": 0, "totals": {}, "requests": []}
    assert await sandbox.control() == before


async def test_what_was_set_for_a_product_can_be_taken_back(sandbox: Sandbox) -> None:
    first = (await sandbox.contract("GET", "/products")).json()["data"][0]
    own = {"id": first["id"], "quantity": 7, "price_cents": 700}
    await sandbox.control(products=[own])
    now = (await sandbox.contract("GET", f"/products/{first['id']}")).json()
    assert (now["qty"], now["minPrice"]) == (7, 7)
    await sandbox.control(products=[{**own, "quantity": None, "price_cents": None}])
    then = (await sandbox.contract("GET", f"/products/{first['id']}")).json()
    assert {name for name in first if first[name] != then[name]} == {"updated_at"}


async def test_orders_and_requests_are_listed_in_parts(sandbox: Sandbox) -> None:
    product_id = (await sandbox.contract("GET", "/products")).json()["data"][0]["id"]
    await sandbox.control(products=[{"id": product_id, "quantity": 9}], completion="never")
    for number in range(3):
        await sandbox.contract("POST", "/orders", {"productId": product_id, "reference": str(number)})
    part = (await sandbox.ask("GET", "/sandbox/orders?offset=1&limit=1")).json()
    assert (part["total"], [order["reference"] for order in part["orders"]]) == (3, ["1"])
    journal = (await sandbox.ask("GET", "/sandbox/journal?limit=1")).json()
    assert (journal["total"], [entry["reference"] for entry in journal["requests"]]) == (4, ["2"])


async def test_an_address_of_nothing_and_a_wrong_method_are_told_apart(sandbox: Sandbox) -> None:
    assert (await sandbox.ask("GET", "/")).status == 404
    assert (await sandbox.ask("GET", "/sandbox/nothing")).status == 404
    assert (await sandbox.ask("POST", "/sandbox/journal")).status == 405
    assert (await sandbox.contract("DELETE", "/orders")).status == 405


async def test_every_control_document_of_the_manual_is_taken(sandbox: Sandbox) -> None:
    documents = re.findall(r"^```json\n(.*?)^```$", (ROOT / "docs" / "sandbox.md").read_text(), re.M | re.S)
    assert len(documents) > 3
    for document in documents:
        assert (await sandbox.ask("PUT", "/sandbox/control", json.loads(document))).status == 200, document
