"""`fluxgate dead` and the queues of the command bus: what is handed in again is done, however late it is."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

import lua
from contract.bus import BusCommand, decode_command
from contract.settings import Settings
from fluxgate.dead import EVERYWHERE, Where, drop_command, list_command, replay_command, show_command
from fluxgate.refusal import Refusal
from lua import LaneKeys
from tests.support.desk import command, deliver, open_desk, read
from workers.service import Desk, Ending, Never, Service, replied

NAME = "webhooks"
OTHER = "goated"


async def fail(_desk: Desk, _own: BusCommand) -> Ending:
    """Give up."""
    return Never("tried in vain")


async def echo(_desk: Desk, own: BusCommand) -> Ending:
    """Give the body back."""
    return replied(own.body)


BROKEN = Service(NAME, {"echo": fail}, query_file="bus")
MENDED = Service(NAME, {"echo": echo}, query_file="bus")


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    """What the handlers use."""
    async with open_desk(settings, MENDED) as opened:
        yield opened


async def bury(desk: Desk, **more: Any) -> BusCommand:
    """Have a command dead-lettered by its worker."""
    own = command("echo", {"a": 1}, **more)
    assert (await deliver(desk, BROKEN, own)).status == 500
    return own


async def letters(desk: Desk, queue: str = NAME) -> list[str]:
    """The ids of the letters of a queue."""
    return [entry.decode() for entry, _ in await cast(Any, desk.redis).xrange(lua.dead_commands_key(queue))]


async def listed(desk: Desk, capsys: pytest.CaptureFixture[str], where: Where = EVERYWHERE) -> list[dict[str, Any]]:
    """What the list shows."""
    capsys.readouterr()
    assert await list_command(desk.settings, True, where) == 0
    return json.loads(capsys.readouterr().out)


async def test_the_list_has_lanes_and_queues_and_shows_what_was_wanted_and_why_not(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    own = await bury(desk)
    lane_letter = {"kind": "orders", "at": "1", "name": "n", "value": "v", "reason": "no order", "entry": "1-1"}
    await cast(Any, desk.redis).xadd(LaneKeys(0).dead, lane_letter)
    of_lane, of_queue = await listed(desk, capsys)
    assert (of_lane["queue"], of_queue["queue"]) == ("lane 0", NAME)
    assert (of_queue["kind"], of_queue["name"], of_queue["reason"]) == ("echo", own.id, "tried in vain")
    assert decode_command(of_queue["value"]) == own
    assert await listed(desk, capsys, Where(queue=NAME)) == [of_queue]
    assert await listed(desk, capsys, Where(lane=0)) == [of_lane]
    assert await listed(desk, capsys, Where(queue=OTHER)) == []
    assert await list_command(desk.settings, as_json=False) == 0
    assert NAME in capsys.readouterr().out


async def test_a_letter_of_a_queue_is_shown_whole(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    own = await bury(desk)
    [entry_id] = await letters(desk)
    assert await show_command(desk.settings, entry_id, EVERYWHERE, as_json=False) == 0
    assert own.id in capsys.readouterr().out


async def test_a_queue_that_there_is_not_is_refused(desk: Desk) -> None:
    with pytest.raises(Refusal, match=r"There is no queue post: there are auth, "):
        await list_command(desk.settings, False, Where(queue="post"))


async def test_what_is_handed_in_again_begins_anew_and_is_done_however_late_it_is(desk: Desk) -> None:
    own = await bury(desk, attempt=7, deadline_ms=1 << 50, user_id="ann", trace="a trace")
    # So late that its worker would answer it and not run it.
    [entry_id] = await letters(desk)
    await cast(Any, desk.redis).delete(lua.dead_commands_key(NAME))
    late = {"command": msgspec.json.encode(msgspec.structs.replace(own, deadline_ms=1)), "reason": "tried in vain"}
    await cast(Any, desk.redis).xadd(lua.dead_commands_key(NAME), late, id=entry_id)
    assert await replay_command(desk.settings, [entry_id], EVERYWHERE) == 0
    assert await letters(desk) == []
    [delivery] = await read(desk, MENDED)
    again = decode_command(delivery.fields[b"command"])
    assert again == msgspec.structs.replace(own, attempt=1, deadline_ms=0, reply_to="")


async def test_all_letters_are_handed_in_each_to_its_own_queue(desk: Desk) -> None:
    own = await bury(desk)
    other = msgspec.json.encode(command("echo"))
    await cast(Any, desk.redis).xadd(lua.dead_commands_key(OTHER), {"command": other, "reason": "tried in vain"})
    assert await replay_command(desk.settings, [], EVERYWHERE) == 0
    assert (await letters(desk), await letters(desk, OTHER)) == ([], [])
    [delivery] = await read(desk, MENDED)
    assert decode_command(delivery.fields[b"command"]).id == own.id
    assert await cast(Any, desk.redis).xlen(lua.commands_key(OTHER)) == 1


async def test_all_letters_of_one_queue_leave_the_others_alone(desk: Desk) -> None:
    await bury(desk)
    assert await replay_command(desk.settings, [], Where(queue=OTHER)) == 0
    assert len(await letters(desk)) == 1


async def test_what_somebody_meant_is_dropped_by_force_alone(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    own = await bury(desk)
    [entry_id] = await letters(desk)
    assert await drop_command(desk.settings, [entry_id], EVERYWHERE, force=False) == 1
    assert f"`fluxgate dead replay {entry_id} --queue {NAME}` hands it in again" in capsys.readouterr().err
    assert await letters(desk) == [entry_id]
    assert await drop_command(desk.settings, [entry_id], EVERYWHERE, force=True) == 0
    assert own.id in capsys.readouterr().out
    assert await letters(desk) == []


@pytest.mark.parametrize("text", [b"nonsense", b"", b'"\xff"'])
async def test_what_is_no_command_is_not_handed_in_and_is_dropped_without_more_ado(
    desk: Desk, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    await cast(Any, desk.redis).xadd(lua.dead_commands_key(NAME), {"command": text, "reason": "no command"}, id="5-1")
    assert await replay_command(desk.settings, [], EVERYWHERE) == 1
    assert capsys.readouterr().err == f"5-1 is no command: `fluxgate dead drop 5-1 --queue {NAME}` deletes it.\n"
    assert await drop_command(desk.settings, ["5-1"], EVERYWHERE, force=False) == 0
    assert await letters(desk) == []


async def test_an_id_that_a_lane_and_a_queue_have_is_told_until_one_is_named(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in (LaneKeys(0).dead, lua.dead_commands_key(NAME)):
        await cast(Any, desk.redis).xadd(key, {"command": b"nonsense", "reason": "none"}, id="5-1")
    assert await drop_command(desk.settings, ["5-1"], EVERYWHERE, force=True) == 1
    assert f"say which by one of --lane 0, --queue {NAME}." in capsys.readouterr().err
    assert await drop_command(desk.settings, ["5-1"], Where(queue=NAME), force=True) == 0
    assert await letters(desk) == []
    assert await cast(Any, desk.redis).xlen(LaneKeys(0).dead) == 1
