"""`fluxgate goated`: have the leaderboard fetched, and see how fetches go and where the race stands."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lua
from contract.bus import BusCommand, BusReply, decode_reply, encode, new_command_id
from contract.settings import Settings
from contract.transport import REPLY_FIELD, Mailbox, open_redis
from fluxgate.refusal import Refusal
from sql import load_queries, open_pool
from workers.goated_board import freshness_of
from workers.goated_races import Race, earliest_reset, status_at, told

WAIT_S = 60.0
"""How long a fetch is waited for: it takes half a minute at most, and may find another one before it."""
LAST = 10
"""Fetches that are shown."""
_REFUSED = 1


async def sync_command(settings: Settings, accept: bool, as_json: bool) -> int:
    """Have the leaderboard fetched and print what came of it; 1 where it was refused. Raises Refusal where nobody is
    there who could be asked."""
    if not settings.goated_at:
        raise Refusal("No setting says where Goated is: set FLUXGATE_GOATED_URL.")
    console = Console(soft_wrap=True)
    with Console(stderr=True).status("The worker goated fetches the leaderboard ..."):
        reply = await _ask(settings, accept)
    result = msgspec.json.decode(reply.data)
    problem = None if reply.problem is None else msgspec.to_builtins(reply.problem)
    if as_json:
        console.print_json(msgspec.json.encode({"result": result, "problem": problem}).decode())
    elif reply.problem is not None:
        console.print(Text(f"{reply.problem.code}: {reply.problem.message}", style="red"))
        if reply.problem.code == "SUSPICIOUS_DATA":
            console.print("Nothing was changed. If it is true all the same: fluxgate goated sync --accept")
    else:
        console.print(Text(_sentence(result)))
    return 0 if reply.problem is None else _REFUSED


async def status_command(settings: Settings, as_json: bool) -> int:
    """Print how old the leaderboard is, where the race stands, and the last fetches. It is 0 whatever there is."""
    document = await _read_status(settings)
    if as_json:
        Console(soft_wrap=True).print_json(encode(document).decode())
    else:
        _print_status(document)
    return 0


async def _ask(settings: Settings, accept: bool) -> BusReply:
    """Hand the command to the worker, and wait for its reply."""
    awaited: asyncio.Future[BusReply] = asyncio.get_running_loop().create_future()

    def take(fields: Mapping[bytes, bytes]) -> None:
        if not awaited.done():
            awaited.set_result(decode_reply(fields[REPLY_FIELD]))

    redis, listener = open_redis(settings, connections=1), open_redis(settings, connections=1, block_s=WAIT_S)
    mailbox = Mailbox(listener, lua.REPLIES_PREFIX, take)
    command = BusCommand(
        id=new_command_id(),
        kind="sync",
        body=msgspec.Raw(encode({"accept": accept})),
        role="ADMIN",
        reply_to=mailbox.name,
        deadline_ms=int((time.time() + WAIT_S) * 1000),
    )
    try:
        if not await lua.submit(redis, "goated", msgspec.json.encode(command), settings.backlog_max):
            raise Refusal("Too many commands wait for the worker goated; see `fluxgate queue`.")
        mailbox.open()
        async with asyncio.timeout(WAIT_S):
            return await awaited
    except TimeoutError:
        message = f"The worker goated has not answered within {WAIT_S:.0f} s: see whether it runs, and `fluxgate queue`"
        raise Refusal(f"{message}.") from None
    finally:
        await mailbox.close()
        await listener.aclose()
        await redis.aclose()


def _sentence(result: dict[str, Any]) -> str:
    if result["outcome"] == "not_modified":
        return f"Goated still tells the same of {result['people']:,} people, after {result['seconds']:.1f} s."
    parts = [f"{result['people']:,} people", f"{result['changedRows']:,} rows changed", f"{result['bytes']:,} bytes"]
    if result["badRows"]:
        parts.append(f"{result['badRows']:,} entries that cannot be read")
    if result["endedRace"]:
        parts.append(f"race {result['endedRace']} is completed")
    return f"{', '.join(parts)}, in {result['seconds']:.1f} s."


async def _read_status(settings: Settings) -> dict[str, Any]:
    queries = load_queries("goated_sync")
    async with _pool_of(settings) as pool, pool.acquire() as connection:
        board = await connection.fetchrow(queries["read_board"])
        row = await connection.fetchrow(queries["find_race"])
        syncs = await connection.fetch(queries["list_syncs"], LAST)
    last_updated, stale = freshness_of(board)
    race = row and Race(row["id"], row["starts_at"], row["ends_at"], row["status"])
    return {
        "lastUpdated": last_updated and told(last_updated),
        "stale": stale,
        "version": board["version"],
        "people": board["people"],
        "race": race
        and {
            "id": race.id,
            "status": status_at(race, board["now"]),
            "endDate": told(race.ends_at),
            "resetExpectedFrom": told(earliest_reset(race)),
            "totalWagered": board["this_month"],
        },
        "syncs": [_sync_of(sync) for sync in syncs],
    }


def _sync_of(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "began": told(row["began_at"]),
        "outcome": row["outcome"],
        "seconds": row["seconds"] and round(row["seconds"], 3),
        "people": row["people"],
        "changedRows": row["changed_rows"],
        "badRows": row["bad_rows"],
        "bytes": row["bytes"],
        "shape": row["shape"],
        "endedRace": row["ended_race"],
        "code": row["code"],
        "message": row["message"],
    }


@asynccontextmanager
async def _pool_of(settings: Settings) -> AsyncGenerator[Any]:
    pool = await open_pool(settings.postgres_at, name="goated", connections=1)
    try:
        yield pool
    except asyncpg.UndefinedTableError:
        raise Refusal("Postgres has no tables of Goated yet: make them with `fluxgate schema`.") from None
    finally:
        await pool.close()


def _print_status(document: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    if document["lastUpdated"] is None:
        console.print("Nothing has been fetched from Goated yet: fluxgate goated sync")
    else:
        old = ", which is [red]too long ago[/red]" if document["stale"] else ""
        console.print(f"{document['people']:,} people, last told by Goated at {document['lastUpdated']}{old}.")
    if race := document["race"]:
        until = f"is live until {race['endDate']}" if race["status"] == "live" else f"is over since {race['endDate']}"
        console.print(f"Race {race['id']} {until}: {race['totalWagered']:,} wagered.")
    if not document["syncs"]:
        return
    table = Table(title="the last fetches", title_justify="left")
    for name in ("began", "outcome"):
        table.add_column(name, no_wrap=True)
    for name in ("s", "changed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what")
    for sync in document["syncs"]:
        failed = sync["outcome"] == "failed"
        ended = f"race {sync['endedRace']} is completed" if sync["endedRace"] else ""
        what = f"{sync['code']}: {sync['message']}" if failed else ended
        outcome = Text(sync["outcome"] or "at work", style="red" if failed else "")
        took = "-" if sync["seconds"] is None else f"{sync['seconds']:.1f}"
        table.add_row(sync["began"][:19], outcome, took, str(sync["changedRows"] or 0), Text(what))
    console.print(table)
