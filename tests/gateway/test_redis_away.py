"""Redis stops, hangs and comes back: nothing is promised meanwhile, nothing is sold twice, everything resumes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import lua
from bench.ports import free_port
from chaos.waiting import until
from contract.settings import Settings
from contract.transport import open_redis
from fluxgate import embedded
from tests.support.http import Response, get, init, order, post
from tests.support.processes import running_gateway
from tests.support.refusals import refused
from tests.support.watching import watching

# Generous against the half second that the gateway grants Redis: what is asserted is that there is an end.
BOUND_S = 5.0
PAUSE_MS = 2_500
ORDER_ID = "0190a0b0-c0d0-7000-8abc-0123456789ab"


class Power:
    """A Valkey of a test's own, with a switch."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._port = directory, free_port()
        self._on = contextlib.AsyncExitStack()

    async def on(self) -> str:
        """Start it on the data that it had; gives its URL."""
        return await self._on.enter_async_context(embedded.valkey(self._directory, self._port))

    async def off(self) -> None:
        """Stop it."""
        await self._on.aclose()


@pytest.fixture
async def power(tmp_path: Path) -> AsyncIterator[Power]:
    """A Valkey that is not running yet."""
    power = Power(tmp_path / "valkey")
    yield power
    await power.off()


@contextlib.asynccontextmanager
async def gateway_on(redis_url: str, directory: Path) -> AsyncIterator[Settings]:
    """A gateway that grants Redis half a second."""
    settings = Settings(
        redis_url=redis_url, data_dir=directory, rate_per_s=100_000, redis_timeout_s=0.5, ask_timeout_s=0.5
    )
    async with running_gateway(settings) as served:
        yield served


async def everything(port: int) -> list[Response]:
    """One request to each route that needs Redis."""
    async with asyncio.timeout(BOUND_S):
        return await asyncio.gather(
            order(port, "while-away"),
            init(port),
            get(port, f"/status/{ORDER_ID}"),
            post(port, f"/cancel/{ORDER_ID}"),
            get(port, "/inventory/ps5"),
            get(port, "/admission?productId=ps5"),
        )


@pytest.mark.slow
async def test_without_redis_nothing_is_promised_and_with_it_all_resumes(power: Power, tmp_path: Path) -> None:
    async with gateway_on(await power.on(), tmp_path) as gateway:
        port = gateway.port
        await init(port, quantity=5)
        first = (await order(port, "before")).json()["orderId"]
        await power.off()
        for answer in await everything(port):
            assert "repeat the request with the same key" in refused(answer, 503)
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert answer.headers["cache-control"] == "no-store"
        assert "nothing can be sold" in refused(await get(port, "/readyz"), 503)
        assert [(await get(port, path)).status for path in ("/livez", "/metrics", "/openapi.json")] == [200] * 3

        await power.on()
        # The first that works again is an order: no other request has to wake the gateway.
        again = await order(port, "while-away")
        assert again.json()["status"] == "success"
        assert (await order(port, "before")).json() == {
            "status": "ignored",
            "msg": "Duplicate request",
            "orderId": first,
        }
        assert (await get(port, "/inventory/ps5")).json()["available"] == 3
        assert (await get(port, "/readyz")).status == 200


@pytest.mark.slow
async def test_a_gateway_that_starts_before_redis_serves_once_it_is_there(power: Power, tmp_path: Path) -> None:
    url = await power.on()
    await power.off()
    async with gateway_on(url, tmp_path) as gateway:
        refused(await order(gateway.port, "early"), 503)
        refused(await get(gateway.port, "/readyz"), 503)
        await power.on()
        assert (await get(gateway.port, "/readyz")).status == 200
        assert (await init(gateway.port, quantity=1)).status == 200
        assert (await order(gateway.port, "early")).json()["status"] == "success"


@pytest.mark.slow
async def test_an_order_of_unknown_outcome_may_be_repeated_and_sells_one_unit(power: Power, tmp_path: Path) -> None:
    url = await power.on()
    async with gateway_on(url, tmp_path) as gateway:
        await init(gateway.port, quantity=10)
        await order(gateway.port, "warm")
        client: Any = open_redis(gateway)
        await client.execute_command("CLIENT", "PAUSE", PAUSE_MS, "ALL")
        await client.aclose()
        async with asyncio.timeout(BOUND_S):
            silent = await asyncio.gather(*(order(gateway.port, f"k{i % 4}") for i in range(8)))
            refused(await get(gateway.port, "/readyz"), 503)
        for answer in silent:
            refused(answer, 503)

        async def ready() -> bool:
            return (await get(gateway.port, "/readyz")).status == 200

        await until(ready)
        answers = await asyncio.gather(*(order(gateway.port, f"k{i}") for i in range(4)))
        # Whether the silent Redis had taken them or not: each key has one order now.
        assert {answer.status for answer in answers} == {200}
        assert len({answer.json()["orderId"] for answer in answers}) == 4
        assert (await get(gateway.port, "/inventory/ps5")).json()["available"] == 5


@pytest.mark.slow
async def test_events_flow_again_after_redis_comes_back(power: Power, tmp_path: Path) -> None:
    async with gateway_on(await power.on(), tmp_path) as gateway:
        await init(gateway.port, quantity=10)
        async with watching(gateway.port, "?productId=ps5") as watcher:
            await order(gateway.port, "before")
            await watcher.hear_until(type="order")
            await power.off()
            await power.on()
            client: Any = open_redis(gateway)

            async def subscribed() -> bool:
                return (await client.pubsub_numsub(lua.LaneKeys(0).events))[0][1] == 1

            await until(subscribed)
            await order(gateway.port, "after")
            heard = await watcher.hear_until(type="order")
            assert heard[0]["available"] == 8
        await client.aclose()
