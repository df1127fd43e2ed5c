"""Writes a page of Amazon: claims, inventory, orders, in the transaction of its step, each page at once.

What a table does not take is not made to fit: texts are cut to their columns, and a row whose money or numbers are
beyond them is counted as one that cannot be read.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from contract.bus import encode
from contract.settings import Settings
from sql import Connection
from workers.amazon_documents import QUERIES
from workers.clients.amazon import Claim, Order, Stock

NAME_MAX = 255
"""Characters of ids of claims, orders and SKUs."""
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
MOCK_SCENARIO = "sandbox"
_MONEY_END = Decimal(10) ** 15
_EXPONENT_LEAST = -20
_INTEGER_END = 2**31
Row = TypeVar("Row")


class Whose(NamedTuple):
    """Whose rows these are, which pass has met them, and whether Amazon is its sandbox."""

    user_id: str
    number: int
    is_mock: bool

    @property
    def scenario(self) -> str | None:
        """What stands for the sandbox in a row."""
        return MOCK_SCENARIO if self.is_mock else None


def whose(settings: Settings, user_id: str, number: int) -> Whose:
    """Whose rows a pass of this number meets under these settings."""
    return Whose(user_id, number, settings.is_amazon_sandboxed)


async def write_claims(connection: Connection, own: Whose, page: Sequence[Claim]) -> int:
    """Write claims; gives how many of them no table takes."""
    fit = [claim for claim in page if _is_money(claim.amount) and len(claim.id) <= NAME_MAX]
    prints = [fingerprint(claim) for claim in fit]
    alike = await connection.fetch(QUERIES["count_alike"], own.user_id, own.number, list(set(prints)))
    ids = claim_ids(fit, prints, {row["fingerprint"]: row["seen"] for row in alike})
    by_id = {own_id: (claim, mark) for own_id, claim, mark in zip(ids, fit, prints, strict=True)}
    rows = [
        (
            own_id,
            _cut(claim.order_id, NAME_MAX),
            claim.amount,
            _cut(claim.currency, 10),
            claim.status,
            _cut(claim.type, 100),
            _cut(claim.description, 2000),
            claim.posted_at,
            mark,
        )
        for own_id, (claim, mark) in sorted(by_id.items())
    ]
    await _put(connection, "put_claims", own.user_id, rows, own.number, own.is_mock, own.scenario)
    return len(page) - len(fit)


async def write_inventory(connection: Connection, own: Whose, page: Sequence[Stock]) -> int:
    """Write the inventory; gives how many of its rows no table takes."""
    fit = [one for one in page if 0 < len(one.sku) <= NAME_MAX and _are_integers(one[4:8])]
    by_sku = {clean(one.sku): one for one in fit}
    rows = [
        (
            sku,
            _cut(one.asin, 255),
            _cut(one.fnsku, 255),
            _cut(one.name, 500),
            *one[4:8],
            _cut(one.condition, 50),
        )
        for sku, one in sorted(by_sku.items())
    ]
    await _put(connection, "put_inventory", own.user_id, rows, own.number, own.is_mock, own.scenario)
    return len(page) - len(fit)


async def write_orders(connection: Connection, own: Whose, page: Sequence[Order]) -> int:
    """Write orders; gives how many of them no table takes."""
    fit = [
        one
        for one in page
        if 0 < len(one.order_id) <= 64
        and (one.total is None or _is_money(one.total))
        and _are_integers((one.items_shipped, one.items_unshipped))
    ]
    by_id = {clean(one.order_id): one for one in sorted(fit, key=_changed)}
    rows = [
        (
            order_id,
            one.purchased_at,
            one.updated_at,
            _cut(one.status, 50),
            _cut(one.channel, 50),
            _cut(one.marketplace_id, 32),
            one.total,
            _cut(one.currency, 10),
            one.items_shipped,
            one.items_unshipped,
            None if one.items is None else documents(one.items),
        )
        for order_id, one in sorted(by_id.items())
    ]
    await _put(connection, "put_orders", own.user_id, rows, own.is_mock, own.scenario)
    return len(page) - len(fit)


def fingerprint(claim: Claim) -> bytes:
    """What a claim says; claims that are alike in all of it are told apart by their number alone."""
    posted = claim.posted_at.isoformat() if claim.posted_at else ""
    amount = f"{claim.amount.normalize():f}"
    said = (claim.id, claim.source, claim.reference, claim.order_id or "", posted, amount, claim.currency)
    return hashlib.sha256(encode(said)).digest()


def claim_ids(claims: Sequence[Claim], prints: Sequence[bytes], seen: Mapping[bytes, int]) -> list[str]:
    """The ids of the claims of a page: Amazon's own, or one made of the fingerprint and of how many of the same have
    come before in this pass. `seen` counts those of earlier pages."""
    before = Counter(seen)
    ids: list[str] = []
    for claim, mark in zip(claims, prints, strict=True):
        number, before[mark] = before[mark], before[mark] + 1
        made = hashlib.sha256(mark + number.to_bytes(8, "big")).hexdigest()
        ids.append(clean(claim.id) or f"{_prefix(claim.type)}-{made}")
    return ids


def documents(items: Sequence[dict[str, Any]]) -> str:
    """Items as JSON that Postgres takes."""
    return clean(encode(items).decode().replace("\\u0000", ""))


def clean(text: str) -> str:
    """A text without what Postgres takes in none."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _prefix(kind: str) -> str:
    return next((prefix for word, prefix in PREFIXES if word in kind), OTHER_PREFIX)


async def _put(connection: Connection, query: str, user_id: str, rows: Sequence[tuple[Any, ...]], *more: Any) -> None:
    if rows:
        await connection.execute(QUERIES[query], user_id, *map(list, zip(*rows, strict=True)), *more)


def _cut(text: str | None, characters: int) -> str | None:
    return None if text is None else clean(text)[:characters]


def _is_money(amount: Decimal) -> bool:
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and abs(amount) < _MONEY_END and exponent >= _EXPONENT_LEAST


def _are_integers(numbers: Iterable[int | None]) -> bool:
    return all(number is None or -_INTEGER_END <= number < _INTEGER_END for number in numbers)


def _changed(order: Order) -> float:
    return order.updated_at.timestamp() if order.updated_at else 0.0
