"""What is done again and again, and when, in UTC. How it comes that only one process does it, `scheduler.py` knows.

Everything here may be cut short anywhere and be done twice; what is deleted goes in pages, so that no transaction is
long and no lock is held for long.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec

import lua
from contract.bus import FIELD, SERVICES, BusCommand, decode_command, encode, new_command_id
from contract.g2a import SyncBody
from contract.transport import Stream
from sql import load_queries
from workers.amazon_resume import resume_syncs
from workers.migration import DAY_S, GUEST_DAYS
from workers.once import tell
from workers.outbox import publish_waiting, tell_unknown
from workers.scheduler import Schedule
from workers.worker import Context

PAGE_ROWS = 1_000
"""Rows that one transaction deletes, and entries that one look at a stream reads."""
HANDLED_DAYS = 7
"""How long it is known of a command that it was handled, with its reply, which may be a whole cart. A command is tried
for a day at most; one that an operator may still hand in again is known for as long as it lies."""
EVENT_DAYS = 90
"""How long it is known of a webhook that it was here. A sender tries for days; what it says of orders is argued about
for longer."""
SYNC_DAYS = 180
"""How long it is known of a sync with Amazon what came of it: one that is daily has half a year of history."""
FETCH_DAYS = 30
"""How long it is known of a fetch from Goated what came of it; there are 300 a day."""
GOATED_WITHIN_S = 240.0
CHANGED_WITHIN_S = 600.0
ALL_WITHIN_S = 4 * 3_600.0
"""A sync that is scheduled is not begun later than that: a worker that was away for a day does not do all of them then,
and one that is late for the night does not begin by day."""
SKEW_DAYS = 1
"""How far the clocks of gateways and Postgres may differ; in truth it is seconds."""
RETURNING_MAX = 10_000
"""Commands of that age that may lie in streams: each deletion has to look at all of them."""


async def forget_handled(context: Context) -> None:
    """Delete the replies of commands that were handled long ago, but for those that may be delivered once more."""
    returning: list[UUID] = []
    async for own in _old_commands(context):
        returning.append(own)
        if len(returning) > RETURNING_MAX:
            raise TooManyReturn(f"More than {RETURNING_MAX} commands of {HANDLED_DAYS} days ago lie in streams.")
    query = load_queries("scheduler")["forget_handled"]
    age = HANDLED_DAYS * DAY_S
    await _in_pages(context, lambda: context.pool.fetchval(query, age, returning, PAGE_ROWS))


async def forget_events(context: Context) -> None:
    """Delete webhook events that were settled long ago."""
    query = load_queries("webhooks")["forget_events"]
    age = EVENT_DAYS * DAY_S
    await _in_pages(context, lambda: context.pool.fetchval(query, age, PAGE_ROWS))


async def forget_logins(context: Context) -> None:
    """Delete logins that have ended, with their tokens."""
    query = load_queries("auth")["forget_old_logins"]
    await _in_pages(context, lambda: _deleted(context, query))


async def forget_amazon(context: Context) -> None:
    """Delete syncs with Amazon that ended long ago, and the ways to Amazon from which nobody has come back."""
    queries, age = load_queries("amazon_sync"), SYNC_DAYS * DAY_S
    await _in_pages(context, lambda: context.pool.fetchval(queries["forget_syncs"], age, PAGE_ROWS))
    await _in_pages(context, lambda: _deleted(context, queries["forget_consents"]))


async def forget_goated(context: Context) -> None:
    """Delete what is known of fetches from Goated of long ago."""
    query, age = load_queries("goated_sync")["forget_syncs"], FETCH_DAYS * DAY_S
    await _in_pages(context, lambda: context.pool.fetchval(query, age, PAGE_ROWS))


async def forget_guests(context: Context) -> None:
    """Delete the carts and wishlists of guests who have gone."""
    query = load_queries("migration")["forget_guests"]
    age = GUEST_DAYS * DAY_S
    await _in_pages(context, lambda: context.pool.fetchval(query, age, PAGE_ROWS))


async def sync_changed(context: Context) -> None:
    """Have brought into the store what has changed at G2A."""
    await _sync_g2a(context, SyncBody(include_relationships=True), CHANGED_WITHIN_S)


async def sync_all(context: Context) -> None:
    """Have the whole catalogue of G2A brought into the store, and found out what is gone."""
    await _sync_g2a(context, SyncBody(full_sync=True, include_relationships=True), ALL_WITHIN_S)


async def sync_goated(context: Context) -> None:
    """Have the leaderboard of Goated fetched."""
    if context.settings.goated_at:
        await _tell_to_sync(context, "goated", {}, GOATED_WITHIN_S)


SCHEDULES = (
    Schedule("publish_waiting", publish_waiting, every_s=10),
    Schedule("tell_unknown", tell_unknown, every_s=60),
    Schedule("forget_guests", forget_guests, cron="11 * * * *"),
    Schedule("forget_logins", forget_logins, cron="23 * * * *"),
    Schedule("resume_syncs", resume_syncs, every_s=60),
    Schedule("forget_events", forget_events, cron="41 3 * * *"),
    # A house that has just been opened has a race to show.
    Schedule("sync_goated", sync_goated, cron="*/5 * * * *", at_once=True),
    Schedule("sync_changed", sync_changed, cron="*/15 * * * *"),
    # At night, when few buy, and between two of those above.
    Schedule("sync_all", sync_all, cron="52 2 * * *"),
    Schedule("forget_amazon", forget_amazon, cron="47 3 * * *"),
    Schedule("forget_goated", forget_goated, cron="43 3 * * *"),
    # At night, when few commands are in the streams that it reads.
    Schedule("forget_handled", forget_handled, cron="37 3 * * *"),
)


class TooManyReturn(Exception):
    """So many old commands may be delivered once more that something is wrong: nothing is forgotten then."""


async def _sync_g2a(context: Context, wanted: SyncBody, within_s: float) -> None:
    if context.settings.g2a_at and all(context.settings.g2a_credentials[:2]):
        await _tell_to_sync(context, "g2a", wanted, within_s)


async def _tell_to_sync(context: Context, worker: str, wanted: Any, within_s: float) -> None:
    deadline_ms = int((time.time() + within_s) * 1000)
    body = msgspec.Raw(encode(wanted))
    command = BusCommand(id=new_command_id(), kind="sync", body=body, role="ADMIN", deadline_ms=deadline_ms)
    async with context.pool.acquire() as connection:
        await tell(connection, worker, command)


async def _deleted(context: Context, query: str) -> int:
    """Delete a page; gives how many rows it were."""
    return int((await context.pool.execute(query, PAGE_ROWS)).rpartition(" ")[2])


async def _in_pages(context: Context, delete: Callable[[], Awaitable[int]]) -> None:
    """Delete page by page, until there is nothing more."""
    gone = 0
    while page := await delete():
        gone += page
    context.log.info("forgotten", rows=gone)


async def _old_commands(context: Context) -> AsyncGenerator[UUID]:
    """Commands that may have been handled so long ago that they would be forgotten, and that may be delivered again.

    Dead letters come first: one that is handed in again meanwhile is found in its stream, or was found before.
    """
    before_ms = (time.time() - (HANDLED_DAYS - SKEW_DAYS) * DAY_S) * 1000
    for service in SERVICES:
        for name in (lua.dead_commands_key(service), lua.commands_key(service)):
            stream = Stream(context.redis, name, service, "")
            after = ""
            while page := await stream.entries_until("+", PAGE_ROWS, after):
                after = page[-1].entry_id
                for delivery in page:
                    own = _id_of(delivery.fields.get(FIELD.encode(), b""))
                    # An id of version 7 begins with its time.
                    if own and (own.version != 7 or own.int >> 80 < before_ms):
                        yield own


def _id_of(text: bytes) -> UUID | None:
    """The id of a command; None for what is none, and was never handled."""
    try:
        return UUID(decode_command(text).id)
    except (ValueError, msgspec.MsgspecError):
        return None
