"""/livez, /readyz, /metrics, and the log: what an operator has to go by. (Without Redis: test_redis_away.py.)"""

import json
import re
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

import lua
from bench.ports import free_port
from contract.order_ids import parse_order_id
from contract.settings import Settings
from contract.transport import open_redis
from gateway.openapi import DOCUMENT
from tests.support.http import get, init, order, post
from tests.support.processes import running_gateway
from tests.support.selling import Sale
from tests.support.wire import exchange, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE_UNITS = re.compile(r"_(milliseconds|ms|us|minutes|kilobytes|kb|percent)(_|$)")


async def families(port: int) -> dict[str, Any]:
    """The metrics by name, parsed."""
    answer = await get(port, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


async def value(port: int, name: str, **labels: str) -> float:
    """One figure; 0 where nothing has been counted yet."""
    for family in (await families(port)).values():
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0


async def test_a_process_that_answers_is_live_and_with_redis_ready(shared_gateway: Settings) -> None:
    for path in ("/livez", "/readyz"):
        answer = await get(shared_gateway.port, path)
        assert (answer.status, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


MAY_BE_EMPTY = {
    *("fluxgate_stock_left", "fluxgate_commands", "fluxgate_command_seconds"),
    *("fluxgate_upstream_calls", "fluxgate_upstream_call_seconds"),
}
"""Their labels are what has happened: a product on sale, a command that was handled, a request to somebody else."""


async def test_metrics_are_named_by_convention(sale: Sale) -> None:
    await order(sale.port, f"named-{sale.product}", sale.product)
    found = await families(sale.port)
    assert {"fluxgate_http_requests", "fluxgate_http_request_duration_seconds", "fluxgate_orders_accepted"} <= set(
        found
    )
    for name, family in found.items():
        assert re.fullmatch(r"fluxgate_[a-z0-9_]+", name)
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        assert not BASE_UNITS.search(name)
        assert family.samples or name in MAY_BE_EMPTY
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{name}_total"}
        else:
            assert not name.endswith("_total")


async def test_requests_are_counted_by_route_and_status(sale: Sale) -> None:
    name = "fluxgate_http_requests_total"
    before = [
        await value(sale.port, name, route="/order", status="200"),
        await value(sale.port, name, route="/order", status="400"),
        await value(sale.port, name, route="/status/{order_id}", status="404"),
    ]
    for i in range(3):
        await order(sale.port, f"counted-{sale.product}-{i}", sale.product)
    await order(sale.port, "", sale.product)
    await get(sale.port, "/status/none")
    assert await value(sale.port, name, route="/order", status="200") == before[0] + 3
    assert await value(sale.port, name, route="/order", status="400") == before[1] + 1
    assert await value(sale.port, name, route="/status/{order_id}", status="404") == before[2] + 1


async def test_the_time_to_answer_is_a_histogram(sale: Sale) -> None:
    name = "fluxgate_http_request_duration_seconds"
    await order(sale.port, f"timed-{sale.product}", sale.product)
    samples = [s for s in (await families(sale.port))[name].samples if s.labels["route"] == "/order"]
    buckets = [s.value for s in samples if s.name.endswith("_bucket")]
    count = next(s.value for s in samples if s.name.endswith("_count"))
    assert buckets == sorted(buckets)
    assert buckets[-1] == count > 0
    assert next(s.value for s in samples if s.name.endswith("_sum")) > 0


async def test_decisions_and_stock_are_told(sale: Sale) -> None:
    names = ["accepted", "replayed", "cancelled", "sold_out"]
    before = [await value(sale.port, f"fluxgate_orders_{name}_total") for name in names]
    bought = await order(sale.port, f"told-{sale.product}", sale.product)
    await order(sale.port, f"told-{sale.product}", sale.product)
    await order(sale.port, f"all-{sale.product}", sale.product, quantity=sale.units)
    await post(sale.port, f"/cancel/{bought.json()['orderId']}")
    after = [await value(sale.port, f"fluxgate_orders_{name}_total") for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 1]
    assert await value(sale.port, "fluxgate_stock_left", product=sale.product) == sale.units
    assert await value(sale.port, "fluxgate_outbox_backlog") > 0


@pytest.mark.parametrize("product", ['say "hi"', "back\\slash", "{a=b}", "#", "naïve 🎮"])
async def test_any_product_may_stand_in_a_label(sale: Sale, product: str) -> None:
    await init(sale.port, product, 7)
    assert await value(sale.port, "fluxgate_stock_left", product=product) == 7


async def test_a_long_path_makes_no_series_of_its_own(sale: Sale) -> None:
    for i in range(50):
        await get(sale.port, f"/status/{i}")
        await get(sale.port, f"/nowhere/{i}")
    routes = {sample.labels["route"] for sample in (await families(sale.port))["fluxgate_http_requests"].samples}
    assert not any("nowhere" in route or (route.startswith("/status/") and "{" not in route) for route in routes)


async def test_a_bug_is_logged_with_the_id_of_its_request_and_told_without_detail(
    shared_gateway: Settings, sale: Sale
) -> None:
    bought = (await order(sale.port, f"damaged-{sale.product}", sale.product)).json()["orderId"]
    found = parse_order_id(bought)
    assert found
    # A record that no version of ours has written stands for a bug: nobody's request can bring one about.
    client: Any = open_redis(shared_gateway)
    await client.set(lua.LaneKeys(0).order(found[1]), b"damaged\n{}")
    await client.aclose()
    answer = await get(sale.port, f"/status/{bought}", X_Request_Id="find-me")
    expected = resolve_response("Bug")["content"]["application/json"]["examples"]
    assert (answer.status, answer.json()) == (500, next(iter(expected.values()))["value"])
    assert answer.headers["x-request-id"] == "find-me"
    lines = map(json.loads, (shared_gateway.data_dir / "gateway.log").read_text().splitlines())
    logged = next(line for line in lines if line.get("request_id") == "find-me")
    assert (logged["event"], logged["level"], logged["route"]) == ("a bug", "error", "/status/{order_id}")
    assert "Traceback" in logged["exception"]


def resolve_response(name: str) -> Any:
    """A response that many routes share, as the OpenAPI document has it."""
    return DOCUMENT["components"]["responses"][name]


async def test_every_line_of_the_log_is_json_and_none_is_of_the_clients_making(
    shared_gateway: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("log")
    # Redis is away, so that there is something to log; the clients try to write lines of their own.
    settings = Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0", data_dir=directory)
    async with running_gateway(settings) as gateway:
        for _ in range(3):
            await order(gateway.port, "key", 'ps5"}\n{"level":"info')
            await order(gateway.port, "key", "ps5")
            await get(gateway.port, "/readyz")
            await exchange(gateway.port, b"\x16\x03\x01 nonsense\r\n\r\n")
            await exchange(gateway.port, head("POST /order HTTP/1.1", "Transfer-Encoding: chunked"), b"zz\r\n")
    lines = [json.loads(line) for line in (directory / "gateway.log").read_text().splitlines()]
    assert {"gateway serves", "Redis cannot be used"} <= {line["event"] for line in lines}
    for line in lines:
        assert line["service"] == "gateway"
        assert line["level"] in ("info", "warning", "error")
        assert line["timestamp"].endswith("Z")


async def test_at_debug_level_the_log_has_every_request_with_its_id(settings: Settings) -> None:
    async with running_gateway(msgspec.structs.replace(settings, log_level="debug")) as served:
        await get(served.port, "/inventory/nothing", X_Request_Id="find-me-too")
        lines = map(json.loads, (served.data_dir / "gateway.log").read_text().splitlines())
    logged = next(line for line in lines if line.get("request_id") == "find-me-too")
    assert (logged["event"], logged["route"], logged["status"]) == ("request", "/inventory/{product_id:path}", 404)
