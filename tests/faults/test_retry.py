"""A repeated request is always right: it tells what became of the first, after a restart and after its record too."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from bench.books import reconcile
from chaos import victims
from chaos.faults.signals import kill
from chaos.house import House, house_settings, redis_of
from chaos.sale import Sale, eventually
from chaos.system import running_system, up
from tests.support.http import Response, get, order

pytestmark = [pytest.mark.slow, pytest.mark.fault]

STOCK, KEY, BUYER = 5, "5f0c9a1e-0000-4000-8000-000000000001", "ann"
# Seconds that a record lives: past any restart, and hardly at all.
LONG, SHORT = 3600, 1


@pytest_asyncio.fixture
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    settings = msgspec.structs.replace(house_settings(tmp_path / "data"), idempotency_ttl_s=request.param)
    async with running_system(settings) as system:
        house = House(settings, system, settings.port)
        async with house.stack:
            yield house


async def buy(house: House) -> Response:
    return await order(house.port, KEY, "phone", BUYER)


async def answered(house: House) -> Response:
    """The answer to the same request, repeated until there is one."""
    answers: list[Response] = []

    async def told() -> bool:
        try:
            answers.append(await buy(house))
        except (OSError, EOFError):
            return False
        return answers[-1].status != 503

    await eventually(told, "the repeated request is answered")
    return answers[-1]


async def left(house: House) -> int:
    return (await get(house.port, "/inventory/phone")).json()["available"]


async def lapsed(house: House) -> None:
    """Wait until Redis remembers no order any more."""
    async with redis_of(house) as redis:

        async def forgotten() -> bool:
            return not [key async for key in redis.scan_iter(match="*order:*")]

        await eventually(forgotten, "the record has lapsed")


@pytest.mark.parametrize("house", [LONG], indirect=True)
async def test_a_repeated_request_tells_the_outcome_of_the_first_whatever_happened_between(house: House) -> None:
    sale = Sale(house, "phone", STOCK, 1)
    await sale.open()
    first = (await buy(house)).json()
    assert first["status"] == "success"

    await kill(victims.valkey(house.system), "Valkey")
    again = (await answered(house)).json()
    assert (again["status"], again["orderId"]) == ("ignored", first["orderId"])

    house.system.process.terminate()
    await house.system.ends()
    await house.start_again()
    await up(house.system)
    again = (await answered(house)).json()
    assert again["orderId"] == first["orderId"]
    assert await left(house) == STOCK - 1


@pytest.mark.parametrize("house", [SHORT], indirect=True)
async def test_after_its_record_has_lapsed_a_repeated_request_makes_no_second_order(house: House) -> None:
    sale = Sale(house, "phone", STOCK, 1)
    await sale.open()
    first = (await buy(house)).json()["orderId"]
    await sale.drained()
    await lapsed(house)

    second = (await buy(house)).json()["orderId"]
    assert second != first
    await sale.drained()
    assert await left(house) == STOCK - 1, "the unit has come back"
    assert (await buy(house)).json()["orderId"] == first, "the key answers with the order that it made first"
    assert {row.order_id: row.state for row in await sale.rows()} == {first: "persisted", second: "failed"}
    assert (await get(house.port, f"/status/{second}")).json()["state"] == "failed"
    assert reconcile(house.settings).balanced
