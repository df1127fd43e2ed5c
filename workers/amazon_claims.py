"""Writes a page of claims, and tells one claim from another: most of Amazon's events have no id.

Those that tell when they were posted are alike only within one window of time, and there they are counted. Of those
without a date, nobody could say whether one of today is another one than one of last month that is alike. So what was
posted since the last sync is read by itself, as new; and what is read again stands for what is known of that time.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from contract.bus import encode
from sql import Connection
from workers.amazon_documents import QUERIES
from workers.amazon_rows import NAME_MAX, Whose, clean, cut, is_money, put
from workers.clients.amazon import Claim

PREFIXES = (
    ("clawback", "CLB"),
    ("reimbursement", "RMB"),
    ("guarantee", "GTC"),
    ("chargeback", "CHB"),
    ("refund", "RFD"),
    ("fee", "FEE"),
)
"""What the id of a claim begins with that has none of Amazon's, by the first of these words that its type has."""
OTHER_PREFIX = "EVT"


class Reading(NamedTuple):
    """Which window is read. `name` is the same whenever this window is read until its sync goes well; `again_since` is
    where a window begins that an earlier sync has read, None for one that is new."""

    name: str
    again_since: datetime | None


async def write_claims(connection: Connection, own: Whose, reading: Reading, page: Sequence[Claim]) -> int:
    """Write claims; gives how many of them no table takes."""
    fit = [claim for claim in page if is_money(claim.amount) and len(claim.id) <= NAME_MAX]
    prints = [fingerprint(claim) for claim in fit]
    alike = await connection.fetch(QUERIES["count_alike"], own.user_id, own.number, list(set(prints)))
    known = await _known(connection, own, reading, fit, prints)
    ids = claim_ids(reading.name, fit, prints, {row["fingerprint"]: row["seen"] for row in alike}, known)
    by_id = {own_id: (claim, mark) for own_id, claim, mark in zip(ids, fit, prints, strict=True)}
    rows = [
        (
            own_id,
            cut(claim.order_id, NAME_MAX),
            claim.amount,
            cut(claim.currency, 10),
            claim.status,
            cut(claim.type, 100),
            cut(claim.description, 2000),
            claim.posted_at,
            mark,
        )
        for own_id, (claim, mark) in sorted(by_id.items())
    ]
    of = (own.number, own.is_mock, own.scenario, own.finances_api)
    await put(connection, "put_claims", own.user_id, rows, *of)
    return len(page) - len(fit)


def fingerprint(claim: Claim) -> bytes:
    """What a claim says, but for how it is described."""
    posted = claim.posted_at.isoformat() if claim.posted_at else ""
    amount = f"{claim.amount.normalize():f}"
    said = (claim.id, claim.source, claim.reference, claim.order_id or "", posted, amount, claim.currency)
    return hashlib.sha256(encode(said)).digest()


def claim_ids(
    window: str,
    claims: Sequence[Claim],
    prints: Sequence[bytes],
    seen: Mapping[bytes, int],
    known: Mapping[bytes, Sequence[str]],
) -> list[str]:
    """The ids of the claims of a page: Amazon's own, or one made of what a claim says and of how many that say the same
    have come before in this pass. `seen` counts those of earlier pages; `known` are claims without a date that this
    pass may meet again."""
    before, left = Counter(seen), {mark: list(ids) for mark, ids in known.items()}
    ids: list[str] = []
    for claim, mark in zip(claims, prints, strict=True):
        number, before[mark] = before[mark], before[mark] + 1
        if claim.id:
            ids.append(clean(claim.id))
        elif claim.posted_at is None and left.get(mark):
            ids.append(left[mark].pop(0))
        else:
            where = "" if claim.posted_at else window
            made = hashlib.sha256(mark + where.encode() + number.to_bytes(8, "big")).hexdigest()
            ids.append(f"{_prefix(claim.type)}-{made}")
    return ids


async def _known(
    connection: Connection, own: Whose, reading: Reading, claims: Sequence[Claim], prints: Sequence[bytes]
) -> dict[bytes, list[str]]:
    """Claims without a date that this pass has not met yet, of those that a window may show again."""
    undated = {mark for claim, mark in zip(claims, prints, strict=True) if not claim.id and claim.posted_at is None}
    if reading.again_since is None or not undated:
        return {}
    known: dict[bytes, list[str]] = {}
    asked = (own.user_id, list(undated), own.number, reading.again_since)
    for row in await connection.fetch(QUERIES["find_undated"], *asked):
        known.setdefault(row["fingerprint"], []).append(row["claim_id"])
    return known


def _prefix(kind: str) -> str:
    return next((prefix for word, prefix in PREFIXES if word in kind), OTHER_PREFIX)
