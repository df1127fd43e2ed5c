"""Rows of claims, inventory and orders for sellers, as a sync would have left them."""

import json
from decimal import Decimal
from typing import Any

from tests.support.sellers import Seller

PRINT = bytes(32)
SEEN = {"fingerprint": PRINT, "seen_pass": 1, "api": "v0"}
CLAIM = {"amount": Decimal("1.00"), "currency": "USD", "type": "Refund", **SEEN}


async def add_claims(seller: Seller, rows: list[dict[str, Any]]) -> list[str]:
    """Claims; gives their ids."""
    await _add(seller, "amazon_claims", [CLAIM | row for row in rows])
    return [row["claim_id"] for row in rows]


async def add_stock(seller: Seller, rows: list[dict[str, Any]]) -> list[str]:
    """Inventory; gives the SKUs."""
    await _add(seller, "amazon_inventory", [{"seen_pass": 1} | row for row in rows])
    return [row["sku"] for row in rows]


async def add_orders(seller: Seller, rows: list[dict[str, Any]]) -> list[str]:
    """Orders; gives their ids."""
    encoded = [row | {"items": json.dumps(row["items"])} if "items" in row else row for row in rows]
    await _add(seller, "amazon_orders", encoded)
    return [row["order_id"] for row in rows]


async def _add(seller: Seller, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        columns = {"user_id": seller.user_id, **row}
        places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        text = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
        await seller.desk.pool.execute(text, *columns.values())
