"""The proof after a run: what the client saw, against what Postgres holds, against the stock that there was.

It needs nobody's word: the answers are the generator's own, the rows are Postgres's. `fluxgate reconcile` is asked
besides, because it knows what lies between the two.
"""

from collections.abc import Iterable, Mapping

import msgspec

from bench.jobs import UNKNOWN

OK = 200
# The states of an order that has its unit.
LIVE = ("persisted", "fulfilled")
# Faults of one kind that are named; the rest is counted.
NAMED_MAX = 3


class Reply(msgspec.Struct):
    """The body of a 200 answer at `/order`."""

    status: str = ""
    orderId: str = ""


class Proof(msgspec.Struct, frozen=True):
    """What the books of one sale came to, in orders of one unit each."""

    product: str
    stock: int
    requests: int
    # Orders that were accepted in the sight of the client, by their ids.
    accepted: int
    # Rows with a unit in Postgres; -1 where Postgres takes no part.
    stored: int
    # Keys whose outcome the client never learned.
    unknown: int
    oversold: int
    lost: int
    duplicated: int
    # What is wrong, in sentences; empty when the proof holds.
    faults: tuple[str, ...] = ()


DECODER = msgspec.json.Decoder(Reply)


def judge(
    product: str,
    stock: int,
    answers: Iterable[tuple[object, int, bytes]],
    stored: Mapping[str, str] | None,
    *,
    sells_out: bool = False,
) -> Proof:
    """Compare answers (key, status, body) with the stock and with the orders of Postgres (id to state).

    `stored` is None for a system that has no Postgres behind it; then only the answers are judged. `sells_out`: more
    buyers than units came, so that every unit must be sold.
    """
    ids_by_key, successes, unknown, requests, faults = _read_answers(answers)
    seen = {order_id for ids in ids_by_key.values() for order_id in ids}
    owners = sum(len(ids) for ids in ids_by_key.values())
    twice = [key for key, count in successes.items() if count > 1]
    torn = [key for key, ids in ids_by_key.items() if len(ids) > 1]
    duplicated = len({*twice, *torn}) + owners - len(seen)
    faults += _name("accepted twice under one key", twice) + _name("one key, two order ids", torn)
    if owners > len(seen):
        faults.append(f"{owners - len(seen)} order ids were given to more than one key")
    live = {order_id for order_id, state in (stored or {}).items() if state in LIVE}
    oversold = max(0, max(len(seen), len(live)) - stock)
    if oversold:
        faults.append(f"{oversold} orders more than the {stock} units that there were")
    if sells_out and len(live) < stock:
        faults.append(f"{stock - len(live)} of {stock} units were not sold, though more buyers than units came")
    lost: set[str] = set()
    if stored is not None:
        lost = seen - live
        faults += _name("accepted, but not in Postgres", sorted(lost))
        if len(live - seen) > len(unknown):
            faults.append(f"{len(live - seen)} orders in Postgres that no client was told of, {len(unknown)} unknown")
    return Proof(
        product=product,
        stock=stock,
        requests=requests,
        accepted=len(seen),
        stored=-1 if stored is None else len(live),
        unknown=len(unknown),
        oversold=oversold,
        lost=len(lost),
        duplicated=duplicated,
        faults=tuple(faults),
    )


def _read_answers(
    answers: Iterable[tuple[object, int, bytes]],
) -> tuple[dict[object, set[str]], dict[object, int], set[object], int, list[str]]:
    """Order ids by key, successes by key, keys without any known outcome, the number of answers, unreadable ones."""
    ids_by_key: dict[object, set[str]] = {}
    successes: dict[object, int] = {}
    unknown: set[object] = set()
    known: set[object] = set()
    unreadable: list[object] = []
    requests = 0
    for key, status, body in answers:
        requests += 1
        if status == UNKNOWN:
            unknown.add(key)
        if status != OK:
            continue
        try:
            reply = DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            reply = Reply()
        if reply.status not in ("success", "ignored") or not reply.orderId:
            unreadable.append(key)
            continue
        known.add(key)
        ids_by_key.setdefault(key, set()).add(reply.orderId)
        if reply.status == "success":
            successes[key] = successes.get(key, 0) + 1
    return ids_by_key, successes, unknown - known, requests, _name("an answer 200 without an order", unreadable)


def _name(what: str, which: list[object] | list[str]) -> list[str]:
    if not which:
        return []
    return [f"{what}: {len(which)}, among them {', '.join(map(str, which[:NAMED_MAX]))}"]
