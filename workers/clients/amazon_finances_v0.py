"""Amazon's finances, v0, which ends on 2027-08-27: 34 lists of events, none of which has an id.

Adjustments, refunds and their like are claims: money that Amazon gave back or took back. Shipments are sales, and lists
that nobody knows are no claims either.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from workers.clients.amazon import Account, Claim, Page, Window
from workers.clients.amazon_money import DEEP_MAX, Money, money, needed, summed
from workers.clients.amazon_reading import (
    NAME_MAX,
    bounded,
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

OPERATION: str = "listFinancialEvents"
PAGE_SIZE = 100
TYPE_MAX = 100
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
# What tells one event from another: none of these changes once it is posted.
_REFERENCES = (
    "SellerSKU",
    "FnSKU",
    "ASIN",
    "TransactionNumber",
    "OrderItemId",
    "OrderAdjustmentItemId",
    "SellerOrderId",
    "SAFETClaimId",
    "OriginalRemovalOrderId",
    "RetrochargeEventType",
    "DebtRecoveryType",
    "ReasonCode",
    "FeeReason",
    "FeeType",
    "GroupBeginDate",
    "Tail",
)


_Read = Callable[[dict[str, Any]], Money]


class _List(NamedTuple):
    """How the events of a list become claims: their type, their amount, and what says something about them."""

    type: str
    money: _Read
    description: tuple[str, ...] = ()


def _told(name: str) -> _Read:
    """Reads the amount of this name."""
    return lambda event: needed(event.get(name))


def _summed(name: str) -> _Read:
    """Reads the sum of all money in the list of this name."""
    return lambda event: summed(event.get(name))


def _liquidated(event: dict[str, Any]) -> Money:
    """What the liquidator pays, less Amazon's fee, whatever sign that is told with."""
    proceeds, fee = needed(event.get("LiquidationProceedsAmount")), money(event.get("LiquidationFeeAmount"))
    if fee is None:
        return proceeds
    less = {"CurrencyAmount": fee.amount.copy_abs().copy_negate(), "CurrencyCode": fee.currency}
    return summed(event["LiquidationProceedsAmount"], less)


LISTS: Mapping[str, _List] = {
    "AdjustmentEventList": _List("adjustment", _told("AdjustmentAmount")),
    "RefundEventList": _List("refund", summed),
    "GuaranteeClaimEventList": _List("guarantee_claim", summed),
    "ChargebackEventList": _List("chargeback", summed),
    "SAFETReimbursementEventList": _List("safet_reimbursement", _told("ReimbursedAmount"), ("ReasonCode",)),
    "ServiceFeeEventList": _List("service_fee", _summed("FeeList"), ("FeeDescription", "FeeReason")),
    "ChargeRefundEventList": _List(
        "charge_refund", _summed("ChargeRefundTransactions"), ("ReasonCodeDescription", "ReasonCode")
    ),
    "RetrochargeEventList": _List("retrocharge", summed, ("RetrochargeEventType",)),
    "FBALiquidationEventList": _List("liquidation_reimbursement", _liquidated),
    "DebtRecoveryEventList": _List("debt_recovery", _told("RecoveryAmount"), ("DebtRecoveryType",)),
}
"""The lists whose events are claims."""


def request(account: Account, window: Window, token: str) -> Request:
    """Asks for a page of what was posted in a window. It knows no marketplaces."""
    del account
    params = {"MaxResultsPerPage": str(PAGE_SIZE), **stamps(window, "PostedAfter", "PostedBefore")}
    return Request(OPERATION, "GET", "/finances/v0/financialEvents", with_token(params, "NextToken", token))


def read(data: Any) -> Page[Claim]:
    """A page, which may be empty though others follow. Raises ValueError."""
    payload = inside(data, "payload")
    events = {} if payload.get("FinancialEvents") is None else inside(payload, "FinancialEvents")
    claims: list[Claim] = []
    bad: list[str] = []
    for source in LISTS:
        try:
            entries = listed(events, source, is_optional=True)
        except ValueError as error:
            bad.append(str(error))
            continue
        found = page(entries, lambda event, source=source: _claim(source, event), "")
        claims += found.rows
        bad += [f"{source}: {reason}" for reason in found.bad]
    return Page(claims, bounded(bad), next_token(payload, "NextToken"))


def snake_case(word: str) -> str:
    """A word of Amazon's as our types have it: `FBAInventoryReimbursement` is `fba_inventory_reimbursement`."""
    return "_".join(part for part in _WORDS.split(word) if part).lower()[:TYPE_MAX]


def _claim(source: str, told: Any) -> Claim:
    if not isinstance(told, dict):
        raise ValueError("an event is no object")
    event = cast(dict[str, Any], told)
    own = LISTS[source]
    paid = own.money(event)
    is_adjustment = source == "AdjustmentEventList"
    items = listed(event, "AdjustmentItemList", is_optional=True) if is_adjustment else []
    says = [text(event, name, NAME_MAX) for name in own.description]
    says += [text(item, "ProductDescription", NAME_MAX) for item in items]
    return Claim(
        id="",
        source=source,
        reference=" ".join(sorted(_references(event))),
        type=(snake_case(text(event, "AdjustmentType") or "") if is_adjustment else "") or own.type,
        order_id=identity_or_none(event, "AmazonOrderId"),
        amount=paid.amount,
        currency=paid.currency,
        status="approved",
        description=next((said for said in says if said), None),
        posted_at=instant(event.get("PostedDate")),
    )


def _references(told: Any, deep: int = 0) -> Iterator[str]:
    """Whatever tells an event from another, from all over it. Raises ValueError."""
    if deep > DEEP_MAX:
        raise ValueError("an event is nested too deep")
    if isinstance(told, dict):
        for name, value in cast(dict[str, Any], told).items():
            if name in _REFERENCES and isinstance(value, str | int) and value != "":
                yield f"{name}={value}"
            else:
                yield from _references(value, deep + 1)
    elif isinstance(told, list):
        for value in cast(list[Any], told):
            yield from _references(value, deep + 1)
