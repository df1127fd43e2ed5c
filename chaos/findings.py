"""What a short sale brings to light: its rows are judged when nothing moves any more, whatever has been lost."""

import asyncio
import time
from typing import NamedTuple

from bench.books import open_books, reconcile
from chaos.checker import Row, Verdict, check
from chaos.house import KEYS, House, redis_of
from chaos.sale import Sale, eventually
from workers.faults import TRANSIENT

# Nothing has left the outbox for so long, although a worker runs: nothing will. Beyond it lies a worker's start and the
# lease of its dead predecessor.
QUIET_S = 5.0
# The outbox is empty, and the rows have stayed as they are for so long: a worker that acknowledges early is done too.
STEADY_S = 0.2


class Findings(NamedTuple):
    """What a sale came to. `balanced`: `fluxgate reconcile` finds nothing wrong with the books."""

    verdict: Verdict
    balanced: bool

    @property
    def names(self) -> set[str]:
        """What is wrong, by the names of the figures that say so."""
        wrong = {name for name in ("lost", "duplicated", "oversold", "unexpected") if getattr(self.verdict, name)}
        return wrong if self.balanced else wrong | {"books"}


async def open_sale(house: House, number: int, stock: int) -> Sale:
    """Open a sale, and wait until Postgres knows it. `number` is unique in the house."""
    sale = Sale(house, f"ordeal-{number}", stock, number)
    await sale.open()
    async with open_books(house.settings) as connection:

        async def known() -> bool:
            return await connection.fetchval("SELECT count(*) FROM sales WHERE product_id = $1", sale.product)

        await eventually(known, "Postgres knows the sale")
    return sale


async def find(sale: Sale, *, failed_are_meant: bool = False) -> Findings:
    """Judge a sale in which nobody buys any more. `failed_are_meant`: it has led to orders that Postgres refuses."""
    rows = await rows_at_rest(sale)
    judged = [row for row in rows if not (failed_are_meant and row.state == "failed")]
    verdict = check(sale.crowd.outcomes, judged, sale.stock, sale.crowd.cancellings)
    return Findings(verdict, (await asyncio.to_thread(reconcile, sale.house.settings)).balanced)


async def rows_at_rest(sale: Sale) -> list[Row]:
    """The rows of the sale when the outbox is empty, or stays as it is: what is lost must not hold us up."""
    rows: list[Row] = []
    state, since = (-1, -1), 0.0

    async def rest() -> bool:
        nonlocal rows, state, since
        try:
            left = await redis.xlen(KEYS.outbox)
            rows = [] if left else await sale.rows()
        except TRANSIENT:
            left, rows = -1, []
        if state != (left, len(rows)):
            state, since = (left, len(rows)), time.perf_counter()
        return left >= 0 and time.perf_counter() - since >= (QUIET_S if left else STEADY_S)

    async with redis_of(sale.house) as redis:
        await eventually(rest, "nothing moves any more")
    return rows or await sale.rows()
