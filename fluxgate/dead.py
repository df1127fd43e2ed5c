"""`fluxgate dead`: look at commands that no worker could handle, send them on their way again, or drop them.

Each lane has its dead letters, and so has each queue of the command bus, which is named after its worker. An id is
looked for in all of them, unless `lane` or `queue` names one.
"""

import contextlib
import re
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lua
from contract.bus import FIELD, SERVICES, BusCommand, decode_command
from contract.messages import Poison, decode_entry
from contract.settings import Settings
from contract.transport import Delivery, Stream
from fluxgate.lanes import lanes_of
from fluxgate.refusal import Refusal
from workers.proof import living

SHOWN_MAX = 1000
SEQUENCE_MAX = (1 << 64) - 1
FOUND, MISSING = 0, 1


class Where(NamedTuple):
    """Where to look; nothing at all means everywhere."""

    lane: int | None = None
    queue: str | None = None


EVERYWHERE = Where()


class Place(NamedTuple):
    """A stream of dead letters: of a lane, or of the worker `queue`."""

    redis: lua.Client
    lane: lua.LaneKeys | None = None
    queue: str = ""

    @property
    def stream(self) -> Stream:
        """Its letters."""
        name = self.lane.dead if self.lane else lua.dead_commands_key(self.queue)
        return Stream(self.redis, name, lua.GROUP_OF_ORDERS, "")

    @property
    def option(self) -> str:
        """What names it on the command line."""
        return f"--lane {self.lane.lane}" if self.lane else f"--queue {self.queue}"


class Letter(NamedTuple):
    """A dead-lettered command, and where it lies."""

    place: Place
    delivery: Delivery

    @property
    def entry_id(self) -> str:
        """Its id there."""
        return self.delivery.entry_id

    @property
    def fields(self) -> dict[str, str]:
        """What stands in it."""
        of = self.delivery.fields.items()
        return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in of}

    @property
    def named(self) -> str:
        """What names it on the command line."""
        is_only_lane = self.place.lane and self.place.lane.count == 1
        return self.entry_id if is_only_lane else f"{self.entry_id} {self.place.option}"

    @property
    def text(self) -> bytes:
        """What a worker of the bus would be given."""
        return self.delivery.fields.get(FIELD.encode(), b"")

    @property
    def command(self) -> BusCommand | None:
        """The command of the bus that it is, if it is one."""
        if self.place.lane:
            return None
        try:
            return decode_command(self.text)
        except (ValueError, msgspec.MsgspecError):
            return None

    @property
    def is_meant(self) -> bool:
        """Whether it can be read as a command: then somebody was told that it is done, or wants it done."""
        if not self.place.lane:
            return self.command is not None
        return not any(isinstance(command, Poison) for command in decode_entry(living(self.delivery)))


async def list_command(settings: Settings, as_json: bool, where: Where = EVERYWHERE) -> int:
    """Print the dead-lettered commands, oldest first, at most SHOWN_MAX of each lane and each queue."""
    async with _places(settings, where) as places:
        found = await _read(places)
    letters = [_shown(letter) for letter in found]
    console = Console()
    if as_json:
        console.print_json(msgspec.json.encode(letters).decode())
        return FOUND
    if not letters:
        console.print("No command is dead-lettered.")
        return FOUND
    table = Table()
    is_only_lane = all(letter.place.lane and letter.place.lane.count == 1 for letter in found)
    names = ("id", *([] if is_only_lane else ["queue"]), "kind", "name", "reason")
    for name in names:
        table.add_column("command" if name == "name" else name, overflow="fold")
    for letter in letters:
        table.add_row(*(Text(str(letter[name])) for name in names))
    console.print(table)
    return FOUND


async def show_command(settings: Settings, entry_id: str, where: Where, as_json: bool) -> int:
    """Print one dead-lettered command whole. Gives 1 when there is none of this id."""
    async with _places(settings, where) as places:
        letter = await _find(places, entry_id)
    if letter is None:
        return MISSING
    console = Console()
    if as_json:
        console.print_json(msgspec.json.encode(_shown(letter)).decode())
    else:
        for name, value in _shown(letter).items():
            console.print(f"{name:8} {value}", markup=False)
    return FOUND


async def replay_command(settings: Settings, entry_ids: list[str], where: Where) -> int:
    """Put commands back where they came from; no id at all means every one. Gives 1 when one is missing."""
    missing = 0
    async with _places(settings, where) as places:
        wanted = [await _find(places, entry_id) for entry_id in entry_ids] if entry_ids else await _read(places)
        for letter in wanted:
            if letter is None:
                missing += 1
            elif letter.place.queue and not letter.is_meant:
                missing += _say(f"{letter.entry_id} is no command: `fluxgate dead drop {letter.named}` deletes it.")
            elif await _replay(letter):
                Console().print(f"{letter.entry_id} is on its way again.")
            else:
                missing += _say(f"{letter.entry_id} is dead-lettered no more.")
    return MISSING if missing else FOUND


async def drop_command(settings: Settings, entry_ids: list[str], where: Where, force: bool) -> int:
    """Delete dead letters for good. Gives 1 when one is missing, or is a command that somebody still waits for."""
    kept = 0
    async with _places(settings, where) as places:
        for entry_id in entry_ids:
            letter = await _find(places, entry_id)
            if letter is None:
                kept += 1
            elif not force and letter.is_meant:
                sentence = f"`fluxgate dead replay {letter.named}` hands it in again, --force loses it."
                kept += _say(f"{entry_id} was accepted: {sentence}")
            else:
                await letter.place.stream.delete(entry_id)
                # The terminal is the last place that has it.
                Console().print_json(msgspec.json.encode(_shown(letter)).decode())
    return MISSING if kept else FOUND


async def _replay(letter: Letter) -> bool:
    """Hand a letter in again; False when somebody else has done it meanwhile.

    A command of the bus begins anew. It may be as late as it is, and nobody waits for its reply any more: who asked was
    told that it failed. So it waits for servers that are away, and is tried again where it fails.
    """
    redis, lane, queue = letter.place
    if lane:
        return await lua.replay_dead(redis, lane, letter.entry_id)
    again = msgspec.structs.replace(decode_command(letter.text), attempt=1, deadline_ms=0, reply_to="")
    return await lua.replay_command(redis, queue, letter.entry_id, msgspec.json.encode(again))


@contextlib.asynccontextmanager
async def _places(settings: Settings, where: Where) -> AsyncGenerator[list[Place]]:
    """The streams to look at, inside the block. Raises Refusal where there is none of this lane or queue."""
    if where.queue is not None and where.queue not in SERVICES:
        raise Refusal(f"There is no queue {where.queue}: there are {', '.join(SERVICES)}.")
    async with lanes_of(settings, where.lane) as lanes:
        of_lanes = [Place(lanes.redis, lane=keys) for keys in lanes.keys]
        of_bus = [Place(lanes.redis, queue=name) for name in SERVICES if where.queue in (None, name)]
        if where.queue is not None:
            yield of_bus
        else:
            yield of_lanes if where.lane is not None else of_lanes + of_bus


async def _read(places: list[Place]) -> list[Letter]:
    return [
        Letter(place, delivery) for place in places for delivery in await place.stream.entries_until("+", SHOWN_MAX)
    ]


async def _find(places: list[Place], entry_id: str) -> Letter | None:
    """The dead letter with this id; None, with a sentence that says why, where there is not exactly one."""
    form = re.fullmatch(r"(\d+)-(\d+)", entry_id)
    letters: list[Letter] = []
    if form:
        ms, seq = int(form[1]), int(form[2])
        before = f"{ms}-{seq - 1}" if seq else f"{ms - 1}-{SEQUENCE_MAX}" if ms else ""
        for place in places:
            found = await place.stream.entries_until(entry_id, 1, before)
            letters += [Letter(place, delivery) for delivery in found]
    if not letters:
        _say(f"No dead-lettered command has the id {entry_id}.")
    elif len(letters) > 1:
        options = ", ".join(letter.place.option for letter in letters)
        _say(f"Several dead-lettered commands have the id {entry_id}: say which by one of {options}.")
    return letters[0] if len(letters) == 1 else None


def _shown(letter: Letter) -> dict[str, Any]:
    fields = letter.fields
    if letter.place.lane:
        lane = letter.place.lane.lane
        names = ("kind", "at", "name", "value", "reason", "entry")
        return {"id": letter.entry_id, "queue": f"lane {lane}", "lane": lane} | {
            name: fields.get(name, "") for name in names
        }
    command = letter.command
    return {
        "id": letter.entry_id,
        "queue": letter.place.queue,
        "kind": command.kind if command else "",
        "name": command.id if command else "",
        "value": letter.text.decode(errors="replace"),
        "reason": fields.get("reason", ""),
    }


def _say(sentence: str) -> int:
    Console(stderr=True).print(sentence, markup=False, soft_wrap=True)
    return 1
