"""`fluxgate dead`: look at commands that no worker could handle, send them on their way again, or drop them."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

import lua
from contract.messages import Poison, decode_entry
from contract.settings import Settings
from contract.transport import Delivery, Stream, open_redis
from workers.proof import living

SHOWN_MAX = 1000
FOUND, MISSING = 0, 1


async def list_command(settings: Settings, as_json: bool) -> int:
    """Print the dead-lettered commands, oldest first, at most SHOWN_MAX."""
    letters = [_letter(delivery) for delivery in await _read(settings)]
    console = Console()
    if as_json:
        console.print_json(msgspec.json.encode(letters).decode())
        return FOUND
    if not letters:
        console.print("No command is dead-lettered.")
        return FOUND
    table = Table()
    for name in ("id", "kind", "command", "reason"):
        table.add_column(name, overflow="fold")
    for letter in letters:
        table.add_row(letter["id"], letter["kind"], letter["name"], letter["reason"])
    console.print(table)
    return FOUND


async def show_command(settings: Settings, entry_id: str, as_json: bool) -> int:
    """Print one dead-lettered command whole. Gives 1 when there is none of this id."""
    for delivery in await _read(settings):
        if delivery.entry_id == entry_id:
            letter = _letter(delivery)
            console = Console()
            if as_json:
                console.print_json(msgspec.json.encode(letter).decode())
            else:
                for name, value in letter.items():
                    console.print(f"{name:8} {value}", markup=False)
            return FOUND
    return _missing(entry_id)


async def replay_command(settings: Settings, entry_ids: list[str]) -> int:
    """Put commands back into the outbox; no id at all means every one. Gives 1 when one is missing."""
    wanted = entry_ids or [delivery.entry_id for delivery in await _read(settings)]
    redis = open_redis(settings)
    missing = 0
    try:
        for entry_id in wanted:
            if await lua.replay_dead(redis, lua.LaneKeys(0), entry_id):
                Console().print(f"{entry_id} is on its way again.")
            else:
                missing += _missing(entry_id)
    finally:
        await redis.aclose()
    return MISSING if missing else FOUND


async def drop_command(settings: Settings, entry_ids: list[str], force: bool) -> int:
    """Delete dead letters for good. Gives 1 when one is missing, or is a command that somebody still waits for."""
    letters = {delivery.entry_id: delivery for delivery in await _read(settings)}
    redis = open_redis(settings)
    stream = Stream(redis, lua.LaneKeys(0).dead, lua.GROUP_OF_ORDERS, "")
    kept = 0
    try:
        for entry_id in entry_ids:
            if entry_id not in letters:
                kept += _missing(entry_id)
            elif not force and _is_meant(letters[entry_id]):
                kept += _still_meant(entry_id)
            else:
                await stream.delete(entry_id)
                # The terminal is the last place that has it.
                Console().print_json(msgspec.json.encode(_letter(letters[entry_id])).decode())
    finally:
        await redis.aclose()
    return MISSING if kept else FOUND


async def _read(settings: Settings) -> list[Delivery]:
    redis = open_redis(settings)
    try:
        return await Stream(redis, lua.LaneKeys(0).dead, lua.GROUP_OF_ORDERS, "").entries_until("+", SHOWN_MAX)
    finally:
        await redis.aclose()


def _letter(delivery: Delivery) -> dict[str, Any]:
    fields = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in delivery.fields.items()}
    return {
        "id": delivery.entry_id,
        **{name: fields.get(name, "") for name in ("kind", "at", "name", "value", "reason", "entry")},
    }


def _is_meant(delivery: Delivery) -> bool:
    """Whether a letter can be read as a command: then somebody was told that it is done."""
    return not any(isinstance(command, Poison) for command in decode_entry(living(delivery)))


def _still_meant(entry_id: str) -> int:
    sentence = f"{entry_id} was accepted: `fluxgate dead replay {entry_id}` hands it in again, --force loses it."
    Console(stderr=True).print(sentence, markup=False, soft_wrap=True)
    return MISSING


def _missing(entry_id: str) -> int:
    Console(stderr=True).print(f"No dead-lettered command has the id {entry_id}.", markup=False)
    return MISSING
