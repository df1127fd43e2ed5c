"""The other commands over several lanes: one table of books, one look by the doctor, and one number for all."""

import json
from typing import Any, cast

import msgspec
import pytest

import lua
from bench.ports import free_port
from chaos.system import refusal
from contract.settings import Settings
from fluxgate import doctor, reconcile
from fluxgate.status import Status
from lua import LaneKeys

PRODUCTS = ("product-0", "product-3", "product-5")
"""One for each of three lanes."""


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, redis: lua.Client, request: pytest.FixtureRequest) -> Settings:
    """Settings of a gate with one lane, and with three, in which three sales are open."""
    return await opened(msgspec.structs.replace(settings, lanes=request.param), redis)


@pytest.fixture
async def three(settings: Settings, redis: lua.Client) -> Settings:
    """Settings of a gate with three lanes, in each of which a sale is open."""
    return await opened(msgspec.structs.replace(settings, lanes=3), redis)


async def opened(settings: Settings, redis: lua.Client) -> Settings:
    await lua.agree_on_lanes(redis, settings.lanes)
    for product in PRODUCTS:
        keys = LaneKeys(lua.lane_of(product, settings.lanes), settings.lanes)
        await lua.open_sale(redis, keys, product, 5, 0)
    return settings


async def test_the_books_of_all_lanes_are_one_document(gate: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert await reconcile.command(gate, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(book["product_id"], book["left"]) for book in document.pop("sales")] == [(name, 5) for name in PRODUCTS]
    assert document == {"balanced": True, "oversold": 0, "lost": 0, "duplicated": 0}
    assert await reconcile.command(gate, as_json=False) == 0
    assert capsys.readouterr().out.count("balanced") == len(PRODUCTS)


async def test_a_fault_in_any_lane_is_found(three: Settings, redis: lua.Client) -> None:
    (stock,) = await cast(Any, redis).keys("{lane:2}:stock:*")
    await cast(Any, redis).decr(stock)
    assert await reconcile.command(three, as_json=True) == 1


async def test_the_books_are_those_of_the_lanes_in_force_whatever_the_setting_says(three: Settings) -> None:
    books = await reconcile.read_books(msgspec.structs.replace(three, lanes=1))
    assert [(book.product_id, book.fault) for book in books] == [(name, "") for name in PRODUCTS]


async def of_lanes(settings: Settings) -> list[tuple[str, str, str]]:
    """What the doctor finds about lanes."""
    findings = await doctor.examine(settings)
    return [(item.what, item.state, item.detail) for item in findings if item.what.startswith("lane")]


async def test_the_doctor_names_the_number_of_lanes(gate: Settings) -> None:
    assert await of_lanes(gate) == [("lanes", "ok", str(gate.lanes))]


async def test_the_doctor_names_a_number_that_would_be_refused(three: Settings) -> None:
    ((what, state, sentence),) = await of_lanes(msgspec.structs.replace(three, lanes=2))
    assert (what, state) == ("lanes", "wrong")
    assert sentence.startswith("FLUXGATE_LANES is 2, but the sales in Redis are spread over 3: set it to 3; or ")


async def test_the_doctor_names_a_lane_that_cannot_be_read(three: Settings, redis: lua.Client) -> None:
    await cast(Any, redis).set(LaneKeys(1).outbox, "no stream")
    _, (what, state, sentence) = await of_lanes(three)
    assert (what, state) == ("lane 1", "wrong")
    assert sentence.startswith("cannot be read: WRONGTYPE")


async def test_the_status_line_sums_the_lanes(gate: Settings) -> None:
    status = Status(gate)
    try:
        assert (await status.line()).startswith("stock 15 of 15 in 3 sales")
    finally:
        await status.close()


@pytest.mark.slow
@pytest.mark.parametrize("command", [("worker", "orders"), ("reaper",), ("up",)])
async def test_who_starts_with_another_number_is_refused_in_one_sentence(
    three: Settings, command: tuple[str, ...]
) -> None:
    ports = {"port": free_port(), "waiting_room_port": free_port()}
    sentence = await refusal(msgspec.structs.replace(three, lanes=1, log_level="error", **ports), *command)
    assert sentence.startswith("fluxgate: FLUXGATE_LANES is 1, but the sales in Redis are spread over 3: set it to 3")
