"""Brings the catalogue of G2A into the store, page by page, in steps that are short and kept whole.

Consumes  sync and sync_status, as commands of the worker `g2a`
Calls     G2A, outside of any transaction
Writes    g2a_syncs, and by way of `g2a_batches.py` games, g2a_products, labels and game_labels
Emits     a reply at the end, which makes the caches of the catalogue stale: none is forgotten before
Fails     by going on where it was: where a run stands is committed with what it has written. One run is at work at a
          time; one that nobody touches for ABANDONED_S is ended by the next that begins. Passing faults of G2A are
          waited out, FAULTS_MAX times in a row; the run fails then, and what it has written stays

What a full sync meets on no page is asked for by its id, and is removed only when G2A says that there is no such
product: pages move while they are read, and a catalogue that comes back empty by mistake must empty no shop.
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from contract.bus import BusCommand
from contract.g2a import SyncBody
from sql import Connection
from workers.bus import pause_s, step_s
from workers.clients.g2a import G2AFault
from workers.g2a_batches import QUERIES, Terms, Written, lock, meet, remove, write_batch
from workers.g2a_fetching import Fetched, fetch
from workers.g2a_problems import Told, refusal, told
from workers.service import Desk, Ending, Handler, Later, More, Refuse, Replied, replied
from workers.sync_counts import note_sync

FAULTS_MAX = 6
PAUSE_MAX_S = 30.0
"""Passing faults in a row, and the longest pause after one of them: half a minute in all, unless G2A asks for more."""
ABANDONED_S = 90.0
"""A run lies still for its longest pause, for as long as a handler may take, and for a lease until another worker has
it: twice 30 seconds and some. After these, nobody is at it."""
OVERLAP_S = 300.0
"""How far the clocks of G2A and Postgres may differ: so much of what was seen is asked for once more."""
KEPT_S = 30 * 86_400.0
"""How long it is known what became of a run: a month has some 3,000."""
ERRORS_MAX = 100
"""Errors of products that are kept and told of one run; the others are only counted."""
AGAIN_S = 60.0
"""When a sync that nobody waits for comes back, because another one is at work."""
BEHIND_S = 1.0
"""The pause of who has found his step done by another process, which goes on."""
STALE = ("game:*", "home:*", "catalog:*")
Run = Mapping[str, Any]
_BUSY = ("SYNC_IN_PROGRESS", "Another sync is at work. Its progress stands at /api/admin/g2a/status.")
_ABANDONED = Told(503, "SYNC_ABANDONED", "The sync was interrupted for so long that another one has taken its place.")
_bodies = msgspec.json.Decoder(SyncBody)


async def sync(desk: Desk, command: BusCommand) -> Ending:
    """Do a step of the run of this command, which begins with its first delivery."""
    if command.role != "ADMIN":
        raise Refuse(403, "FORBIDDEN", "Only an administrator may change the catalogue.")
    wanted = _bodies.decode(command.body)
    own = UUID(command.id)
    run = await desk.pool.fetchrow(QUERIES["find_sync"], own) or await _begin(desk, own, wanted)
    if run is None:
        if command.reply_to:
            raise Refuse(409, *_BUSY, retryable=True, action="retry_later")
        return Later(AGAIN_S, "another sync is at work")
    give_up = time.monotonic() + step_s(desk.settings)
    while run["ended_at"] is None:
        try:
            fetched = await fetch(desk, run, wanted, give_up)
        except G2AFault as fault:
            desk.log.warning("G2A has a fault", sync=command.id, code=fault.code, error=fault.message)
            pause_s = await _pause_s(desk, run, fault)
            if pause_s is not None:
                return More(pause_s)
            run = await desk.pool.fetchrow(QUERIES["find_sync"], own)
            break
        after = await _keep(desk, run, wanted, fetched)
        if after is None:
            return More(BEHIND_S)
        run = after
        if run["ended_at"] is None and time.monotonic() >= give_up:
            return More()
    await note_sync(desk, "g2a", "failed" if run["code"] else "completed")
    return _ended(run)


async def sync_status(desk: Desk, command: BusCommand) -> Ending:
    """What there is of G2A's catalogue, how far a sync is that is at work, and what came of the last one."""
    figures = await desk.pool.fetchrow(QUERIES["read_figures"])
    at_work, last = None, None
    for run in await desk.pool.fetch(QUERIES["last_sync"]):
        if run["ended_at"] is not None:
            last = run
        elif (run["now"] - run["touched_at"]).total_seconds() < ABANDONED_S:
            at_work = run
    return replied(
        {
            "lastSync": figures["last_sync"],
            "totalProducts": figures["products"],
            "inStock": figures["in_stock"],
            "outOfStock": figures["products"] - figures["in_stock"],
            "syncInProgress": at_work is not None,
            "progress": at_work and _progress(at_work),
            "lastResult": last and _last_result(last),
        }
    )


async def _begin(desk: Desk, own: UUID, wanted: SyncBody) -> Run | None:
    """A new run; None while another one is at work."""
    kind = "chosen" if wanted.product_ids else "full" if wanted.full_sync else "incremental"
    options = msgspec.json.encode(wanted).decode()
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute(QUERIES["forget_syncs"], KEPT_S)
        await connection.execute(QUERIES["abandon_syncs"], ABANDONED_S, *_ABANDONED)
        begun = await connection.fetchrow(QUERIES["begin_sync"], own, kind, options, OVERLAP_S)
        # The one at work may be this very run, which another process has begun in this moment.
        return begun or await connection.fetchrow(QUERIES["find_sync"], own)


async def _pause_s(desk: Desk, run: Run, fault: G2AFault) -> float | None:
    """How long to wait for a fault to pass; None where the run has failed by it."""
    if fault.is_passing and fault.after_s <= PAUSE_MAX_S:
        faults = await desk.pool.fetchval(QUERIES["note_fault"], run["id"])
        if faults is not None and faults < FAULTS_MAX:
            return max(fault.after_s, pause_s(faults, max_s=PAUSE_MAX_S))
    await desk.pool.execute(QUERIES["end_sync"], run["id"], *told(fault))
    return None


async def _keep(desk: Desk, run: Run, wanted: SyncBody, fetched: Fetched) -> Run | None:
    """Write what was fetched, and how far the run is now; None where another process has done this step."""
    async with desk.pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(QUERIES["claim_step"], run["id"], run["steps"]):
            return None
        await connection.execute(QUERIES["plan_for_these_values"])
        if fetched.gone:
            await lock(connection, [*(row.product_id for row in fetched.rows), *fetched.gone])
        terms = Terms(wanted.full_sync, wanted.include_relationships, run["now"])
        written = await write_batch(connection, fetched.rows, terms)
        await meet(connection, [product_id for product_id, _ in fetched.errors])
        removed = await remove(connection, fetched.gone)
        return await _advance(connection, run, fetched, written, removed)


async def _advance(connection: Connection, run: Run, fetched: Fetched, written: Written, removed: int) -> Run:
    errors = (*fetched.errors, *written.errors)
    room = max(0, ERRORS_MAX - run["error_count"])
    kept = msgspec.json.encode([{"productId": own, "error": reason} for own, reason in errors[:room]]).decode()
    created = (written.created[kind] for kind in ("category", "genre", "platform"))
    place = (fetched.pages_done, fetched.pages, fetched.missing_after, fetched.missing_asked)
    counts = (written.synced, written.added, written.updated, removed, *created, kept, len(errors))
    return await connection.fetchrow(QUERIES["advance_sync"], run["id"], *place, *counts, fetched.is_last)


def _ended(run: Run) -> Replied:
    """The reply of a run that has ended. Whatever it has written is to be seen, also where it has failed since."""
    created = run["categories_created"] + run["genres_created"] + run["platforms_created"]
    has_written = run["added"] + run["updated"] + run["removed"] + created > 0
    stale = STALE if has_written else ()
    if run["code"] is None:
        return replied(_result(run), stale=stale)
    refused = refusal(Told(run["status"], run["code"], run["message"]))
    return Replied(refused.status, problem=refused.problem, stale=stale)


def _result(run: Run) -> dict[str, Any]:
    """What came of a run, or of as much of it as is done."""
    return {
        "success": run["ended_at"] is not None and run["code"] is None,
        "synced": run["synced"],
        "added": run["added"],
        "updated": run["updated"],
        "removed": run["removed"],
        "categoriesCreated": run["categories_created"],
        "genresCreated": run["genres_created"],
        "platformsCreated": run["platforms_created"],
        "errors": msgspec.json.decode(run["errors"]),
        "errorCount": run["error_count"],
    }


def _progress(run: Run) -> dict[str, Any]:
    counts = {name: run[name] for name in ("synced", "added", "updated", "removed")}
    place = {"page": run["pages_done"], "pages": run["pages"], "missingAsked": run["missing_asked"]}
    return {"kind": run["kind"], "beganAt": run["began_at"], **place, **counts, "errorCount": run["error_count"]}


def _last_result(run: Run) -> dict[str, Any]:
    when = {"kind": run["kind"], "beganAt": run["began_at"], "endedAt": run["ended_at"]}
    return {**when, **_result(run), "code": run["code"], "message": run["message"]}


HANDLERS: dict[str, Handler] = {"sync": sync, "sync_status": sync_status}
