"""`fluxgate dead`: look at commands that no worker could handle, send them on their way again, or drop them.

Each lane has its dead letters. An id is looked for in all lanes, unless `lane` names one.
"""

import re
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

import lua
from contract.messages import Poison, decode_entry
from contract.settings import Settings
from contract.transport import Delivery, Stream
from fluxgate.lanes import Lanes, lanes_of
from workers.proof import living

SHOWN_MAX = 1000
SEQUENCE_MAX = (1 << 64) - 1
FOUND, MISSING = 0, 1


class Letter(NamedTuple):
    """A dead-lettered command, and the lane that it lies in."""

    keys: lua.LaneKeys
    delivery: Delivery

    @property
    def entry_id(self) -> str:
        """Its id in that lane."""
        return self.delivery.entry_id

    @property
    def place(self) -> str:
        """What names it on the command line."""
        return self.entry_id if self.keys.count == 1 else f"{self.entry_id} --lane {self.keys.lane}"


async def list_command(settings: Settings, as_json: bool) -> int:
    """Print the dead-lettered commands, oldest first, at most SHOWN_MAX of each lane."""
    async with lanes_of(settings) as lanes:
        letters = [_shown(letter) for letter in await _read(lanes)]
    console = Console()
    if as_json:
        console.print_json(msgspec.json.encode(letters).decode())
        return FOUND
    if not letters:
        console.print("No command is dead-lettered.")
        return FOUND
    table = Table()
    names = ("id", *(["lane"] if len(lanes.keys) > 1 else []), "kind", "name", "reason")
    for name in names:
        table.add_column("command" if name == "name" else name, overflow="fold")
    for letter in letters:
        table.add_row(*(str(letter[name]) for name in names))
    console.print(table)
    return FOUND


async def show_command(settings: Settings, entry_id: str, lane: int | None, as_json: bool) -> int:
    """Print one dead-lettered command whole. Gives 1 when there is none of this id."""
    async with lanes_of(settings, lane) as lanes:
        letter = await _find(lanes, entry_id)
    if letter is None:
        return MISSING
    console = Console()
    if as_json:
        console.print_json(msgspec.json.encode(_shown(letter)).decode())
    else:
        for name, value in _shown(letter).items():
            console.print(f"{name:8} {value}", markup=False)
    return FOUND


async def replay_command(settings: Settings, entry_ids: list[str], lane: int | None) -> int:
    """Put commands back into the outbox; no id at all means every one. Gives 1 when one is missing."""
    missing = 0
    async with lanes_of(settings, lane) as lanes:
        wanted = [await _find(lanes, entry_id) for entry_id in entry_ids] if entry_ids else await _read(lanes)
        for letter in wanted:
            if letter is None:
                missing += 1
            elif await lua.replay_dead(lanes.redis, letter.keys, letter.entry_id):
                Console().print(f"{letter.entry_id} is on its way again.")
            else:
                missing += _say(f"{letter.entry_id} is dead-lettered no more.")
    return MISSING if missing else FOUND


async def drop_command(settings: Settings, entry_ids: list[str], lane: int | None, force: bool) -> int:
    """Delete dead letters for good. Gives 1 when one is missing, or is a command that somebody still waits for."""
    kept = 0
    async with lanes_of(settings, lane) as lanes:
        for entry_id in entry_ids:
            letter = await _find(lanes, entry_id)
            if letter is None:
                kept += 1
            elif not force and _is_meant(letter):
                sentence = f"`fluxgate dead replay {letter.place}` hands it in again, --force loses it."
                kept += _say(f"{entry_id} was accepted: {sentence}")
            else:
                await _stream(lanes, letter.keys).delete(entry_id)
                # The terminal is the last place that has it.
                Console().print_json(msgspec.json.encode(_shown(letter)).decode())
    return MISSING if kept else FOUND


def _stream(lanes: Lanes, keys: lua.LaneKeys) -> Stream:
    return Stream(lanes.redis, keys.dead, lua.GROUP_OF_ORDERS, "")


async def _read(lanes: Lanes) -> list[Letter]:
    return [
        Letter(keys, delivery)
        for keys in lanes.keys
        for delivery in await _stream(lanes, keys).entries_until("+", SHOWN_MAX)
    ]


async def _find(lanes: Lanes, entry_id: str) -> Letter | None:
    """The dead letter with this id; None, with a sentence that says why, where there is not exactly one."""
    form = re.fullmatch(r"(\d+)-(\d+)", entry_id)
    letters: list[Letter] = []
    if form:
        ms, seq = int(form[1]), int(form[2])
        before = f"{ms}-{seq - 1}" if seq else f"{ms - 1}-{SEQUENCE_MAX}" if ms else ""
        for keys in lanes.keys:
            found = await _stream(lanes, keys).entries_until(entry_id, 1, before)
            letters += [Letter(keys, delivery) for delivery in found]
    if not letters:
        _say(f"No dead-lettered command has the id {entry_id}.")
    elif len(letters) > 1:
        places = ", ".join(str(letter.keys.lane) for letter in letters)
        _say(f"{entry_id} is in the lanes {places}: name one of them by --lane.")
    return letters[0] if len(letters) == 1 else None


def _shown(letter: Letter) -> dict[str, Any]:
    fields = {
        name.decode(errors="replace"): value.decode(errors="replace") for name, value in letter.delivery.fields.items()
    }
    return {
        "id": letter.entry_id,
        "lane": letter.keys.lane,
        **{name: fields.get(name, "") for name in ("kind", "at", "name", "value", "reason", "entry")},
    }


def _is_meant(letter: Letter) -> bool:
    """Whether a letter can be read as a command: then somebody was told that it is done."""
    return not any(isinstance(command, Poison) for command in decode_entry(living(letter.delivery)))


def _say(sentence: str) -> int:
    Console(stderr=True).print(sentence, markup=False, soft_wrap=True)
    return 1
