"""One sale in a house, with its crowd: opened, sold out, drained, and asked whether its books are right."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

import lua
from bench.books import open_books
from bench.children import ROOT
from bench.sale import open_sale
from chaos.checker import OK, Row, check
from chaos.crowd import Crowd
from chaos.house import KEYS, House, redis_of
from chaos.waiting import until
from contract.settings import child_environ
from workers.faults import TRANSIENT

# How long something may take before a trial gives up. Longer than what is promised, so that it can say by how much the
# promise was broken.
GIVE_UP_AFTER_S = 45.0
# A bug, and a false alarm of the reaper's, who must see balanced books at every moment of a fault.
COMPLAINTS = ("Traceback", "a bug", "the books do not balance", "dead-lettered")
COMPLAINTS_SHOWN_MAX = 3
# More buyers than units at the end, and their connections.
TOO_MANY, BUYERS_AT_ONCE = 300, 60


class Sale:
    """One sale. `run` is unique in the house, and makes its idempotency keys."""

    def __init__(self, house: House, product: str, stock: int, run: int) -> None:
        self.house = house
        self.product = product
        self.stock = stock
        self.crowd = Crowd(house.port, product, run)
        self._log_sizes: dict[Path, int] = {}

    async def open(self) -> None:
        """Open the sale."""
        self._log_sizes = {path: path.stat().st_size for path in self._logs()}
        await asyncio.to_thread(open_sale, self.house.settings.port, self.product, self.stock)

    async def rows(self) -> list[Row]:
        """All rows of the sale."""
        async with open_books(self.house.settings) as connection:
            found: list[Any] = await connection.fetch(
                "SELECT order_id::text, idempotency_key, user_id, state::text, extract(epoch FROM accepted_at)::float,"
                " extract(epoch FROM persisted_at)::float FROM orders WHERE product_id = $1",
                self.product,
            )
        return [Row(*row) for row in found]

    async def has_rows_since(self, moment: float, count: int) -> bool:
        """Whether so many of the orders that were accepted after this moment of `perf_counter` have become rows."""
        keys = {outcome.order.key for outcome in self.crowd.outcomes if outcome.status == OK and outcome.sent > moment}
        try:
            return sum(row.key in keys for row in await self.rows()) >= count
        except TRANSIENT:
            return False

    async def sell_out(self) -> None:
        """More buyers than units are left come for the rest of it."""
        verdict = check(self.crowd.outcomes, [], self.stock, self.crowd.cancellings)
        left = self.stock - verdict.accepted + verdict.cancelled
        await self.crowd.buy_up(left + TOO_MANY, BUYERS_AT_ONCE)

    async def drained(self) -> None:
        """Wait until nothing waits for a worker any more."""
        async with redis_of(self.house) as redis:

            async def empty() -> bool:
                return (await lua.read_figures(redis)).backlog == 0 and await redis.xlen(KEYS.outbox) == 0

            await eventually(empty, "every accepted order has been settled")

    async def problems(self, allowed: tuple[str, ...] = ()) -> list[str]:
        """What the system itself finds wrong with the sale when it is over; log lines with `allowed` words are not."""
        found = [fault for fault in await asyncio.gather(self.reconciled(), self._unproven()) if fault]
        complaints = [line for line in self._complaints() if not any(words in line for words in allowed)]
        if self.house.system.process.returncode is not None:
            found.append("the supervisor has ended")
        return found + complaints[:COMPLAINTS_SHOWN_MAX]

    async def reconciled(self) -> str:
        """What `fluxgate reconcile --json` finds wrong with this sale; empty when its books balance."""
        command = [sys.executable, "-m", "fluxgate", "reconcile", "--json"]
        reconciling = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=child_environ(self.house.settings), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await reconciling.communicate()
        books = msgspec.json.decode(output)["sales"]
        own = [book for book in books if book["product_id"] == self.product]
        # The exit code is about all sales. One that an earlier fault has spoilt is that fault's and not this one's.
        assert reconciling.returncode == any(book["fault"] for book in books), output
        return own[0]["fault"] if own else "fluxgate reconcile does not know the sale"

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something is true that must become so."""

        async def asked() -> bool:
            return true()

        await eventually(asked, what)

    async def _unproven(self) -> str:
        """What keeps the reaper from proving the books of this sale; empty when it has proven them."""
        async with redis_of(self.house) as redis:

            async def proven() -> bool:
                books = msgspec.json.decode(await lua.read_proof(redis, KEYS) or b"[]")
                own = [book for book in books if book["product_id"] == self.product]
                return [(book["sold"], book["fault"]) for book in own] == [(self.stock, "")]

            try:
                await eventually(proven, "the reaper has proven the books of the sale")
            except AssertionError as error:
                return str(error)
        return ""

    def _complaints(self) -> list[str]:
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
        return sorted((self.house.settings.data_dir / "logs").glob("*.log"))


async def eventually(true: Callable[[], Awaitable[object]], what: str) -> None:
    """Wait until something is true that must become so."""
    try:
        await until(true, GIVE_UP_AFTER_S)
    except TimeoutError:
        raise AssertionError(f"it took longer than {GIVE_UP_AFTER_S:.0f} s until {what}") from None
