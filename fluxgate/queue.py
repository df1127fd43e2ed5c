"""`fluxgate queue`: what waits where, as a table or as JSON: the streams of lanes and workers, and the outbox."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple, cast

import msgspec
from rich.console import Console
from rich.table import Table

import lua
from contract.bus import SERVICES
from contract.settings import Settings
from fluxgate.lanes import Lanes, lanes_of
from sql import Pool, open_pool
from workers.outbox import Waiting, read_waiting

UNITS_S = ((86_400, "d"), (3_600, "h"), (60, "min"))


class Queue(NamedTuple):
    """One stream: entries that nobody has taken yet, those that somebody is at work on, those that could not be
    handled, and how long the oldest that is not settled has been there, in seconds; 0 where there is none."""

    name: str
    waiting: int
    pending: int
    dead: int
    oldest_s: float


async def command(settings: Settings, as_json: bool) -> int:
    """Print what waits. It is 0 whatever there is: a queue is no fault."""
    async with lanes_of(settings) as lanes, _pool_of(settings) as pool:
        queues = await read_queues(lanes)
        outbox = await read_waiting(pool)
    if as_json:
        document = {"streams": [queue._asdict() for queue in queues], "outbox": [row._asdict() for row in outbox]}
        Console(soft_wrap=True).print_json(msgspec.json.encode(document).decode())
    else:
        _print_tables(queues, outbox)
    return 0


async def read_queues(lanes: Lanes) -> list[Queue]:
    """The streams of these lanes, and of every worker of the bus."""
    now_ms = await lua.now_ms(lanes.redis)
    places = [(f"lane {keys.lane}", keys.outbox, keys.dead, lua.GROUP_OF_ORDERS) for keys in lanes.keys]
    places += [(name, lua.commands_key(name), lua.dead_commands_key(name), name) for name in SERVICES]
    async with cast(Any, lanes.redis).pipeline(transaction=False) as pipe:
        for _, stream, dead, group in places:
            pipe.xlen(stream).xlen(dead).xrange(stream, count=1).xpending(stream, group)
        found: list[Any] = await pipe.execute(raise_on_error=False)
    queues: list[Queue] = []
    for (name, *_), at in zip(places, range(0, len(found), 4), strict=True):
        length, dead, oldest, taken = found[at : at + 4]
        # Where nobody has read yet, there is no group.
        pending = 0 if str(taken).startswith("NOGROUP") else taken
        for reply in (length, dead, oldest, pending):
            if isinstance(reply, Exception):
                raise reply
        pending = pending["pending"] if pending else 0
        since_ms = int(oldest[0][0].split(b"-")[0]) if oldest else now_ms
        # The four were read one after the other, while others worked.
        queues.append(Queue(name, max(0, length - pending), pending, dead, max(0, now_ms - since_ms) / 1000))
    return queues


@contextlib.asynccontextmanager
async def _pool_of(settings: Settings) -> AsyncGenerator[Pool]:
    pool = await open_pool(settings.postgres_at, name="queue", connections=1)
    try:
        yield pool
    finally:
        await pool.close()


def _print_tables(queues: list[Queue], outbox: list[Waiting]) -> None:
    table = _table("commands in streams", "stream", "waiting", "pending", "dead", "oldest")
    for queue in queues:
        dead = f"[red]{queue.dead}[/red]" if queue.dead else "0"
        table.add_row(queue.name, str(queue.waiting), str(queue.pending), dead, _age(queue.oldest_s))
    console = Console()
    console.print(table)
    if not outbox:
        console.print("No command waits in the outbox.")
        return
    table = _table("commands in the outbox", "worker", "due", "later", "late")
    for row in outbox:
        name = row.worker if row.worker in SERVICES else f"{row.worker} [red](no such worker)[/red]"
        table.add_row(name, str(row.due), str(row.later), _age(row.late_s))
    console.print(table)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _age(seconds: float) -> str:
    """An age for people, such as 4.2 s or 3 h; a dash for none."""
    if seconds == 0:
        return "-"
    return next((f"{seconds / unit:.0f} {name}" for unit, name in UNITS_S if seconds >= unit), f"{seconds:.1f} s")
