"""A sync with Goated when something goes wrong: at Goated, in the worker, or because two are at it."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

import lua
from contract.bus import decode_reply
from contract.transport import find_reply
from tests.support.desk import BACKLOG_MAX, command, open_desk
from tests.support.goated_shop import Shop, Teller, asked, leaderboard, member, open_goated_shop, told_by
from tests.support.processes import running
from tests.support.sandbox import GoatedSandbox, running_goated
from tests.support.servers import Servers
from tests.support.waiting import becomes
from workers.clients.goated import GoatedFault
from workers.goated import GOATED
from workers.goated_sync import ATTEMPTS_MAX, sync
from workers.service import Desk, Later, Refuse, Replied

pytestmark = pytest.mark.asyncio(loop_scope="module")

LARGE = 20_000
ANN, BEN = member("ann", 100, 1000), member("ben", 50, 500)
KEPT = "SELECT uid, this_month FROM goated_wagers ORDER BY uid"
SYNCS = "SELECT outcome, code, message FROM goated_syncs ORDER BY began_at"
SUMS = "SELECT people, today, this_week, this_month, all_time FROM goated_board"
TRUE_SUMS = """
    SELECT count(*) AS people, sum(today) AS today, sum(this_week) AS this_week, sum(this_month) AS this_month,
        sum(all_time) AS all_time FROM goated_wagers
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop for the module."""
    async with open_goated_shop(servers, tmp_path_factory.mktemp("goated"), goated_rate_per_minute=6000) as shop:
        yield shop


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened: Shop) -> Shop:
    """Nothing is known of Goated yet."""
    await opened.clear()
    return opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_sandbox(opened: Shop) -> AsyncIterator[GoatedSandbox]:
    """A sandbox of Goated for the module."""
    async with running_goated(opened.desk.settings) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(running_sandbox: GoatedSandbox) -> GoatedSandbox:
    """The sandbox as it was at first, with a clock that stands in the middle of a month."""
    await running_sandbox.reset()
    await running_sandbox.control(tick_s=0)
    await running_sandbox.advance(to="2025-04-15T12:00:00Z")
    return running_sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def desk(shop: Shop, sandbox: GoatedSandbox) -> AsyncIterator[Desk]:
    """The worker with its own client, at the sandbox."""
    async with open_desk(sandbox.settings, GOATED) as opened:
        yield opened


FAULTS = [
    (GoatedFault("temporary", "API_TIMEOUT", "late"), 503, True),
    (GoatedFault("temporary", "API_UNAVAILABLE", "away"), 503, True),
    (GoatedFault("temporary", "API_BAD_ANSWER", "a page"), 502, True),
    (GoatedFault("authentication", "API_AUTH_FAILED", "who is that"), 502, False),
    (GoatedFault("resource", "API_RATE_LIMIT", "too often", 7.0), 429, True),
    (GoatedFault("permanent", "API_ERROR", "unknown"), 502, False),
]


@pytest.mark.parametrize(("fault", "status", "passes"), FAULTS, ids=lambda given: getattr(given, "code", ""))
async def test_a_fault_is_noted_and_told_and_changes_nothing_of_what_is_kept(
    shop: Shop, fault: GoatedFault, status: int, passes: bool
) -> None:
    await shop.sync(ANN, BEN)
    before, board = await shop.rows(KEPT), await shop.board()
    shop.teller.fault = fault
    waited_for = command("sync", {}, role="ADMIN")
    with pytest.raises(Refuse) as refused:
        await sync(shop.desk, waited_for)
    problem = refused.value.problem
    assert (refused.value.status, problem.code, problem.retryable) == (status, fault.code, passes)
    assert (await shop.rows(SYNCS))[1] == {"outcome": "failed", "code": fault.code, "message": fault.message}
    assert await shop.rows(KEPT) == before
    assert {**await shop.board(), "now": None} == {**board, "now": None}
    shop.teller.fault = None
    assert told_by(await shop.sync())["outcome"] == "not_modified"


async def test_where_nobody_waits_a_passing_fault_is_tried_again_a_few_times_and_noted_once(shop: Shop) -> None:
    shop.teller.fault = GoatedFault("temporary", "API_UNAVAILABLE", "away")
    own = asked()
    for attempt in range(1, ATTEMPTS_MAX):
        ending = await sync(shop.desk, msgspec.structs.replace(own, attempt=attempt))
        assert isinstance(ending, Later)
        assert ending.after_s == 2.0**attempt
    with pytest.raises(Refuse):
        await sync(shop.desk, msgspec.structs.replace(own, attempt=ATTEMPTS_MAX))
    assert await shop.rows(SYNCS) == [{"outcome": "failed", "code": "API_UNAVAILABLE", "message": "away"}]
    shop.teller.fault = None
    shop.teller.members = [ANN]
    assert told_by(await sync(shop.desk, own))["outcome"] == "changed"
    assert await shop.rows(SYNCS) == [{"outcome": "changed", "code": None, "message": None}]


async def test_a_rate_that_ends_after_the_next_schedule_is_left_to_the_next_schedule(shop: Shop) -> None:
    shop.teller.fault = GoatedFault("resource", "API_RATE_LIMIT", "too often", 600.0)
    with pytest.raises(Refuse):
        await sync(shop.desk, asked())


async def test_a_command_that_comes_again_is_answered_as_before_and_fetches_nothing(shop: Shop) -> None:
    own = asked()
    shop.teller.members = [ANN, BEN]
    first = await sync(shop.desk, own)
    again = await sync(shop.desk, own)
    assert isinstance(first, Replied)
    assert isinstance(again, Replied)
    assert (again.data, again.stale) == (first.data, first.stale)
    assert len(shop.teller.asked) == 1


async def test_what_is_refused_is_noted_with_its_reason_and_fetched_in_full_the_next_time(shop: Shop) -> None:
    await shop.sync(ANN, BEN)
    etag = leaderboard([ANN, BEN]).etag
    shop.teller.members = []
    for _ in range(2):
        with pytest.raises(Refuse) as refused:
            await shop.sync()
        assert (refused.value.status, refused.value.problem.code) == (502, "SUSPICIOUS_DATA")
    assert [row["code"] for row in await shop.rows(SYNCS)] == [None, "SUSPICIOUS_DATA", "SUSPICIOUS_DATA"]
    assert shop.teller.asked == ["", etag, etag]
    assert len(await shop.rows(KEPT)) == 2
    assert told_by(await shop.sync(accept=True))["people"] == 0
    assert await shop.rows(KEPT) == []


class Gate(Teller):
    """A Goated whose answers all come at the same moment."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self.barrier = asyncio.Barrier(parties)

    async def fetch(self, etag: str) -> Any:
        """What there is to tell, once everybody has asked."""
        told = await super().fetch(etag)
        await self.barrier.wait()
        return told


async def test_of_syncs_at_the_same_moment_one_writes_and_the_others_find_it_done(shop: Shop) -> None:
    gate = Gate(5)
    gate.members = [member(f"u{number}", number, number) for number in range(500)]
    desk = shop.desk._replace(tools=shop.desk.tools._replace(goated=gate))
    results = [told_by(ending) for ending in await asyncio.gather(*(sync(desk, asked()) for _ in range(5)))]
    assert sorted(result["outcome"] for result in results) == ["changed", *["unchanged"] * 4]
    assert (await shop.board())["version"] == 1
    assert len(await shop.rows("SELECT * FROM goated_races")) == 1


async def test_one_command_that_two_workers_have_is_done_once(shop: Shop) -> None:
    gate = Gate(2)
    gate.members = [ANN, BEN]
    desk = shop.desk._replace(tools=shop.desk.tools._replace(goated=gate))
    own = asked()
    first, second = await asyncio.gather(sync(desk, own), sync(desk, own))
    assert told_by(first) == told_by(second)
    assert told_by(first)["outcome"] == "changed"
    assert len(await shop.rows(SYNCS)) == 1


async def test_every_person_of_a_real_leaderboard_is_kept_with_his_figures(
    desk: Desk, shop: Shop, sandbox: GoatedSandbox
) -> None:
    told_by(await sync(desk, asked()))
    kept = {row["uid"]: row for row in await shop.rows("SELECT * FROM goated_wagers")}
    rows = await sandbox.rows()
    assert len(kept) == len(rows) == 500
    for row in rows:
        own = kept[row["uid"]]
        for period in ("today", "this_week", "this_month", "all_time"):
            assert own[period] == Decimal(row["wagered"][period]), row
    assert (await shop.rows(SUMS)) == (await shop.rows(TRUE_SUMS))


async def test_a_real_leaderboard_that_is_torn_by_the_end_of_the_month_is_waited_for(
    desk: Desk, shop: Shop, sandbox: GoatedSandbox
) -> None:
    """By the clock of Postgres the race of the month before has just ended; by that of the sandbox the month does."""
    told_by(await sync(desk, asked()))
    before = await shop.board()
    await shop.desk.pool.execute(
        "UPDATE goated_races SET starts_at = now() - interval '30 days', ends_at = now() - interval '1 minute',"
        " id = to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day', 'YYYYMM')"
    )
    ((race_id, _, _),) = await shop.races()
    await sandbox.advance(to="2025-05-01T00:00:30Z")
    await sandbox.control(is_torn=True)
    with pytest.raises(Refuse) as refused:
        await sync(desk, command("sync", {}, role="ADMIN"))
    assert "The month begins anew" in str(refused.value)
    await sandbox.control(is_torn=False)
    assert told_by(await sync(desk, asked()))["endedRace"] == race_id
    (race,) = await shop.rows("SELECT * FROM goated_races WHERE status = 'completed'")
    assert (race["completed_by"], race["total_wagered"]) == ("reset", before["this_month"])


@pytest.mark.slow
async def test_a_worker_that_is_killed_in_the_midst_of_a_sync_is_replaced_and_leaves_nothing_half_done(
    shop: Shop, sandbox: GoatedSandbox
) -> None:
    settings = msgspec.structs.replace(sandbox.settings, lease_s=1.0)
    await sandbox.control(users=LARGE)
    own = asked(reply_to=lua.REPLIES_PREFIX + "of-a-test")
    lock = await shop.desk.pool.acquire()
    transaction = lock.transaction()
    await transaction.start()
    # Whoever writes stops at the first figure, with people already added.
    await lock.execute("LOCK TABLE goated_wagers IN SHARE MODE")

    async def is_writing() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'goated_wagers'::regclass"
        return await shop.desk.pool.fetchval(waiting) > 0

    async def has_ended() -> bool:
        return bool(await find_reply(shop.desk.redis, lua.reply_key(own.id)))

    async with running(settings, "worker", "goated") as worker:
        assert await lua.submit(shop.desk.redis, "goated", msgspec.json.encode(own), BACKLOG_MAX)
        await becomes(is_writing, "the sync writes")
        worker.kill()
        await worker.wait()
    await transaction.rollback()
    await shop.desk.pool.release(lock)
    assert await shop.rows("SELECT uid FROM goated_members") == []
    assert (await shop.board())["fetched_at"] is None
    async with running(settings, "worker", "goated"):
        await becomes(has_ended, "the sync has ended")
    reply = decode_reply(await find_reply(shop.desk.redis, lua.reply_key(own.id)) or b"")
    assert msgspec.json.decode(reply.data)["people"] == LARGE
    assert (await shop.board())["version"] == 1
    assert (await shop.rows(SUMS)) == (await shop.rows(TRUE_SUMS))
