"""Syncs with Amazon as they are asked for: one is begun, shown, listed, and cancelled. `amazon_runs.py` does the work.

Consumes  start_sync, sync_status, sync_history and cancel_sync, as commands of the worker `amazon`
Calls     nobody
Writes    a row of sync_progress, and in the same transaction the command that does it
Emits     a reply to each, and the news of a sync to whoever watches it
Fails     as `workers/bus.py` says. Of two that begin at once Postgres lets in one: a user has one running sync
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from contract.amazon import OneSync, SyncPage
from contract.bus import BusCommand, encode, new_command_id
from sql import Connection
from workers import amazon_runs
from workers.amazon_account_rows import find_account
from workers.amazon_documents import QUERIES, cancel, document, last_sync, publish, seconds_of
from workers.amazon_progress import CONNECTING, spoken
from workers.amazon_resume import RUN, command_of
from workers.once import once, tell
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied

MARGIN_S = 122.0
"""How long before its start a sync ends to read. Amazon refuses whatever lies less than two minutes back by its own
clock; two seconds are for how far ours may be ahead of it."""
NAMES_MAX = 5
"""Names that a sync is given in turn: they have milliseconds, and in one of these another may have ended."""
USUAL = "30-60 seconds"
USUAL_S = 60.0
"""What is said of the duration where nothing else is known, and up to when it stays true."""
_NOT_CONNECTED = ("AMAZON_NOT_CONNECTED", "Amazon account not connected. Please connect your Amazon account first.")
_NOT_FOUND = ("SYNC_NOT_FOUND", "Sync not found")
_NOT_CANCELLED = ("SYNC_NOT_FOUND", "Sync not found or cannot be cancelled")
_one = msgspec.json.Decoder(OneSync)
_page = msgspec.json.Decoder(SyncPage)


async def start_sync(desk: Desk, command: BusCommand) -> Ending:
    """Begin a sync of whoever asks; while one of his is running, no other begins."""
    begun: list[Mapping[str, Any]] = []

    async def work(connection: Connection) -> Replied:
        if await find_account(desk, command.user_id, connection) is None:
            raise Refuse(400, *_NOT_CONNECTED, action="connect_account")
        row, is_new = await _begin(connection, command)
        if not is_new:
            return _busy(row["sync_id"])
        begun.append(row)
        return await _begun(connection, row)

    done = await once(desk, command, work)
    for row in begun:
        await publish(desk.redis, row, desk.log)
    return done


async def sync_status(desk: Desk, command: BusCommand) -> Ending:
    """Where a sync is; without a name, whether one is running, and that one or the newest."""
    wanted = _one.decode(command.body).sync_id
    if not wanted:
        row = await last_sync(desk, command.user_id)
        is_active = row is not None and row["status"] == "running"
        return replied({"hasActiveSync": is_active, "lastSync": row and document(row)})
    row = await desk.pool.fetchrow(QUERIES["find_sync"], command.user_id, wanted)
    if row is None:
        raise Refuse(404, *_NOT_FOUND)
    return replied(document(row))


async def sync_history(desk: Desk, command: BusCommand) -> Ending:
    """A page of the syncs of whoever asks, each with the seconds that it took."""
    page = _page.decode(command.body)
    total = await desk.pool.fetchval(QUERIES["count_syncs"], command.user_id)
    rows = await desk.pool.fetch(QUERIES["list_syncs"], command.user_id, page.limit, page.offset)
    syncs = [{**document(row), "duration": seconds_of(row)} for row in rows]
    return replied({"syncs": syncs, "total": total, "limit": page.limit, "offset": page.offset})


async def cancel_sync(desk: Desk, command: BusCommand) -> Ending:
    """Cancel a sync; what it does in this moment is not kept any more."""
    wanted = _one.decode(command.body).sync_id
    async with desk.pool.acquire() as connection:
        row = await cancel(connection, command.user_id, wanted)
        known = row or await connection.fetchrow(QUERIES["find_sync"], command.user_id, wanted)
    if row is not None:
        await publish(desk.redis, row, desk.log)
    if not wanted or known is None or known["status"] != "cancelled":
        raise Refuse(404, *_NOT_CANCELLED)
    return replied({"message": "Sync cancelled successfully"})


async def _begin(connection: Connection, command: BusCommand) -> tuple[Mapping[str, Any], bool]:
    """A new sync with the command that does it, and True; or the one that is running, and False."""
    for later in range(NAMES_MAX):
        own = UUID(new_command_id())
        name = f"sync_{command.user_id}_{time.time_ns() // 1_000_000 + later}"
        row = await connection.fetchrow(QUERIES["begin_sync"], own, name, command.user_id, CONNECTING, MARGIN_S)
        if row is not None:
            await tell(connection, "amazon", command_of(own, command.user_id, cause=command))
            return row, True
        running = await connection.fetchrow(QUERIES["find_running"], command.user_id)
        if running is not None:
            return running, False
    raise Refuse(400, *_NOT_CONNECTED)


async def _begun(connection: Connection, row: Mapping[str, Any]) -> Replied:
    took_s = await connection.fetchval(QUERIES["last_duration"], row["user_id"])
    usual = USUAL if took_s is None or took_s <= USUAL_S else f"about {spoken(took_s)}"
    return replied(
        {
            "syncId": row["sync_id"],
            "message": "Sync started successfully",
            "status": "in_progress",
            "estimatedDuration": usual,
        }
    )


def _busy(existing: str) -> Replied:
    message = f"Sync already in progress ({existing}). Please wait for it to complete or cancel it first."
    data = {"message": message, "error": "sync_in_progress", "existingSyncId": existing}
    return Replied(409, msgspec.Raw(encode(data)))


HANDLERS: dict[str, Handler] = {
    "start_sync": start_sync,
    "sync_status": sync_status,
    "sync_history": sync_history,
    "cancel_sync": cancel_sync,
    RUN: amazon_runs.run_sync,
}
