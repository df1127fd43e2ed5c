"""Atomic decisions inside Redis: the scripts, the key space, and the only Python that names a key or calls a script."""

from lua.admit import Answer, Limits, Order, Read, Status, Verdict, admit
from lua.keys import GROUP_OF_ORDERS, LaneKeys, lane_of
from lua.sales import (
    CancelStatus,
    Figures,
    SaleBooks,
    Snapshot,
    cancel,
    open_sale,
    publish_proof,
    read_figures,
    read_proof,
    read_stock,
    shared_secret,
    snapshot,
)
from lua.scripts import Client
from lua.settling import (
    CANCELLED,
    FAILED,
    FAILED_WITHOUT_UNITS,
    PERSISTED,
    Dead,
    Outcome,
    replay_dead,
    settle,
)

__all__ = [
    "CANCELLED",
    "FAILED",
    "FAILED_WITHOUT_UNITS",
    "GROUP_OF_ORDERS",
    "PERSISTED",
    "Answer",
    "CancelStatus",
    "Client",
    "Dead",
    "Figures",
    "LaneKeys",
    "Limits",
    "Order",
    "Outcome",
    "Read",
    "SaleBooks",
    "Snapshot",
    "Status",
    "Verdict",
    "admit",
    "cancel",
    "lane_of",
    "open_sale",
    "publish_proof",
    "read_figures",
    "read_proof",
    "read_stock",
    "replay_dead",
    "settle",
    "shared_secret",
    "snapshot",
]
