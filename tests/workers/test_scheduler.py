"""Schedules: once for each due time however many processes run, and again when whoever was at work is gone."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest

from contract.settings import Settings, child_environ
from fluxgate.process import launched
from tests.support.holder import BEGUN, NAME
from tests.support.processes import ROOT, stop
from tests.support.waiting import at_work, becomes, open_context, with_settings
from workers import scheduler
from workers.scheduler import FAILED_PAUSE_S, Schedule, next_due, run_once
from workers.worker import Context

YEARLY = "0 0 1 1 *"
PROCESSES = 5
SOON_S = 0.02


@pytest.fixture
async def context(settings: Settings) -> AsyncIterator[Context]:
    """No schedules, and a lease that a busy machine does not lose."""
    async with open_context(msgspec.structs.replace(settings, lease_s=10.0)) as opened:
        yield opened


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody looks all the time."""
    monkeypatch.setattr(scheduler, "LOOK_S", SOON_S)
    monkeypatch.setattr(scheduler, "LOOK_LEAST_S", SOON_S)


class Work:
    """Work that is counted, and that goes on until it is told to end."""

    def __init__(self, *, ends: bool = True) -> None:
        self.begun = 0
        self.cancelled = asyncio.Event()
        self.cancelled_at = datetime.min.replace(tzinfo=UTC)
        self.may_end = asyncio.Event()
        if ends:
            self.may_end.set()

    async def __call__(self, _context: Context) -> None:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled_at = datetime.now(UTC)
            self.cancelled.set()
            raise

    async def has_begun(self) -> bool:
        return self.begun > 0


async def once(context: Context, schedule: Schedule) -> float:
    """One look of one process."""
    return await run_once(context, schedule, asyncio.Event())


async def row(context: Context, name: str = "own") -> Any:
    return await context.pool.fetchrow("SELECT *, now() AS now FROM schedules WHERE name = $1", name)


async def make_due(context: Context, name: str = "own", late_s: float = 1.0) -> None:
    """Add a schedule that is due already, or let it become due."""
    await context.pool.execute(
        "INSERT INTO schedules (name, due_at) VALUES ($1, now() - make_interval(secs => $2))"
        " ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at",
        name,
        late_s,
    )


def loops(context: Context, schedule: Schedule, count: int) -> list[Any]:
    """The loops of as many processes."""
    return [partial(scheduler.run, context, [schedule])] * count


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Europe/Berlin")])
def test_cron_is_read_in_utc_wherever_the_time_comes_from(zone: Any) -> None:
    # In Berlin there was no half past two that night.
    before = datetime(2026, 3, 29, 0, 59, tzinfo=UTC).astimezone(zone)
    due_at = next_due(Schedule("own", Work(), cron="30 2 * * *"), before)
    assert (due_at, due_at.utcoffset()) == (datetime(2026, 3, 29, 2, 30, tzinfo=UTC), timedelta(0))


def test_a_due_time_is_followed_by_the_next_one() -> None:
    hourly, minutely = Schedule("own", Work(), cron="0 * * * *"), Schedule("own", Work(), every_s=60)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert next_due(hourly, noon) == noon + timedelta(hours=1)
    assert next_due(minutely, noon) == noon + timedelta(minutes=1)
    assert next_due(minutely, noon + timedelta(seconds=59.9)) == noon + timedelta(minutes=1)


async def test_a_new_schedule_waits_for_its_time(context: Context) -> None:
    work = Work()
    schedule = Schedule("own", work, every_s=3600)
    await once(context, schedule)
    assert await once(context, schedule) == scheduler.LOOK_S
    added = await row(context)
    assert (added["due_at"], work.begun) == (next_due(schedule, added["now"]), 0)


async def test_one_that_is_wanted_at_once_is_done_at_once_and_then_at_its_times(context: Context) -> None:
    work = Work()
    schedule = Schedule("own", work, cron=YEARLY, at_once=True)
    assert [await once(context, schedule) for _ in range(2)] == [0, 0]
    assert await once(context, schedule) == scheduler.LOOK_S
    assert (work.begun, (await row(context))["due_at"]) == (1, next_due(schedule, datetime.now(UTC)))


async def test_what_is_due_is_done_and_due_again_at_its_next_time(context: Context) -> None:
    work = Work()
    schedule = Schedule("own", work, cron="*/5 * * * *")
    await make_due(context)
    assert await once(context, schedule) == 0
    assert await once(context, schedule) > 0
    done = await row(context)
    assert work.begun == 1
    assert done["due_at"] == next_due(schedule, done["now"])
    assert (done["holder"], done["lease_until"]) == (None, None)


async def test_times_that_were_missed_are_made_up_for_once(context: Context) -> None:
    work = Work()
    await make_due(context, late_s=36_000)
    for _ in range(3):
        await once(context, Schedule("own", work, every_s=3600))
    assert work.begun == 1
    later = await row(context)
    assert later["due_at"] > later["now"]


@pytest.mark.usefixtures("eager")
async def test_however_many_processes_run_each_due_time_is_taken_once(context: Context) -> None:
    work = Work()
    schedule = Schedule("own", work, cron=YEARLY)
    async with at_work(*loops(context, schedule, PROCESSES)):
        for due_times in range(1, 6):
            await make_due(context)

            async def done(wanted: int = due_times) -> bool:
                return work.begun >= wanted and (await row(context))["holder"] is None

            await becomes(done, "the work is done")
            assert work.begun == due_times


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.usefixtures("eager")
async def test_the_lease_is_renewed_as_long_as_the_work_lasts_and_nobody_else_begins(context: Context) -> None:
    work = Work(ends=False)
    own = with_settings(context, lease_s=0.9)
    await make_due(context)
    async with at_work(*loops(own, Schedule("own", work, cron=YEARLY), PROCESSES)):
        await becomes(work.has_begun, "the work has begun")
        first = await row(context)

        async def outlived() -> bool:
            return (await row(context))["now"] > first["lease_until"] + timedelta(seconds=own.settings.lease_s)

        await becomes(outlived, "two leases would have ended")
        now = await row(context)
        assert now["holder"] == first["holder"]
        assert now["lease_until"] > now["now"]
        assert (work.begun, work.cancelled.is_set()) == (1, False)
        work.may_end.set()


async def test_who_has_lost_the_lease_stops_working_and_leaves_the_schedule_to_its_new_holder(
    context: Context,
) -> None:
    work = Work(ends=False)
    await make_due(context)
    async with at_work(*loops(with_settings(context, lease_s=0.3), Schedule("own", work, cron=YEARLY), 1)):
        await becomes(work.has_begun, "the work has begun")
        await context.pool.execute("UPDATE schedules SET holder = 'another', lease_until = now() + interval '1 hour'")
        await asyncio.wait_for(work.cancelled.wait(), 10)
    assert (await row(context))["holder"] == "another"


async def test_who_cannot_renew_the_lease_stops_before_another_may_begin(context: Context) -> None:
    work = Work(ends=False)
    await make_due(context)
    schedule = Schedule("own", work, cron=YEARLY)
    async with at_work(*loops(with_settings(context, lease_s=0.5), schedule, 1)) as stopping:
        await becomes(work.has_begun, "the work has begun")
        async with context.pool.acquire() as connection, connection.transaction():
            # No renewal gets past this lock.
            held = await connection.fetchrow("SELECT lease_until FROM schedules FOR UPDATE")
            await asyncio.wait_for(work.cancelled.wait(), 10)
            # What is added is for a machine that was busy elsewhere at this moment.
            assert work.cancelled_at < held["lease_until"] + timedelta(seconds=0.2)
            stopping.set()


async def test_work_that_fails_is_told_of_and_done_again_before_long(context: Context) -> None:
    async def fail(_context: Context) -> None:
        raise ValueError("no")

    await make_due(context)
    await once(context, Schedule("own", fail, cron=YEARLY))
    failed = await row(context)
    assert timedelta(0) < failed["due_at"] - failed["now"] <= timedelta(seconds=FAILED_PAUSE_S)
    assert failed["holder"] is None
    assert context.log.sentences() == ["the work has failed"]


async def test_work_that_fails_does_not_wait_longer_than_until_its_next_time(context: Context) -> None:
    async def fail(_context: Context) -> None:
        raise ConnectionError("no")

    schedule = Schedule("own", fail, every_s=60)
    await make_due(context)
    before = (await row(context))["now"]
    await once(context, schedule)
    assert (await row(context))["due_at"] <= next_due(schedule, before) + timedelta(seconds=60)


async def test_a_stop_cuts_the_work_short_and_leaves_it_due_for_another(context: Context) -> None:
    work, other = Work(ends=False), Work()
    await make_due(context)
    due_at = (await row(context))["due_at"]
    async with at_work(*loops(context, Schedule("own", work, cron=YEARLY), 1)) as stopping:
        await becomes(work.has_begun, "the work has begun")
        stopping.set()
    assert work.cancelled.is_set()
    left = await row(context)
    assert (left["due_at"], left["holder"]) == (due_at, None)
    await once(context, Schedule("own", other, cron=YEARLY))
    assert other.begun == 1


async def test_a_schedule_that_this_version_does_not_know_is_left_alone(context: Context) -> None:
    await make_due(context, "of old")
    before = dict(await row(context, "of old"))
    for _ in range(2):
        await once(context, Schedule("own", Work(), every_s=60))
    assert {**dict(await row(context, "of old")), "now": None} == {**before, "now": None}


async def test_a_schedule_that_was_changed_to_come_sooner_does_so(context: Context) -> None:
    await once(context, Schedule("own", Work(), cron=YEARLY))
    schedule = Schedule("own", Work(), every_s=60)
    await once(context, schedule)
    changed = await row(context)
    assert changed["due_at"] == next_due(schedule, changed["now"])


@contextlib.asynccontextmanager
async def holding(settings: Settings) -> AsyncGenerator[Process]:
    """A process that takes the schedule and never ends its work."""
    argv = launched([sys.executable, "-m", "tests.support.holder"], "same")
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=child_environ(settings))
    try:
        yield process
    finally:
        await stop(process)


@pytest.mark.slow
async def test_a_holder_that_is_killed_is_replaced_after_its_lease(context: Context) -> None:
    settings = msgspec.structs.replace(context.settings, lease_s=2.0)
    redis = cast(Any, context.redis)
    await make_due(context, NAME)
    async with holding(settings) as one, holding(settings) as other:
        _, first = await redis.blpop(BEGUN, timeout=20)
        killed, heir = (one, other) if int(first) == one.pid else (other, one)
        lease_until = (await row(context, NAME))["lease_until"]
        killed.kill()
        _, second = await redis.blpop(BEGUN, timeout=20)
        taken = await row(context, NAME)
        assert int(second) == heir.pid
        assert taken["now"] >= lease_until, "not before the lease has ended"
        assert await redis.llen(BEGUN) == 0
