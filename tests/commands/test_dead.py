"""`fluxgate dead` in one lane and in several: every letter is found, and none is taken for that of another lane."""

import json
from typing import Any, cast

import msgspec
import pytest

import lua
from contract.settings import Settings
from fluxgate.dead import EVERYWHERE, Where, drop_command, list_command, replay_command, show_command
from fluxgate.refusal import Refusal
from lua import LaneKeys

LETTER = {"kind": "orders", "at": "1", "name": "no id", "value": "nonsense", "reason": "no order", "entry": "1-1"}
SALE = "1700000000000000:5:0:0:-1:0:ps5"
TWICE = "Several dead-lettered commands have the id 5-1: say which by one of --lane 0, --lane 2.\n"
OPENING = {**LETTER, "kind": "opened", "at": "1700000000000000", "name": "sale", "value": SALE}


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, redis: lua.Client, request: pytest.FixtureRequest) -> Settings:
    """Settings of a gate with one lane, and with three, that has been started."""
    await lua.agree_on_lanes(redis, request.param)
    return msgspec.structs.replace(settings, lanes=request.param)


@pytest.fixture
async def three(settings: Settings, redis: lua.Client) -> Settings:
    """Settings of a gate with three lanes that has been started."""
    await lua.agree_on_lanes(redis, 3)
    return msgspec.structs.replace(settings, lanes=3)


async def park(redis: lua.Client, lane: int, entry_id: str, fields: dict[str, str] = LETTER) -> str:
    """Put a dead letter into a lane."""
    return (await cast(Any, redis).xadd(LaneKeys(lane).dead, fields, id=entry_id)).decode()


async def parked(redis: lua.Client, lanes: int) -> list[list[str]]:
    """The ids of the dead letters of each lane."""
    found = [await cast(Any, redis).xrange(keys.dead) for keys in lua.every_lane(lanes)]
    return [[entry_id.decode() for entry_id, _ in letters] for letters in found]


async def test_the_list_has_the_letters_of_every_lane(
    gate: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    for lane in range(gate.lanes):
        await park(redis, lane, f"{lane + 1}-1")
    assert await list_command(gate, as_json=True) == 0
    letters = json.loads(capsys.readouterr().out)
    assert [(letter["lane"], letter["id"]) for letter in letters] == [(i, f"{i + 1}-1") for i in range(gate.lanes)]
    assert await list_command(gate, as_json=False) == 0
    assert ("lane 1" in capsys.readouterr().out) == (gate.lanes > 1)


async def test_an_empty_list_says_so(gate: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert await list_command(gate, as_json=False) == 0
    assert capsys.readouterr().out == "No command is dead-lettered.\n"


async def test_a_letter_is_found_by_its_id_in_whichever_lane_it_lies(
    gate: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    last = gate.lanes - 1
    for entry_id in ("5-0", "5-1", "0-7", "4-18446744073709551615"):
        await cast(Any, redis).delete(LaneKeys(last).dead)
        await park(redis, last, entry_id)
        assert await show_command(gate, entry_id, EVERYWHERE, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["id"] == entry_id
        assert await drop_command(gate, [entry_id], EVERYWHERE, force=False) == 0
        assert "nonsense" in capsys.readouterr().out
        assert await parked(redis, gate.lanes) == [[]] * gate.lanes


@pytest.mark.parametrize("entry_id", ["5-2", "5-0", "0-0", "nonsense", "5"])
async def test_an_id_that_no_letter_has_is_told(
    gate: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str], entry_id: str
) -> None:
    await park(redis, 0, "5-1")
    assert await show_command(gate, entry_id, EVERYWHERE, as_json=False) == 1
    assert await drop_command(gate, [entry_id], EVERYWHERE, force=True) == 1
    assert await replay_command(gate, [entry_id], EVERYWHERE) == 1
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"No dead-lettered command has the id {entry_id}.\n" * 3)
    assert (await parked(redis, gate.lanes))[0] == ["5-1"]


async def test_an_id_that_two_lanes_have_is_told_until_one_is_named(
    three: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    for lane in (0, 2):
        await park(redis, lane, "5-1")
    assert await show_command(three, "5-1", EVERYWHERE, as_json=False) == 1
    assert await drop_command(three, ["5-1"], EVERYWHERE, force=True) == 1
    assert await replay_command(three, ["5-1"], EVERYWHERE) == 1
    assert capsys.readouterr().err == TWICE * 3
    assert await show_command(three, "5-1", Where(lane=2), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["lane"] == 2
    assert await drop_command(three, ["5-1"], Where(lane=2), force=True) == 0
    assert await parked(redis, 3) == [["5-1"], [], []]


async def test_a_lane_that_there_is_not_is_refused(gate: Settings) -> None:
    with pytest.raises(Refusal, match=f"There is no lane {gate.lanes}: there are {gate.lanes}, counted from 0."):
        await show_command(gate, "1-1", Where(lane=gate.lanes), as_json=False)


async def test_an_accepted_command_is_not_dropped_and_the_sentence_says_how_it_is_handed_in(
    gate: Settings, redis: lua.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    last = gate.lanes - 1
    await park(redis, last, "5-1", OPENING)
    assert await drop_command(gate, ["5-1"], EVERYWHERE, force=False) == 1
    lane = f" --lane {last}" if last else ""
    assert f"5-1 was accepted: `fluxgate dead replay 5-1{lane}` hands it in again" in capsys.readouterr().err
    assert await replay_command(gate, ["5-1"], Where(lane=last)) == 0
    assert await parked(redis, gate.lanes) == [[]] * gate.lanes
    assert await cast(Any, redis).xlen(LaneKeys(last).outbox) == 1


async def test_all_letters_of_all_lanes_are_handed_in_each_to_its_own(gate: Settings, redis: lua.Client) -> None:
    for lane in range(gate.lanes):
        await park(redis, lane, "5-1", OPENING)
    assert await replay_command(gate, [], EVERYWHERE) == 0
    assert await parked(redis, gate.lanes) == [[]] * gate.lanes
    assert [await cast(Any, redis).xlen(keys.outbox) for keys in lua.every_lane(gate.lanes)] == [1] * gate.lanes


async def test_the_lanes_in_force_are_searched_whatever_the_setting_says(three: Settings, redis: lua.Client) -> None:
    await park(redis, 2, "5-1")
    assert await drop_command(msgspec.structs.replace(three, lanes=1), ["5-1"], EVERYWHERE, force=False) == 0
