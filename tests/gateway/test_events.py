"""WS /events: who hears what, what it costs, and who is sent away."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

import lua
from chaos.waiting import until
from contract.settings import Settings
from contract.transport import open_redis
from tests.support.http import get, init, order, post
from tests.support.refusals import refused, unread
from tests.support.selling import Sale
from tests.support.watching import Denied, message, watching
from tests.support.wire import exchange, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHANNEL = lua.LaneKeys(0).events
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")


@pytest_asyncio.fixture(loop_scope="module")
async def channel(shared_gateway: Settings) -> AsyncIterator[Any]:
    """A client of the Valkey that the events come through."""
    client = open_redis(shared_gateway)
    yield client
    await client.aclose()


async def subscriptions(client: Any) -> int:
    """How many connections listen to the events."""
    return (await client.pubsub_numsub(CHANNEL))[0][1]


async def test_stock_and_orders_are_told_to_whoever_watches(sale: Sale) -> None:
    async with watching(sale.port, f"?productId={sale.product}") as watcher:
        await order(sale.port, f"heard-{sale.product}", sale.product)
        heard = [await watcher.hear(), await watcher.hear()]
    stock = {"type": "inventory", "productId": sale.product, "available": sale.units - 1, "quantity": sale.units}
    assert heard == [stock, {"type": "order", "productId": sale.product, "state": "accepted"}]


async def test_a_watcher_without_a_filter_hears_of_every_product(sale: Sale) -> None:
    async with watching(sale.port) as watcher:
        await order(sale.port, f"every-{sale.product}", sale.product)
        await init(sale.port, f"new-{sale.product}", 5)
        await watcher.hear_until(type="order", productId=sale.product, state="accepted")
        assert (await watcher.hear_until(productId=f"new-{sale.product}"))[-1]["available"] == 5


async def test_a_watcher_of_one_product_hears_of_no_other(sale: Sale) -> None:
    async with watching(sale.port, f"?productId={sale.product}&productId=never-sold") as watcher:
        await init(sale.port, f"other-{sale.product}", 5)
        await order(sale.port, f"o-{sale.product}", f"other-{sale.product}")
        await order(sale.port, f"m-{sale.product}", sale.product)
        heard = await watcher.hear_until(type="order")
    assert {news["productId"] for news in heard} == {sale.product}


async def test_a_cancelled_order_and_its_unit_are_told(sale: Sale) -> None:
    bought = (await order(sale.port, f"back-{sale.product}", sale.product)).json()["orderId"]
    async with watching(sale.port, f"?productId={sale.product}&orderId={bought}") as watcher:
        assert (await post(sale.port, f"/cancel/{bought}")).status == 200
        heard = [await watcher.hear(), await watcher.hear()]
    assert heard[0]["available"] == sale.units
    assert heard[1] == {"type": "order", "productId": sale.product, "state": "cancelled", "orderId": bought}


async def test_an_order_is_told_by_its_id_only_to_those_who_know_it(sale: Sale) -> None:
    bought = (await order(sale.port, f"mine-{sale.product}", sale.product)).json()["orderId"]
    queries = ["", f"?productId={sale.product}", "?orderId=another", f"?orderId={bought}"]
    async with contextlib.AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(sale.port, query)) for query in queries]
        await post(sale.port, f"/cancel/{bought}")
        await init(sale.port, f"last-{sale.product}", 1)
        await init(sale.port, sale.product, 1)
        heard = [await watcher.hear_until(productId=sale.product, quantity=1) for watcher in watchers]
    assert [bought in json.dumps(news) for news in heard] == [False, False, False, True]
    # Who named orders hears of these alone, beside the stock.
    assert [news["state"] for news in heard[2] if news["type"] == "order"] == []


async def test_fifty_watchers_cost_one_subscription_and_none_cost_none(sale: Sale, channel: Any) -> None:
    async def nobody() -> bool:
        return await subscriptions(channel) == 0

    await until(nobody)
    async with contextlib.AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(watching(sale.port)) for _ in range(50)]
        assert await subscriptions(channel) == 1
        await order(sale.port, f"fifty-{sale.product}", sale.product)
        for watcher in watchers:
            assert (await watcher.hear_until(type="order"))[-1]["productId"] == sale.product
    await until(nobody)


async def test_watchers_that_leave_in_the_handshake_leave_no_subscription(sale: Sale, channel: Any) -> None:
    async def flee() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", sale.port)
        writer.write(head("GET /events HTTP/1.1", *UPGRADE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        await writer.drain()
        writer.transport.abort()

    await asyncio.gather(*(flee() for _ in range(50)))

    async def nobody() -> bool:
        return await subscriptions(channel) == 0

    await until(nobody)
    async with watching(sale.port) as watcher:
        await order(sale.port, f"after-{sale.product}", sale.product)
        await watcher.hear_until(type="order")


async def test_one_watcher_that_leaves_does_not_silence_the_others(sale: Sale) -> None:
    async with watching(sale.port) as stays:
        async with watching(sale.port):
            pass
        await order(sale.port, f"stays-{sale.product}", sale.product)
        await stays.hear_until(type="order", productId=sale.product)


@pytest.mark.parametrize("binary", [False, True])
async def test_what_a_watcher_says_is_dropped(sale: Sale, binary: bool) -> None:
    async with watching(sale.port) as watcher:
        for _ in range(100):
            watcher.say(message(100, binary))
        await order(sale.port, f"talks-{sale.product}-{binary}", sale.product)
        await watcher.hear_until(type="order", productId=sale.product)


@pytest.mark.slow
async def test_a_watcher_that_never_reads_is_dropped_and_slows_nobody(sale: Sale, channel: Any) -> None:
    async with watching(sale.port), watching(sale.port) as listens:
        # The first reads nothing, and the kernel holds less than the 40 MB that all rounds would be.
        for round_ in range(400):
            lines = [f"inventory\t1\t1\t{round_}-{i}-{'x' * 1_000}" for i in range(100)]
            await channel.publish(CHANNEL, "\n".join([*lines, f"inventory\t{round_}\t400\t{sale.product}"]))
            assert len(await listens.hear_until(available=round_, quantity=400)) == 101
            if await watchers(sale.port) == 1:
                break
        else:
            pytest.fail("the watcher that never reads is still served")


async def watchers(port: int) -> float:
    """How many watchers the gateway counts."""
    samples = text_string_to_metric_families((await get(port, "/metrics")).body.decode())
    return next(family.samples[0].value for family in samples if family.name == "fluxgate_event_watchers")


async def test_news_of_one_product_that_wait_are_replaced_by_the_newest(sale: Sale, channel: Any) -> None:
    async with watching(sale.port, f"?productId={sale.product}") as watcher:
        lines = [f"inventory\t{left}\t5000\t{sale.product}" for left in range(5_000, -1, -1)]
        await channel.publish(CHANNEL, "\n".join(lines))
        assert len(await watcher.hear_until(available=0)) < 10


async def test_too_many_filters_are_refused(shared_gateway: Settings) -> None:
    query = "?" + "&".join(f"productId=p{i}" for i in range(101))
    with pytest.raises(Denied) as denied:
        async with watching(shared_gateway.port, query):
            pass
    assert denied.value.response.status == 400


async def test_a_plain_request_is_told_to_upgrade(shared_gateway: Settings) -> None:
    answer = await get(shared_gateway.port, "/events")
    assert "WebSocket client" in refused(answer, 426)
    assert answer.headers["upgrade"] == "websocket"


async def test_a_websocket_to_another_route_is_not_found(shared_gateway: Settings) -> None:
    lines = (*UPGRADE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    for path in ("/livez", "/order", "/nowhere"):
        assert (
            await exchange(shared_gateway.port, head(f"GET {path} HTTP/1.1", *lines, "Connection: close"))
        ).status == 404


@pytest.mark.parametrize("host", ["", "a\r\nHost: b"])
async def test_a_websocket_needs_one_host_as_well(shared_gateway: Settings, host: str) -> None:
    lines = (*UPGRADE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    answer = await exchange(shared_gateway.port, head("GET /events HTTP/1.1", *lines, host=host))
    assert answer is not None
    assert answer.status == 400


@pytest.mark.parametrize(
    "lines",
    [
        UPGRADE,
        ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        (*UPGRADE[:2], "Sec-WebSocket-Version: 8", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    ],
    ids=["no key", "no version", "an old version"],
)
async def test_a_malformed_handshake_is_refused(shared_gateway: Settings, lines: tuple[str, ...]) -> None:
    unread(await exchange(shared_gateway.port, head("GET /events HTTP/1.1", *lines)))


async def test_a_subprotocol_that_is_no_text_does_not_end_the_gateway(sale: Sale) -> None:
    lines = (*UPGRADE, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: \xff")
    await exchange(sale.port, head("GET /events HTTP/1.1", *lines, "Connection: close"), cut=True)
    assert await sale.left() == sale.units
