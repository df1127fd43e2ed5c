"""What is true now: people, and the sums and the first of every period, for proofs."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any

from fluxgate.sandbox.goated.clock import Clock, Moment
from fluxgate.sandbox.goated.control import PERIODS
from fluxgate.sandbox.goated.leaderboard import Row, Told
from fluxgate.sandbox.goated.when import instant

DIGITS_MAX = 700
"""Digits of a sum: a double has 308 before the point at most, and as many behind it."""


def document(told: Told, clock: Clock, first: int, limit: int, top: int) -> dict[str, Any]:
    """The books: sums are exact, of the amounts as they are told; `rows` are of everybody, in the order of the list.

    The entries that the control has put before the others are not in them.
    """
    moment = clock.moment(told.at)
    sums: dict[str, str] = {}
    active: dict[str, int] = {}
    tops: dict[str, list[dict[str, Any]]] = {}
    for number, period in enumerate(PERIODS):
        held = [row for row in told.rows if row.amounts[number]]
        sums[period] = _sum(row.amounts[number] for row in held)
        active[period] = len(held)
        held.sort(key=lambda row: (-row.amounts[number], row.person.uid))
        tops[period] = [
            {"uid": row.person.uid, "name": row.person.name, "wagered": repr(row.amounts[number])} for row in held[:top]
        ]
    return {
        "at": instant(told.at),
        "begun": _begun(moment),
        "people": len(told.rows),
        "active": active,
        "sums": sums,
        "top": tops,
        "odd": told.odd,
        "bytes": len(told.body),
        "etag": told.etag,
        "rows": [_row(row) for row in told.rows[first : first + limit]],
    }


def _sum(amounts: Iterable[float]) -> str:
    with localcontext(prec=DIGITS_MAX):
        return f"{sum((Decimal(repr(amount)) for amount in amounts), Decimal(0)):f}"


def _begun(moment: Moment) -> dict[str, str]:
    """When the counters have begun."""
    return {period: instant(at) for period, at in zip(PERIODS[:3], moment[1:], strict=True)}


def _row(row: Row) -> dict[str, Any]:
    wagered = {period: repr(amount) for period, amount in zip(PERIODS, row.amounts, strict=True)}
    return {"uid": row.person.uid, "name": row.person.name, "wagered": wagered}
