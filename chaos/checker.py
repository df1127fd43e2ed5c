"""The checker: what the clients were told of a sale, against the rows that Postgres holds of it after a full drain.

The idea is the total-queue checker of Jepsen's: an acknowledged order must have come out as a row, and a row must have
been asked for. An outcome that no client saw (a cut connection, a 503) is neither: it may have counted or not, and the
same key, sent again, must tell which.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from bench.history import Outcome
from bench.jobs import UNKNOWN

OK, SOLD_OUT, NOT_READY = 200, 409, 503
NOT_SEEN = (UNKNOWN, NOT_READY)
# The states of an order that has its unit.
LIVE = ("persisted", "fulfilled")
# Cases of one kind that are named; the rest is counted.
NAMED_MAX = 3


class Row(NamedTuple):
    """One order in Postgres. Times are seconds since 1970."""

    order_id: str
    key: str
    user: str
    state: str
    accepted_at: float
    persisted_at: float


@dataclass
class Key:
    """What clients were told under one idempotency key."""

    user: str
    ids: set[str] = field(default_factory=set[str])
    # Answers that said "accepted"; a repeated request is told "ignored" instead.
    successes: int = 0
    not_seen: int = 0
    last_status: int = UNKNOWN


class Verdict(NamedTuple):
    """The figures of one sale, in orders of one unit each, and what is wrong, in sentences."""

    requests: int
    keys: int
    accepted: int
    rows: int
    # Keys that had an outcome which no client saw.
    indeterminate: int
    # Of these, the ones that had counted.
    recovered: int
    lost: int
    duplicated: int
    oversold: int
    unexpected: int
    faults: tuple[str, ...]


class _Answer(msgspec.Struct):
    status: str = ""
    orderId: str = ""


_decoder = msgspec.json.Decoder(_Answer)


def check(outcomes: Iterable[Outcome], rows: Iterable[Row], stock: int) -> Verdict:
    """Compare all outcomes of a sale of `stock` units with all its rows, one unit each."""
    outcomes, rows = sorted(outcomes, key=lambda outcome: outcome.done), list(rows)
    faults: list[str] = []
    keys = _read_keys(outcomes, faults)
    live = [row for row in rows if row.state in LIVE]
    found = {(row.order_id, row.key) for row in live}
    rows_of: dict[str, list[str]] = {}
    for row in live:
        rows_of.setdefault(row.key, []).append(row.order_id)
    told = [(order_id, name) for name, key in keys.items() for order_id in key.ids]
    lost = [order_id for order_id, name in told if (order_id, name) not in found]
    twice = [name for name, ids in rows_of.items() if len(ids) > 1]
    twice += [name for name, key in keys.items() if len(key.ids) > 1 or key.successes > 1]
    shared = len(told) - len({order_id for order_id, _ in told})
    unexpected = [row.order_id for row in live if not _is_expected(row, keys)]
    unresolved = [name for name, key in keys.items() if key.last_status in NOT_SEEN]
    oversold = max(0, len(live) - stock)
    _note(faults, "accepted, but without a row", lost)
    _note(faults, "keys that were accepted as two orders, or twice", twice)
    _note(faults, "rows that nobody asked for, or was told of when asking again", unexpected)
    _note(faults, "keys whose outcome could not be learned by asking again", unresolved)
    _note(faults, "orders that a fence of Postgres refused", [row.order_id for row in rows if row.state == "failed"])
    if shared:
        faults.append(f"{shared} order ids were given to more than one key")
    if oversold:
        faults.append(f"{oversold} rows more than the {stock} units that there were")
    return Verdict(
        requests=len(outcomes),
        keys=len(keys),
        accepted=sum(bool(key.ids) for key in keys.values()),
        rows=len(live),
        indeterminate=sum(key.not_seen > 0 for key in keys.values()),
        recovered=sum(key.not_seen > 0 and not key.successes and name in rows_of for name, key in keys.items()),
        lost=len(lost),
        duplicated=len(set(twice)) + shared,
        oversold=oversold,
        unexpected=len(unexpected),
        faults=tuple(faults),
    )


def accept_times(outcomes: Iterable[Outcome]) -> list[float]:
    """When an order was accepted in the sight of its buyer, for the first time each; seconds of `perf_counter`."""
    first: dict[str, float] = {}
    for outcome in outcomes:
        if outcome.status == OK:
            key = outcome.order.key
            first[key] = min(outcome.done, first.get(key, outcome.done))
    return sorted(first.values())


def back_after_s(moments: Iterable[float], struck: float, watched_until: float, outage_s: float) -> float:
    """The seconds from a fault to the end of the longest silence after it; 0 where none is as long as `outage_s`."""
    longest, end, before = outage_s, struck, struck
    for moment in sorted(moments):
        if struck < moment <= watched_until:
            if moment - before >= longest:
                longest, end = moment - before, moment
            before = moment
    return end - struck


def _read_keys(outcomes: list[Outcome], faults: list[str]) -> dict[str, Key]:
    keys: dict[str, Key] = {}
    odd: list[str] = []
    for outcome in outcomes:
        key = keys.setdefault(outcome.order.key, Key(outcome.order.user))
        # A look at what a request of the same key was told later says more than one that was in flight beside it.
        key.last_status = outcome.status
        if outcome.status in NOT_SEEN:
            key.not_seen += 1
        elif outcome.status == OK:
            answer = _read(outcome.body)
            if answer.status not in ("success", "ignored") or not answer.orderId:
                odd.append(f"{outcome.status} {outcome.body[:80]!r}")
                continue
            key.ids.add(answer.orderId)
            key.successes += answer.status == "success"
        elif outcome.status != SOLD_OUT:
            odd.append(f"{outcome.status} {outcome.body[:80]!r}")
    _note(faults, "answers that nobody should get here", odd)
    return keys


def _read(body: bytes) -> _Answer:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Answer()


def _is_expected(row: Row, keys: dict[str, Key]) -> bool:
    """Whether the buyer asked for it, and was not told at last that there is no such order."""
    key = keys.get(row.key)
    return key is not None and key.user == row.user and (bool(key.ids) or key.last_status in NOT_SEEN)


def _note(faults: list[str], what: str, which: list[str]) -> None:
    if which:
        faults.append(f"{what}: {len(which)}, among them {', '.join(which[:NAMED_MAX])}")
