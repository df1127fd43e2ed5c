"""`fluxgate cache`: what is cached, and how to be rid of it. The answers are not shown: some are of one person."""

import msgspec
from rich.console import Console
from rich.table import Table

import lua
from contract.settings import Settings
from contract.transport import open_redis

DONE, FAULTY = 0, 1
_encode = msgspec.json.Encoder().encode


async def list_command(settings: Settings, pattern: str, as_json: bool) -> int:
    """Print the cached answers whose names match."""
    redis = open_redis(settings)
    try:
        listed = await lua.list_cached(redis, pattern)
    finally:
        await redis.aclose()
    console = Console()
    if as_json:
        console.print_json(_encode([found._asdict() for found in listed]).decode())
        return DONE
    if not listed:
        console.print(f"No cached answer matches {pattern}.", markup=False, highlight=False, soft_wrap=True)
        return DONE
    table = Table()
    table.add_column("name", overflow="fold")
    for name in ("bytes", "age", "lapses in", "filling"):
        table.add_column(name, justify="right")
    for found in listed:
        age = "" if found.age_ms is None else f"{found.age_ms // 1000} s"
        lapses_in = f"{found.lapses_in_ms // 1000} s"
        table.add_row(found.name, f"{found.bytes:,}", age, lapses_in, "yes" if found.filling else "")
    console.print(table)
    return DONE


async def drop_command(settings: Settings, pattern: str, as_json: bool) -> int:
    """Delete the cached answers whose names match. Gives 1 when that was not possible."""
    redis = open_redis(settings)
    try:
        done = await lua.invalidate(redis, [pattern])
    finally:
        await redis.aclose()
    if as_json:
        Console().print_json(_encode({"dropped": done.gone, "faults": done.faults}).decode())
    else:
        for fault in done.faults:
            Console(stderr=True).print(fault, markup=False, soft_wrap=True)
        if not done.faults:
            answers = "1 cached answer" if done.gone == 1 else f"{done.gone} cached answers"
            Console().print(f"Dropped {answers}.", highlight=False)
    return FAULTY if done.faults else DONE
