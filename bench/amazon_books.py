"""The proof of a sync with Amazon: what stands in Postgres, held against the books of Amazon's sandbox.

The books say what happened; what that is as a claim, an item of the inventory or an order of ours is said here once
more, apart from the client that was at work.
"""

import asyncio
import datetime
import http.client
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec

from bench.books import queries
from bench.loopback import LOOPBACK

SELLER = "A1SANDBOXSELLER"
ANSWER_WITHIN_S = 60.0
# Of rows that are missing, and of rows that are too many: the rest is only counted.
SHOWN = 3
TYPES = {
    "RefundEventList": "refund",
    "GuaranteeClaimEventList": "guarantee_claim",
    "ChargebackEventList": "chargeback",
    "SAFETReimbursementEventList": "safet_reimbursement",
    "ServiceFeeEventList": "service_fee",
    "ChargeRefundEventList": "charge_refund",
    "RetrochargeEventList": "retrocharge",
    "FBALiquidationEventList": "liquidation_reimbursement",
}
ADJUSTMENTS = {
    "FBAInventoryReimbursement": "fba_inventory_reimbursement",
    "LostOrDamagedReimbursement": "lost_or_damaged_reimbursement",
    "CanceledButPickedUpReimbursement": "canceled_but_picked_up_reimbursement",
    "PostageRefund": "postage_refund",
    "ReimbursementClawback": "reimbursement_clawback",
    "PostageBilling": "postage_billing",
    "ReserveEvent": "reserve_event",
    "SellerRewards": "seller_rewards",
    "WAREHOUSE_LOST": "warehouse_lost",
    "SomethingNew": "something_new",
}
CHANNELS = {"AFN": "FBA", "MFN": "FBM"}
Row = dict[str, Any]
_items = msgspec.json.Decoder(list[Row], float_hook=Decimal)


async def differences(pool: Any, user_id: str, port: int) -> dict[str, str]:
    """What a user has otherwise than the books of the sandbox at this port; by what it is, and empty if nothing is."""
    found: dict[str, str] = {}
    for part, expected in (("claims", _claim), ("inventory", _stock), ("orders", _order)):
        there = Counter(map(expected, await asyncio.to_thread(read_books, port, part)))
        here = Counter(tuple(row) for row in await pool.fetch(queries()[f"amazon_{part}"], user_id))
        found |= _told(part, there, here)
    there, here = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    for row in await pool.fetch(queries()["amazon_items"], user_id):
        there.update(map(_item, await asyncio.to_thread(read_books, port, "items", row["order_id"])))
        here.update(_kept(row["order_id"], _items.decode(row["items"])))
    return found | _told("items", there, here)


def read_books(port: int, part: str, order_id: str = "") -> list[Row]:
    """What the sandbox has of a part, of one order where one is named."""
    rows: list[Row] = []
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_WITHIN_S)
    try:
        while True:
            query = urlencode({"seller": SELLER, "part": part, "order": order_id, "offset": len(rows)})
            connection.request("GET", f"/sandbox/books?{query}")
            answer = connection.getresponse()
            page = msgspec.json.decode(answer.read())
            if answer.status != 200:
                raise ValueError(f"The sandbox says nothing of its {part}: {answer.status} {page}")
            rows += page["rows"]
            if len(rows) >= page["total"]:
                return rows
    finally:
        connection.close()


def _told(part: str, there: Counter[Any], here: Counter[Any]) -> dict[str, str]:
    named = {f"{part} that are missing": there - here, f"{part} that are too many": here - there}
    return {name: f"{rows.total()}, such as {list(rows)[:SHOWN]}" for name, rows in named.items() if rows}


def _claim(row: Row) -> tuple[Any, ...]:
    kind = row["list"]
    return (
        TYPES[kind] if kind in TYPES else ADJUSTMENTS[row["reason"]],
        # Of some kinds v0 tells neither order nor date.
        row["order_id_v0"],
        Decimal(row["amount"]),
        row["currency"],
        row["posted_at_v0"] and _instant(row["posted_at_v0"]),
    )


def _stock(row: Row) -> tuple[Any, ...]:
    told = (row[name] or None for name in ("asin", "fnsku", "name"))
    counts = (row[name] for name in ("available", "reserved", "inbound", "total"))
    return row["sku"], *told, *counts, row["condition"] or None


def _order(row: Row) -> tuple[Any, ...]:
    times = _instant(row["purchased_at"]), _instant(row["updated_at"])
    sent = CHANNELS[row["channel"]]
    return (
        row["order_id"],
        *times,
        row["status"],
        sent,
        _decimal(row["total"]),
        row["currency"],
        row["shipped"],
        row["unshipped"],
    )


def _item(row: Row) -> tuple[Any, ...]:
    about = (row[name] for name in ("order_id", "item_id", "asin", "sku", "title", "ordered", "shipped"))
    return *about, _decimal(row["price"]), row["currency"]


def _kept(order_id: str, items: Iterable[Row]) -> list[tuple[Any, ...]]:
    names = ("orderItemId", "asin", "sku", "title", "quantityOrdered", "quantityShipped")
    return [(order_id, *(item[name] for name in names), _decimal(item["price"]), item["currency"]) for item in items]


def _decimal(told: Any) -> Decimal | None:
    return None if told is None else Decimal(told)


def _instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
