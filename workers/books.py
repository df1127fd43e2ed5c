"""The arithmetic of the proof: every unit of every sale is in exactly one place.

    initial = left + held + sold + returned

left      in the stock of Redis; of a closed epoch, what was in it when it was closed
held      accepted and on its way: in the outbox or dead-lettered, without a row in Postgres
sold      live rows of Postgres
returned  taken back, but in no stock: its epoch is closed, or the giving back is under way

A lost order makes the sum too small, one that exists twice too large, a stock that somebody changed breaks `left`:
Redis and Postgres are each read for what the other does not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lua
from contract.messages import OrderAccepted, OrderCancelled, SaleOpened

SaleKey = tuple[str, int]
LOST_SALE = "Redis has lost the sale"


class Books(NamedTuple):
    """The books of one sale epoch, in units; `orders` counts rows. `fault` is empty when they balance."""

    product_id: str
    epoch: int
    open: bool
    initial: int
    left: int | None
    held: int
    sold: int
    returned: int
    orders: int
    oversold: int
    lost: int
    duplicated: int
    fault: str


@dataclass
class Transit:
    """Commands that Redis has and Postgres may not have yet: the outbox up to a place, and the dead letters."""

    accepted: dict[str, OrderAccepted] = field(default_factory=dict[str, OrderAccepted])
    cancelled: dict[str, OrderCancelled] = field(default_factory=dict[str, OrderCancelled])
    opened: list[SaleOpened] = field(default_factory=list[SaleOpened])

    def note(self, commands: Iterable[object]) -> None:
        """Sort commands in."""
        for command in commands:
            if isinstance(command, OrderAccepted):
                self.accepted[command.order_id] = command
            elif isinstance(command, OrderCancelled):
                self.cancelled[command.order_id] = command
            elif isinstance(command, SaleOpened):
                self.opened.append(command)


@dataclass
class _Tally:
    """One sale while it is being added up, in units."""

    initial: int | None = None
    closed_left: int | None = None
    closed_returned: int = 0
    rows: int = 0
    sold: int = 0
    gone: int = 0
    held: int = 0
    failing: int = 0
    oversold: int = 0
    counter_fault: str = ""


def compare(
    sales: Iterable[lua.SaleBooks], transit: Transit, rows: Iterable[Mapping[str, Any]], states: Mapping[str, str]
) -> list[Books]:
    """The books of all sales, from Redis (`sales`, `transit`) and Postgres (`rows` of sales, `states` of orders).

    `rows` are those of the query sale_books as of the places of the snapshots that `sales` are from; `states` hold the
    transit's orders that exist.
    """
    tallies: dict[SaleKey, _Tally] = {}
    for row in rows:
        tallies[row["product_id"], row["epoch"]] = _from_row(row)
    for opened in transit.opened:
        tally = tallies.setdefault((opened.product_id, opened.epoch), _Tally())
        tally.initial = opened.total
        if opened.closed_epoch:
            before = tallies.setdefault((opened.product_id, opened.closed_epoch), _Tally())
            before.closed_left, before.closed_returned = opened.closed_left, opened.closed_returned
    _add_transit(tallies, transit, states)
    running = {(sale.product_id, sale.epoch): sale for sale in sales if sale.epoch is not None}
    for key in running:
        tallies.setdefault(key, _Tally())
    # Sorted by product and epoch, so that of each product the last one stays.
    latest = dict(sorted(tallies))
    return [_close(key, tally, running.get(key), key[1] < latest[key[0]]) for key, tally in sorted(tallies.items())]


def _from_row(row: Mapping[str, Any]) -> _Tally:
    gone = row["cancelled"] + row["failed"]
    tally = _Tally(
        initial=row["total"],
        closed_left=row["closed_left"],
        closed_returned=row["closed_returned"] or 0,
        rows=row["orders"],
        sold=row["units"] - gone - row["oversold"],
        gone=gone,
        oversold=row["oversold"],
    )
    if row["sold_counter"] != row["sold_now"]:
        tally.counter_fault = f"Postgres counts {row['sold_counter']} sold but has rows for {row['sold_now']}"
    return tally


def _add_transit(tallies: dict[SaleKey, _Tally], transit: Transit, states: Mapping[str, str]) -> None:
    for order_id, accepted in transit.accepted.items():
        tally = tallies.setdefault((accepted.order.product_id, accepted.epoch), _Tally())
        if order_id not in states:
            tally.held += accepted.order.quantity
        elif states[order_id] == "failed":
            tally.failing += accepted.order.quantity
    for order_id, cancelled in transit.cancelled.items():
        tally = tallies.setdefault((cancelled.order.product_id, cancelled.epoch), _Tally())
        state = states.get(order_id)
        if state is None:
            tally.held -= cancelled.order.quantity
            tally.gone += cancelled.order.quantity
        elif state == "persisted":
            tally.sold -= cancelled.order.quantity
            tally.gone += cancelled.order.quantity


def _close(key: SaleKey, tally: _Tally, running: lua.SaleBooks | None, superseded: bool) -> Books:
    left = running.left if running else tally.closed_left
    if tally.initial == 0 and not running and left is None:
        left = 0  # of a sale of nothing, nothing can be lost: it is how a product is closed before it changes its lane
    given_back = running.returned or 0 if running else tally.closed_returned
    returned = tally.gone - given_back
    faults: list[str] = [tally.counter_fault]
    initial = tally.initial
    if initial is None:
        faults.append("Postgres does not know the sale, and nothing on its way will tell it")
        initial = (running.total if running else None) or 0
    difference = 0
    if running is None and left is None:
        # Redis lost it before its product was opened anew: it is over, but what was left of it nobody can know.
        faults.append("" if superseded else LOST_SALE)
    elif left is None:
        faults.append("Redis has lost the stock")
    elif left == -1 and not running:
        left = None  # the stock was lost before the sale was closed: what was left then, nobody can know
    else:
        difference = initial - (left + tally.held + tally.sold + returned)
        if difference:
            faults.append(f"{abs(difference)} units are {'nowhere' if difference > 0 else 'in two places'}")
        if running and initial - left != (running.accepted or 0) - given_back:
            faults.append(f"Redis has {left} left, but took {running.accepted} and gave {given_back} back")
    if returned < 0:
        faults.append(f"Redis gave {-returned} units back that Postgres has as sold")
    elif running and returned > tally.failing:
        # A running sale gets its units back at once; those of a failed order, when its entry is settled.
        faults.append(f"{returned - tally.failing} units were taken back, and have not come back to the stock")
    oversold = tally.oversold + max(0, tally.sold + tally.held - initial)
    if oversold:
        faults.append(f"{oversold} units oversold")
    return Books(
        *key,
        open=running is not None,
        initial=initial,
        left=left,
        held=tally.held,
        sold=tally.sold,
        returned=returned,
        orders=tally.rows,
        oversold=oversold,
        lost=max(0, difference),
        duplicated=max(0, -difference),
        fault="; ".join(fault for fault in faults if fault),
    )
