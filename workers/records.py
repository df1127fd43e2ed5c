"""From a row of Postgres to the record that Redis keeps of an order."""

from collections.abc import Mapping
from typing import Any

from contract.messages import Order, Record, encode_record


def row_record(row: Mapping[str, Any]) -> bytes:
    """The record of a row with the columns of the queries find_orders and find_originals."""
    order = Order(row["product_id"], row["user_id"], row["quantity"], row["idempotency_key"])
    return encode_record(Record(row["state"], str(row["order_id"]), row["accepted_us"], row["epoch"], order))
