"""Does what has to be done again and again, once for each due time, however many processes run.

Consumes  the rows of `schedules` that are due and that nobody living is at work on; the clock is that of Postgres
Calls     the work of each schedule
Writes    who is at work on a schedule until when, and when it is due next
Emits     nothing
Fails     by doing work again: who dies at work is replaced after the lease, and who has lost the lease stops. Work that
          fails is told in the log, and done again at its next time or after FAILED_PAUSE_S, whichever comes first.
          Times that nobody was there for are made up for once. Rows that this version does not know are left alone
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cronsim import CronSim

from sql import load_queries
from workers.consumer import stopped_within, until_it_works
from workers.faults import is_transient
from workers.worker import Context

RENEWALS_PER_LEASE = 3
"""A renewal may fail once or twice, and the lease is kept."""
FAILED_PAUSE_S = 300.0
"""Before work that failed is done again: whatever was wrong may be mended, and the log is not filled."""
LOOK_S = 30.0
"""The longest between two looks at when a schedule is due: another version may have brought it forward."""
LOOK_LEAST_S = 0.05
"""The shortest: one that another process is just taking looks due for a moment."""


class Schedule(NamedTuple):
    """Work that is due again and again: at the times of `cron`, five fields in UTC, or every so many whole seconds.

    It may be cancelled anywhere, and is begun again then. `at_once`: where nobody has ever heard of it, it is due now.
    """

    name: str
    work: Callable[[Context], Awaitable[None]]
    cron: str = ""
    every_s: int = 0
    at_once: bool = False


class Turn(NamedTuple):
    """One due time that this process has taken: under which name, when by Postgres, and when by its own clock."""

    holder: str
    at: datetime
    asked: float


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """The first due time behind `after`. Times of `every_s` count from 1970, so that all processes agree on them."""
    if schedule.cron:
        return next(CronSim(schedule.cron, after.astimezone(UTC)))
    return datetime.fromtimestamp((int(after.timestamp()) // schedule.every_s + 1) * schedule.every_s, UTC)


async def run(context: Context, schedules: Sequence[Schedule], stop: asyncio.Event) -> None:
    """Do what is due until `stop` is set; what is at work then is cut short, and is due for another process."""
    async with asyncio.TaskGroup() as tasks:
        for schedule in schedules:
            tasks.create_task(_serve(context, schedule, stop))


async def _serve(context: Context, schedule: Schedule, stop: asyncio.Event) -> None:
    while not stop.is_set():
        pause_s = await until_it_works(lambda: run_once(context, schedule, stop), context, stop)
        await stopped_within(stop, pause_s or 0.0)


async def run_once(context: Context, schedule: Schedule, stop: asyncio.Event) -> float:
    """Do the work if it is due and nobody is at it; gives the seconds until the next look."""
    turn = await _take(context, schedule)
    if turn is None:
        return await _until_due(context, schedule)
    log = context.log.bind(schedule=schedule.name)
    wanted = next_due(schedule, turn.at)
    try:
        done = await _work_under_lease(context, schedule, turn, stop)
    except Exception as error:
        due_at = min(wanted, turn.at + timedelta(seconds=FAILED_PAUSE_S))
        if is_transient(error):
            log.warning("the work has failed", error=f"{type(error).__name__}: {error}", next=str(due_at))
        else:
            log.exception("the work has failed", next=str(due_at))
    else:
        due_at = wanted if done else None
        say = log.info if done else log.warning
        say("the work is done" if done else "the work was cut short", ms=round((_now() - turn.asked) * 1000))
    own = (schedule.name, turn.holder, due_at)
    await until_it_works(lambda: context.pool.execute(_query("end_turn"), *own), context, stop)
    return 0.0


async def _take(context: Context, schedule: Schedule) -> Turn | None:
    # A new name for each turn: one that has lost the lease must not take a later turn of its own process for its own.
    holder = f"{socket.gethostname()[:64]}-{os.getpid()}-{secrets.token_hex(4)}"
    asked = _now()
    at = await context.pool.fetchval(_query("take_turn"), schedule.name, holder, context.settings.lease_s)
    return Turn(holder, at, asked) if at else None


async def _until_due(context: Context, schedule: Schedule) -> float:
    """Seconds until another look is worth it. A row that is missing, or due later than it ever should be, is put right:
    the schedule is new, or has been changed."""
    now, due_at, lease_until = await context.pool.fetchrow(_query("read_schedule"), schedule.name)
    wanted = now if due_at is None and schedule.at_once else next_due(schedule, now)
    if due_at is None or due_at > wanted:
        await context.pool.execute(_query("put_schedule"), schedule.name, wanted, due_at)
        return 0.0
    free_s = (max(due_at, lease_until or due_at) - now).total_seconds()
    return min(LOOK_S, max(LOOK_LEAST_S, free_s))


async def _work_under_lease(context: Context, schedule: Schedule, turn: Turn, stop: asyncio.Event) -> bool:
    """Do the work while the lease is renewed; False when it was cancelled, for the stop or because the lease is lost.

    Raises what the work raises.
    """
    work = asyncio.ensure_future(schedule.work(context))
    others = [asyncio.create_task(_keep_lease(context, schedule, turn)), asyncio.create_task(stop.wait())]
    tasks: list[asyncio.Future[Any]] = [work, *others]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        # No step of the work may be taken once the lease is another's.
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
    return not work.cancelled()


async def _keep_lease(context: Context, schedule: Schedule, turn: Turn) -> None:
    """Renew the lease, until it is lost.

    It counts as lost as long after the last renewal was asked for as it lasts: Postgres counts from later on.
    """
    lease_s = context.settings.lease_s
    lost = turn.asked + lease_s
    while _now() < lost:
        await asyncio.sleep(lease_s / RENEWALS_PER_LEASE)
        asked = _now()
        try:
            async with asyncio.timeout(lost - asked):
                own = (schedule.name, turn.holder, lease_s)
                if not await context.pool.fetchval(_query("renew_lease"), *own):
                    return
        except Exception as error:
            if not is_transient(error):
                raise
            context.log.warning("a lease is not renewed", schedule=schedule.name, error=f"{type(error).__name__}")
        else:
            lost = asked + lease_s


def _query(name: str) -> str:
    return load_queries("scheduler")[name]


def _now() -> float:
    return time.monotonic()
