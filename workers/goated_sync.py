"""Brings the leaderboard of Goated here: fetches it, looks whether it can be true, and writes what has changed of it.

Consumes  sync, a command of the worker `goated`: of the schedule, of an administrator, or of an operator
Calls     Goated, outside of any transaction
Writes    by way of `goated_writing.py` goated_members, goated_wagers, goated_board, goated_races and goated_standings,
          and goated_syncs, in one transaction
Emits     a reply, which makes the caches of races, affiliates and users stale where anything has changed; and then the
          news of the race to whoever watches
Fails     by keeping what there is: a fault is noted in goated_syncs, and nothing else changes. Where nobody waits, one
          that passes is tried again a few times before the next schedule. Two at once do no harm: one is dropped. A
          leaderboard that cannot be true is refused until it can be, or until an operator vouches for it
"""

import time
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

import lua
from contract.bus import BusCommand, encode
from sql import Connection
from workers.bus import pause_s
from workers.clients.goated import GoatedFault, Leaderboard
from workers.faults import is_transient
from workers.goated_news import read_news
from workers.goated_writing import QUERIES, SUSPICIOUS, Fetched, Suspicious, Written, write
from workers.once import already_done, once
from workers.service import Desk, Ending, Handler, Later, Refuse, Replied, replied
from workers.sync_counts import note_sync

STALE = ("race:*", "affiliate:*", "user:goated:*")
ATTEMPTS_MAX = 4
PAUSE_FIRST_S = 2.0
PAUSE_MAX_S = 30.0
"""How often a fetch is tried that nobody waits for, and the pauses between: it is over before the next schedule."""
_STATUSES = {
    "API_TIMEOUT": 503,
    "API_UNAVAILABLE": 503,
    "API_AUTH_FAILED": 502,
    "API_RATE_LIMIT": 429,
    "API_ERROR": 502,
    SUSPICIOUS: 502,
}


class SyncBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a leaderboard is to be taken that cannot be true."""

    accept: bool = False


_bodies = msgspec.json.Decoder(SyncBody)


async def sync(desk: Desk, command: BusCommand) -> Ending:
    """Fetch the leaderboard, and keep it."""
    if command.role != "ADMIN":
        raise Refuse(403, "FORBIDDEN", "Only an administrator may have the leaderboard fetched.")
    wanted = _bodies.decode(command.body)
    done = await already_done(desk, command)
    if done is None:
        began = time.monotonic()
        try:
            board = await desk.pool.fetchrow(QUERIES["read_board"])
            leaderboard = await desk.tools.goated.fetch(board["etag"])
        except GoatedFault as fault:
            return await _failed(desk, command, fault, began)

        async def work(connection: Connection) -> Replied:
            fetched = Fetched(leaderboard, _since(began), wanted.accept)
            written = await write(connection, desk.tools.terms, fetched)
            return await _noted(connection, desk, command, (leaderboard, written), _since(began))

        try:
            done = await once(desk, command, work)
        except Suspicious as suspicious:
            await _note_failure(desk, command, (SUSPICIOUS, str(suspicious)), began)
            desk.log.error("the leaderboard is refused", reason=str(suspicious))
            raise _refusal(SUSPICIOUS, str(suspicious), retryable=False) from None
        await note_sync(desk, "goated", msgspec.json.decode(done.data)["outcome"])
    if done.stale:
        await _publish(desk)
    return done


async def _noted(
    connection: Connection, desk: Desk, command: BusCommand, what: tuple[Leaderboard | None, Written], took: timedelta
) -> Replied:
    """Note what came of a fetch, as part of its transaction; gives the reply."""
    told, written = what
    if written.fell or written.lost:
        desk.log.warning("figures have become less", of_month=written.fell, of_all_time=written.lost)
    if told and told.bad_count:
        desk.log.warning("entries of the leaderboard cannot be read", count=told.bad_count, first=list(told.bad))
    if written.ended_race:
        desk.log.info("a race is completed", race=written.ended_race)
    size, bad, shape = (told.size, told.bad_count, told.shape) if told else (0, 0, None)
    counts = (written.people, written.changed_rows, bad, written.ended_race)
    times = (written.began_at, written.began_at + took)
    await connection.execute(
        QUERIES["note_sync"], UUID(command.id), *times, written.outcome, shape, size, *counts, None, None
    )
    result = {
        "outcome": written.outcome,
        "people": written.people,
        "changedRows": written.changed_rows,
        "badRows": bad,
        "bytes": size,
        "shape": shape,
        "endedRace": written.ended_race,
        "seconds": round(took.total_seconds(), 3),
    }
    return replied(result, stale=STALE if written.is_changed else ())


async def _failed(desk: Desk, command: BusCommand, fault: GoatedFault, began: float) -> Ending:
    """Note a fault; whether it is tried again depends on who waits, and on whether it passes."""
    desk.log.warning("Goated has a fault", code=fault.code, error=fault.message, attempt=command.attempt)
    await _note_failure(desk, command, (fault.code, fault.message[:500]), began)
    is_passing = fault.kind in ("temporary", "resource")
    if is_passing and not command.reply_to and command.attempt < ATTEMPTS_MAX and fault.after_s <= PAUSE_MAX_S:
        return Later(max(fault.after_s, pause_s(command.attempt, PAUSE_FIRST_S, PAUSE_MAX_S)), fault.code)
    raise _refusal(fault.code, fault.message, retryable=is_passing)


async def _note_failure(desk: Desk, command: BusCommand, why: tuple[str, str], began: float) -> None:
    board = await desk.pool.fetchrow(QUERIES["read_board"])
    now: datetime = board["now"]
    nothing = (None,) * 6
    times = (now - _since(began), now)
    await desk.pool.execute(QUERIES["note_sync"], UUID(command.id), *times, "failed", *nothing, *why)
    await note_sync(desk, "goated", "failed")


def _refusal(code: str, message: str, *, retryable: bool) -> Refuse:
    action = "retry_later" if retryable else "contact_support"
    return Refuse(_STATUSES.get(code, 502), code, message, retryable=retryable, action=action)


async def _publish(desk: Desk) -> None:
    """Tell whoever watches where the race stands, after that is committed. Who does not hear it asks."""
    try:
        await lua.publish_races(desk.redis, encode(await read_news(desk.pool)))
    except Exception as error:
        if not is_transient(error):
            raise
        desk.log.warning("the news of a race are not published", error=f"{type(error).__name__}: {error}")


def _since(began: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - began)


HANDLERS: dict[str, Handler] = {"sync": sync}
