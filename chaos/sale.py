"""A sale that has to go through a fault: settings for the system, the course of the sale, its end, and the figures."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

import lua
from bench.books import open_books
from bench.children import ROOT
from bench.sale import open_sale
from chaos.checker import Row, Verdict, accept_times, back_after_s, check
from chaos.crowd import Crowd
from chaos.system import own_settings
from chaos.victims import Struck
from chaos.waiting import until
from contract.settings import Settings, child_environ
from contract.transport import open_redis
from fluxgate.embedded import resolve
from workers.faults import TRANSIENT

# What the project promises: after the death of any process the system sells again by itself within this.
BACK_WITHIN_S = 10.0
# A silence that is shorter may be chance, or a busy machine.
OUTAGE_S = 0.3
# How long a test waits for something before it gives up. Longer than what is promised, so that it can say by how much
# the promise was broken.
GIVE_UP_AFTER_S = 45.0
# Moderate for two cores that also carry the crowd itself.
BUYERS_PER_S = 120.0
# Enough for twice the time promised at that rate, with something left over for the sell-out.
STOCK = 3_500
# Accepts before the fault, of the crowd that stands at the door when it happens, and after the recovery.
BEFORE, AT_THE_DOOR, AFTER = 100, 400, 250
# A bug, and a false alarm of the reaper's, who must see balanced books at every moment of a fault.
COMPLAINTS = ("Traceback", "a bug", "the books do not balance", "dead-lettered")
# More buyers than units at the end, and their connections.
TOO_MANY, BUYERS_AT_ONCE = 300, 60


def sale_settings(data_dir: Path, gateway_processes: int = 2) -> Settings:
    """Settings for a system of its own that lets everybody in, and remembers keys for longer than any test takes."""
    return msgspec.structs.replace(
        own_settings(data_dir),
        rate_per_s=1_000_000.0,
        gateway_workers=gateway_processes,
        idempotency_ttl_s=3_600,
        reaper_every_s=1.0,
    )


class Figures(NamedTuple):
    """What a fault came to."""

    fault: str
    verdict: Verdict
    # Seconds from the fault until accepts, and rows in Postgres, came again; 0: without a pause of OUTAGE_S.
    accepts_back_s: float
    rows_back_s: float
    # The longest that an accepted order had to wait for its row.
    slowest_row_s: float


class Sale:
    """One sale on a running system, with its crowd."""

    def __init__(self, settings: Settings, product: str, stock: int, run: int) -> None:
        self.settings = settings
        self.product = product
        self.stock = stock
        self.crowd = Crowd(settings.port, product, run)
        self._log_sizes: dict[Path, int] = {}

    async def open(self) -> None:
        """Open the sale."""
        self._log_sizes = {path: path.stat().st_size for path in self._logs()}
        await asyncio.to_thread(open_sale, self.settings.port, self.product, self.stock)

    async def rows(self) -> list[Row]:
        """All rows of the sale."""
        async with open_books(self.settings) as connection:
            found: list[Any] = await connection.fetch(
                "SELECT order_id::text, idempotency_key, user_id, state::text, extract(epoch FROM accepted_at)::float,"
                " extract(epoch FROM persisted_at)::float FROM orders WHERE product_id = $1",
                self.product,
            )
        return [Row(*row) for row in found]

    async def goes_through(self, name: str, strike: Callable[[], Awaitable[Struck]]) -> Figures:
        """Sell, let the fault happen in front of a crowd, sell on until the last unit; then everything must be right.

        The caller asserts on the figures; here only what keeps the sale from coming to its end is an error.
        """
        await self.open()
        crowd = self.crowd
        async with crowd.streaming(BUYERS_PER_S):
            await self._until(lambda: crowd.accepted() >= BEFORE, "the sale runs")
            crowd.rush(AT_THE_DOOR)
            await self._until(lambda: crowd.accepted() >= BEFORE + AT_THE_DOOR // 4, "a crowd is at the door")
            struck = await strike()
            await self._until(lambda: crowd.accepted(struck.at) >= AFTER, "orders are accepted again")
            await eventually(lambda: self._stored_since(struck.at_epoch), "orders become rows again")
            watched_until = time.perf_counter()
        selling = accept_times(crowd.outcomes)
        await self.sell_out()
        await self.drained()
        rows = await self.rows()
        watched_until_epoch = struck.at_epoch + watched_until - struck.at
        return Figures(
            name,
            check(crowd.outcomes, rows, self.stock),
            back_after_s(selling, struck.at, watched_until, OUTAGE_S),
            back_after_s((row.persisted_at for row in rows), struck.at_epoch, watched_until_epoch, OUTAGE_S),
            max(row.persisted_at - row.accepted_at for row in rows),
        )

    async def sell_out(self) -> None:
        """More buyers than units are left come for the rest of it."""
        accepted = check(self.crowd.outcomes, [], self.stock).accepted
        await self.crowd.buy_up(self.stock - accepted + TOO_MANY, BUYERS_AT_ONCE)

    async def drained(self) -> None:
        """Wait until nothing waits for a worker any more."""
        redis = open_redis(resolve(self.settings))

        async def empty() -> bool:
            keys = lua.LaneKeys(0)
            return (await lua.read_figures(redis)).backlog == 0 and await redis.xlen(keys.outbox) == 0

        try:
            await eventually(empty, "every accepted order has been settled")
        finally:
            await redis.aclose()

    async def proven_by_the_reaper(self) -> None:
        """Wait until the reaper has published books in which this sale has sold everything, and is right."""
        redis = open_redis(resolve(self.settings))

        async def proven() -> bool:
            books = msgspec.json.decode(await lua.read_proof(redis, lua.LaneKeys(0)) or b"[]")
            own = [book for book in books if book["product_id"] == self.product]
            return [(book["sold"], book["fault"]) for book in own] == [(self.stock, "")]

        try:
            await eventually(proven, "the reaper has proven the books of the sale")
        finally:
            await redis.aclose()

    async def reconciled(self) -> str:
        """What `fluxgate reconcile --json` finds wrong with this sale; empty when its books balance."""
        command = [sys.executable, "-m", "fluxgate", "reconcile", "--json"]
        reconciling = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=child_environ(self.settings), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await reconciling.communicate()
        books = msgspec.json.decode(output)["sales"]
        own = [book for book in books if book["product_id"] == self.product]
        # The exit code is about all sales. One that an earlier fault has spoilt is that fault's and not this one's.
        assert reconciling.returncode == any(book["fault"] for book in books), output
        return own[0]["fault"] if own else "it does not know the sale"

    def complaints(self) -> list[str]:
        """Lines of the logs, since the sale was opened, that no fault from outside may cause."""
        return [
            line
            for path in self._logs()
            for line in path.read_bytes()[self._log_sizes.get(path, 0) :].decode().splitlines()
            # A sale that an earlier fault has spoilt stays so; its lines name it.
            if any(words in line for words in COMPLAINTS)
            and ('"product_id"' not in line or f'"{self.product}"' in line)
        ]

    def _logs(self) -> list[Path]:
        return sorted((self.settings.data_dir / "logs").glob("*.log"))

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        async def asked() -> bool:
            return true()

        await eventually(asked, what)

    async def _stored_since(self, since_epoch: float) -> bool:
        try:
            rows = await self.rows()
        except TRANSIENT:
            return False
        return sum(row.accepted_at > since_epoch for row in rows) >= AFTER


async def eventually(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until something is true that must become so."""
    try:
        await until(true, GIVE_UP_AFTER_S)
    except TimeoutError:
        raise AssertionError(f"it took longer than {GIVE_UP_AFTER_S:.0f} s until {what}") from None


def show(figures: list[Figures], console: Console) -> None:
    """The table that operators want."""
    table = Table(title="A sale under SIGKILL")
    table.add_column("killed")
    numbers = (
        "requests",
        "accepted",
        "rows",
        "indeterminate",
        "recovered",
        "lost",
        "duplicated",
        "oversold",
        "unexpected",
    )
    for name in (*numbers, "accepts back", "rows back", "slowest row"):
        table.add_column(name, justify="right")
    for item in figures:
        counts = [f"{getattr(item.verdict, name):,}" for name in numbers]
        times = [f"{seconds:.2f} s" if seconds else f"< {OUTAGE_S} s" for seconds in item[2:]]
        table.add_row(item.fault, *counts, *times)
    console.print(table)
