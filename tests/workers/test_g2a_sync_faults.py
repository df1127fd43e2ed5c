"""The sync of the catalogue under faults: of G2A, of whoever is at it, and of single products."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

import lua
from contract.bus import BusCommand, decode_reply
from contract.transport import find_reply
from tests.support.cache import fill
from tests.support.desk import BACKLOG_MAX, command
from tests.support.g2a_store import PRODUCTS, Store, counts, offered, told
from tests.support.processes import running
from tests.support.waiting import becomes
from workers import g2a_sync
from workers.clients.g2a import Page, Product
from workers.g2a_batches import Terms, write_batch
from workers.g2a_catalogue import as_row
from workers.g2a_sync import ABANDONED_S, FAULTS_MAX, STALE, sync, sync_status
from workers.service import Desk, Later, More, Refuse, Replied

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

OF_PAGES, OF_PRODUCTS = "GET /contract/products", "GET /contract/products/*"
LARGE = 3_000


@pytest.fixture
def one_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g2a_sync, "step_s", lambda _: 0.0)


def asked(**body: Any) -> BusCommand:
    """A command that somebody waits for."""
    return command("sync", body, role="ADMIN")


def failed(ending: Any) -> tuple[int, str, tuple[str, ...]]:
    """How a sync has failed, and which caches are stale by what it has written."""
    assert isinstance(ending, Replied), ending
    assert ending.problem is not None, ending
    return ending.status, ending.problem.code, ending.stale


async def status_of(desk: Desk) -> dict[str, Any]:
    """What administrators are shown."""
    return told(await sync_status(desk, command("sync_status")))


class Skipping:
    """G2A, whose pages lack a product: it has moved to a page that was read before."""

    def __init__(self, g2a: Any, product_id: str) -> None:
        self._g2a = g2a
        self._product_id = product_id

    async def list_products(self, *args: Any, **more: Any) -> Page:
        page = await self._g2a.list_products(*args, **more)
        return page._replace(products=[one for one in page.products if one.id != self._product_id])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._g2a, name)


async def test_a_product_that_stands_on_no_page_is_asked_for_and_stays(store: Store) -> None:
    await store.sync(fullSync=True)
    skipped = next(iter(await offered(store.sandbox)))
    tools = store.desk.tools
    other = store._replace(desk=store.desk._replace(tools=tools._replace(g2a=Skipping(tools.g2a, skipped))))
    assert counts(await other.sync(fullSync=True)) == (PRODUCTS, 0, 0, 0)
    assert (await store.game(skipped))["active"]


async def test_an_empty_catalogue_by_mistake_empties_no_shop(store: Store) -> None:
    await store.sync(fullSync=True)
    await store.sandbox.control(faults=[{"match": OF_PAGES, "do": "junk", "times": None}])
    assert failed(await store.sync(fullSync=True)) == (502, "G2A_API_ERROR", ())
    assert await store.rows("SELECT count(*) FROM games WHERE active") == [{"count": PRODUCTS}]


async def test_a_fault_that_passes_is_waited_out_and_the_sync_goes_on_behind_it(
    store: Store,
) -> None:
    # Most are waited out by our client; a time to wait that is beyond its patience, it hands on.
    await store.sandbox.control(faults=[{"match": OF_PAGES, "status": 429, "retry_after": 25, "skip": 1, "times": 2}])
    own = asked(fullSync=True)
    pauses = []
    while isinstance(ending := await sync(store.desk, own), More):
        pauses.append(ending.after_s)
    assert pauses == [25.0, 25.0]
    assert counts(ending) == (PRODUCTS, PRODUCTS, 0, 0)
    asked_for = (await store.sandbox.journal())["requests"]
    assert [request["status"] for request in asked_for] == [200, 429, 429, 200, 200]


async def test_a_fault_that_does_not_pass_ends_the_sync_with_its_code_and_what_was_written_stays(
    store: Store, one_page_at_a_time: None
) -> None:
    await store.sandbox.control(
        faults=[{"match": OF_PAGES, "status": 429, "retry_after": 25, "skip": 1, "times": None}]
    )
    own = asked(fullSync=True)
    steps = 0
    while isinstance(ending := await sync(store.desk, own), More):
        steps += 1
    assert steps == 1 + FAULTS_MAX - 1
    assert failed(ending) == (429, "G2A_RATE_LIMIT", STALE)
    assert await store.rows("SELECT count(*) FROM games") == [{"count": 100}]
    shown = await status_of(store.desk)
    assert (shown["syncInProgress"], shown["lastSync"]) == (False, None)
    assert (shown["lastResult"]["success"], shown["lastResult"]["code"]) == (False, "G2A_RATE_LIMIT")
    assert await sync(store.desk, own) == ending


async def test_one_sync_is_at_work_at_a_time_and_its_progress_is_told(store: Store, one_page_at_a_time: None) -> None:
    first = asked(fullSync=True)
    assert await sync(store.desk, first) == More()
    shown = await status_of(store.desk)
    assert shown["syncInProgress"]
    assert {name: shown["progress"][name] for name in ("page", "pages", "synced")} == {
        "page": 1,
        "pages": 3,
        "synced": 100,
    }
    with pytest.raises(Refuse) as refused:
        await sync(store.desk, asked())
    assert (refused.value.status, refused.value.problem.code) == (409, "SYNC_IN_PROGRESS")
    # One that nobody waits for comes back by itself.
    scheduled = BusCommand(id=asked().id, kind="sync", role="ADMIN")
    assert isinstance(await sync(store.desk, scheduled), Later)
    while isinstance(ending := await sync(store.desk, first), More):
        pass
    assert counts(ending) == (PRODUCTS, PRODUCTS, 0, 0)
    assert await sync(store.desk, scheduled) == More()


async def test_a_sync_that_nobody_is_at_any_more_makes_room_for_the_next(
    store: Store, one_page_at_a_time: None
) -> None:
    lost = asked(fullSync=True)
    assert await sync(store.desk, lost) == More()
    await store.desk.pool.execute(
        "UPDATE g2a_syncs SET touched_at = now() - make_interval(secs => $1)", ABANDONED_S + 1
    )
    assert not (await status_of(store.desk))["syncInProgress"]
    assert counts(await store.sync(fullSync=True)) == (PRODUCTS, PRODUCTS - 100, 0, 0)
    assert failed(await sync(store.desk, lost)) == (503, "SYNC_ABANDONED", STALE)


async def test_of_two_that_do_the_same_step_one_keeps_it(store: Store, one_page_at_a_time: None) -> None:
    own = asked(fullSync=True)
    endings: list[Any] = []
    while not any(isinstance(ending, Replied) for ending in endings):
        endings += await asyncio.gather(*(sync(store.desk, own) for _ in range(3)))
    while isinstance(ending := await sync(store.desk, own), More):
        pass
    assert counts(ending) == (PRODUCTS, PRODUCTS, 0, 0)
    assert More(g2a_sync.BEHIND_S) in endings


async def test_a_sync_that_is_delivered_twice_at_once_is_one_run(store: Store, one_page_at_a_time: None) -> None:
    for _ in range(5):
        await store.clear()
        own = asked(fullSync=True)
        endings = await asyncio.gather(*(sync(store.desk, own) for _ in range(4)))
        assert all(isinstance(ending, More) for ending in endings), endings


async def test_whoever_is_no_administrator_syncs_nothing(store: Store) -> None:
    with pytest.raises(Refuse) as refused:
        await sync(store.desk, command("sync", {}, role="USER"))
    assert refused.value.status == 403


async def test_a_product_that_no_table_takes_keeps_no_other_from_being_written(store: Store) -> None:
    sound = [as_row(Product(id=f"p-{n}", name="A game", price=Decimal(1), stock=1, quantity=1)) for n in range(9)]
    rows = [*sound[:4], sound[4]._replace(title="x" * 201), *sound[5:]]
    async with store.desk.pool.acquire() as connection, connection.transaction():
        written = await write_batch(connection, rows, Terms(False, True, datetime.now(UTC)))
    assert (written.synced, written.added) == (8, 8)
    assert [product for product, _ in written.errors] == ["p-4"]
    assert {row["id"] for row in await store.rows("SELECT id FROM games")} == {f"g2a-p-{n}" for n in range(9) if n != 4}


async def test_a_worker_that_is_killed_in_the_midst_of_a_sync_is_replaced_and_nothing_is_done_twice(
    store: Store,
) -> None:
    settings = msgspec.structs.replace(store.sandbox.settings, lease_s=1.0)
    await store.sandbox.control(size=LARGE, latency_ms=60)
    names = ("game:half-life", "home:deals", "catalog:any")
    for name in names:
        await fill(store.desk.redis, name)
    own = asked(fullSync=True, includeRelationships=True)

    async def is_midway() -> bool:
        run = await store.desk.pool.fetchrow("SELECT pages_done FROM g2a_syncs WHERE id = $1", UUID(own.id))
        return run is not None and run["pages_done"] >= 5

    async def has_ended() -> bool:
        return bool(await find_reply(store.desk.redis, lua.reply_key(own.id)))

    async with running(settings, "reaper"):
        async with running(settings, "worker", "g2a") as worker:
            assert await lua.submit(store.desk.redis, "g2a", msgspec.json.encode(own), BACKLOG_MAX)
            await becomes(is_midway, "the sync is under way")
            worker.kill()
            await worker.wait()
        shown = await status_of(store.desk)
        assert shown["syncInProgress"]
        assert 500 <= shown["totalProducts"] < LARGE
        for name in names:
            assert (await lua.read_cached(store.desk.redis, name)).value is not None
        async with running(settings, "worker", "g2a"):
            await becomes(has_ended, "the sync has ended")
    reply = decode_reply(await find_reply(store.desk.redis, lua.reply_key(own.id)) or b"")
    result = msgspec.json.decode(reply.data)
    assert (result["synced"], result["added"], result["updated"], result["errors"]) == (LARGE, LARGE, 0, [])
    assert await store.rows("SELECT count(*) FROM games WHERE active") == [{"count": LARGE}]
    for name in names:
        assert (await lua.read_cached(store.desk.redis, name)).value is None
    # Of the pages, only those are asked for again that were being read when the worker was killed.
    requests = (await store.sandbox.journal())["requests"]
    assert len([request for request in requests if request["path"] == "/contract/products"]) <= LARGE // 100 + 2
