"""Amazon's finances, 2024-06-19: one list of transactions, each with an id."""

import re
from typing import Any, Literal

from workers.clients.amazon import Account, Claim, Page, Window
from workers.clients.amazon_finances_v0 import snake_case
from workers.clients.amazon_money import needed
from workers.clients.amazon_reading import (
    NAME_MAX,
    document,
    identity_or_none,
    inside,
    instant,
    listed,
    next_token,
    page,
    stamps,
    text,
    with_token,
)
from workers.clients.http import Request

OPERATION: str = "listTransactions"
SOURCE = "transactions"
# Amazon's document names one type only, Shipment, which is a sale. These words are in the names of the events of v0.
_CLAIMS = re.compile(
    r"refund|adjustment|reimburse|clawback|chargeback|retrocharge|guarantee|safe_?t|service_?fee|liquidat|debt"
)
_TYPES = {
    "liquidation": "liquidation_reimbursement",
    "liquidations": "liquidation_reimbursement",
    "fba_liquidation": "liquidation_reimbursement",
    "service_fees": "service_fee",
    "safe_t_reimbursement": "safet_reimbursement",
}
"""What the same is called when it comes from v0."""
STATUSES: dict[str, Literal["approved", "pending"]] = {
    "RELEASED": "approved",
    "DEFERRED_RELEASED": "approved",
    "DEFERRED": "pending",
}
"""What the states of a transaction mean; with any other one it is still open."""


def request(account: Account, window: Window, token: str) -> Request:
    """Asks for a page of what was posted in a window. To name a marketplace would leave out orders of sellers who send
    them themselves."""
    del account
    params = stamps(window, "postedAfter", "postedBefore")
    return Request(OPERATION, "GET", "/finances/2024-06-19/transactions", with_token(params, "nextToken", token))


def read(data: Any) -> Page[Claim]:
    """A page, which may be empty though others follow. Raises ValueError."""
    payload = inside(data, "payload")
    entries = listed(payload, "transactions", is_optional=True)
    return page([entry for entry in entries if _is_claim(entry)], _claim, next_token(payload, "nextToken"))


def _is_claim(entry: Any) -> bool:
    """Whether a transaction is a claim. What is no object at all cannot be read, and is told as such."""
    if not isinstance(entry, dict):
        return True
    return _CLAIMS.search(snake_case(text(entry, "transactionType") or "")) is not None


def _claim(entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise ValueError("a transaction is no object")
    paid = needed(document(entry).get("totalAmount"), "currencyAmount", "currencyCode")
    kind = snake_case(text(entry, "transactionType") or "")
    status = (text(entry, "transactionStatus") or "").upper()
    related = listed(entry, "relatedIdentifiers", is_optional=True)
    named = sorted(
        (text(one, "relatedIdentifierName") or "", text(one, "relatedIdentifierValue") or "") for one in related
    )
    orders = [one for one in related if document(one).get("relatedIdentifierName") == "ORDER_ID"]
    return Claim(
        id=identity_or_none(entry, "transactionId") or "",
        source=SOURCE,
        reference=" ".join(f"{name}={value}" for name, value in named if value),
        type=_TYPES.get(kind, kind),
        order_id=identity_or_none(orders[0], "relatedIdentifierValue") if orders else None,
        amount=paid.amount,
        currency=paid.currency,
        status=STATUSES.get(status, "pending"),
        description=text(entry, "description", NAME_MAX),
        posted_at=instant(document(entry).get("postedDate")),
    )
