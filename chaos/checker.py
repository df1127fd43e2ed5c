"""The checker: what the clients were told of a sale, against the rows that Postgres holds of it after a full drain.

The idea is the total-queue checker of Jepsen's: an acknowledged order must have come out as a row, and a row must have
been asked for. An outcome that no client saw (a cut connection, a 503) is neither: it may have counted or not, and the
same key, sent again, must tell which. The same holds for cancellations.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from bench.history import Answer, Outcome
from bench.jobs import UNKNOWN

OK, SOLD_OUT, NOT_READY = 200, 409, 503
NOT_SEEN = (UNKNOWN, NOT_READY)
# The states of an order that has its unit.
LIVE = ("persisted", "fulfilled")
CANCELLED = "cancelled"
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


class Cancelling(NamedTuple):
    """A buyer's wish to give an order back, and every answer to it."""

    order_id: str
    answers: list[Answer]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one sale, in orders of one unit each, and what is wrong, in sentences."""

    requests: int
    keys: int
    accepted: int
    # Orders whose buyers were told that they are cancelled.
    cancelled: int
    # Rows that have their unit.
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


class Said(msgspec.Struct):
    """What the body of an answer says, as far as it is read."""

    status: str = ""
    orderId: str = ""


_decoder = msgspec.json.Decoder(Said)


def check(
    outcomes: Iterable[Outcome], rows: Iterable[Row], stock: int, cancellings: Iterable[Cancelling] = ()
) -> Verdict:
    """Compare all outcomes of a sale of `stock` units with all its rows, one unit each."""
    outcomes, rows = sorted(outcomes, key=lambda outcome: outcome.done), list(rows)
    cancellings = list(cancellings)
    faults: list[str] = []
    keys = _read_keys(outcomes, faults)
    cancelled, perhaps = _read_cancellings(cancellings, faults)
    live = [row for row in rows if row.state in LIVE]
    states = {(row.order_id, row.key): row.state for row in rows}
    told = [(order_id, name) for name, key in keys.items() for order_id in key.ids]
    lost = [at[0] for at in told if states.get(at, "") not in _sound_states(at[0], cancelled, perhaps)]
    of_key, of_buyer = _ids_by(live, "key"), _ids_by(live, "user")
    twice = {row.user for row in live if len(of_key[row.key]) > 1 or len(of_buyer[row.user]) > 1}
    twice |= {key.user for key in keys.values() if len(key.ids) > 1 or key.successes > 1}
    shared = len(told) - len({order_id for order_id, _ in told})
    unexpected = [row.order_id for row in live if not _is_expected(row, keys)]
    unasked = {row.order_id for row in rows if row.state == CANCELLED} - cancelled - perhaps
    unexpected += sorted(unasked)
    unresolved = [name for name, key in keys.items() if key.last_status in NOT_SEEN]
    oversold = max(0, len(live) - stock)
    _note(faults, "accepted, but without a row that says so, or cancelled, but with its unit", lost)
    _note(faults, "buyers that were accepted as two orders, or twice", sorted(twice))
    _note(faults, "rows that nobody asked for, or was told of when asking again", unexpected)
    _note(faults, "keys whose outcome could not be learned by asking again", unresolved)
    _note(faults, "cancellations whose outcome could not be learned by asking again", sorted(perhaps))
    _note(faults, "orders that a fence of Postgres refused", [row.order_id for row in rows if row.state == "failed"])
    if shared:
        faults.append(f"{shared} order ids were given to more than one key")
    if oversold:
        faults.append(f"{oversold} rows more than the {stock} units that there were")
    return Verdict(
        requests=len(outcomes) + sum(len(wish.answers) for wish in cancellings),
        keys=len(keys),
        accepted=sum(bool(key.ids) for key in keys.values()),
        cancelled=len(cancelled),
        rows=len(live),
        indeterminate=sum(key.not_seen > 0 for key in keys.values()),
        recovered=sum(key.not_seen > 0 and not key.successes and name in of_key for name, key in keys.items()),
        lost=len(lost),
        duplicated=len(twice) + shared,
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


def read_body(body: bytes) -> Said:
    """The body of an answer; empty fields where it is none of ours."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Said()


class Outage(NamedTuple):
    """What a fault cost in time: the longest silence in seconds, and when the last was over; 0 where there was none."""

    longest_s: float
    over_at: float


def outage(moments: Iterable[float], struck: float, watched_until: float, silence_s: float) -> Outage:
    """The silences of at least `silence_s` between a fault and the end of the watch."""
    longest_s, over_at, before = 0.0, 0.0, struck
    for moment in sorted(moments):
        if struck < moment <= watched_until:
            if moment - before >= silence_s:
                longest_s, over_at = max(longest_s, moment - before), moment
            before = moment
    return Outage(longest_s, over_at)


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
            answer = read_body(outcome.body)
            if answer.status not in ("success", "ignored") or not answer.orderId:
                odd.append(f"{outcome.status} {outcome.body[:80]!r}")
                continue
            key.ids.add(answer.orderId)
            key.successes += answer.status == "success"
        elif outcome.status != SOLD_OUT:
            odd.append(f"{outcome.status} {outcome.body[:80]!r}")
    _note(faults, "answers that nobody should get here", odd)
    return keys


def _read_cancellings(cancellings: Iterable[Cancelling], faults: list[str]) -> tuple[set[str], set[str]]:
    """The orders whose cancellation was confirmed, and those of which nobody knows."""
    cancelled: set[str] = set()
    perhaps: set[str] = set()
    odd: list[str] = []
    for order_id, answers in cancellings:
        statuses = {answer.status for answer in answers}
        if OK in statuses:
            cancelled.add(order_id)
        elif statuses & {UNKNOWN, NOT_READY}:
            perhaps.add(order_id)
        odd += [f"{answer.status} {answer.body[:80]!r}" for answer in answers if answer.status not in (OK, *NOT_SEEN)]
    _note(faults, "answers to a cancellation that nobody should get here", odd)
    return cancelled, perhaps - cancelled


def _sound_states(order_id: str, cancelled: set[str], perhaps: set[str]) -> tuple[str, ...]:
    """What the row of an accepted order may say, after what its buyer was told."""
    if order_id in cancelled:
        return (CANCELLED,)
    return (*LIVE, CANCELLED) if order_id in perhaps else LIVE


def _ids_by(rows: list[Row], name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row.order_id)
    return found


def _is_expected(row: Row, keys: dict[str, Key]) -> bool:
    """Whether the buyer asked for it, and was not told at last that there is no such order."""
    key = keys.get(row.key)
    return key is not None and key.user == row.user and (bool(key.ids) or key.last_status in NOT_SEEN)


def _note(faults: list[str], what: str, which: list[str]) -> None:
    if which:
        faults.append(f"{what}: {len(which)}, among them {', '.join(which[:NAMED_MAX])}")
