"""Claims in Amazon's finances, in both versions: which events are some, and what becomes of each."""

import datetime
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from tests.support.amazon_documents import examples, spoilt
from workers.clients import amazon_finances_2024, amazon_finances_v0
from workers.clients.amazon import Claim, Page
from workers.clients.amazon_finances_v0 import LISTS, snake_case
from workers.clients.http import read_json

POSTED = "2026-10-31T12:00:00Z"
NOON = datetime.datetime(2026, 10, 31, 12, tzinfo=datetime.UTC)


def usd(amount: Any) -> dict[str, Any]:
    return {"CurrencyCode": "USD", "CurrencyAmount": amount}


def v0(**lists: Any) -> Page[Claim]:
    """A page of finances v0 with these lists."""
    document = {"payload": {"FinancialEvents": lists}}
    return amazon_finances_v0.read(read_json(json.dumps(document).encode()))


REFUND = {
    "AmazonOrderId": "123-1234567-1234567",
    "PostedDate": POSTED,
    "ShipmentItemAdjustmentList": [
        {
            "SellerSKU": "SKU-1",
            "OrderAdjustmentItemId": "9",
            "ItemChargeAdjustmentList": [
                {"ChargeType": "Principal", "ChargeAmount": usd(-20)},
                {"ChargeType": "Tax", "ChargeAmount": usd(-1.65)},
            ],
            "ItemFeeAdjustmentList": [{"FeeType": "RefundCommission", "FeeAmount": usd(2.4)}],
            "ItemTaxWithheldList": [{"TaxesWithheld": [{"ChargeType": "Tax", "ChargeAmount": usd(1.65)}]}],
            "PromotionAdjustmentList": [{"PromotionId": "p", "PromotionAmount": usd(1)}],
        }
    ],
}
EVENTS: dict[str, tuple[dict[str, Any], str, str, str | None, str | None]] = {
    "AdjustmentEventList": (
        {
            "AdjustmentType": "FBAInventoryReimbursement",
            "PostedDate": POSTED,
            "AdjustmentAmount": usd(12.5),
            "AdjustmentItemList": [{"TotalAmount": usd(12.5), "SellerSKU": "SKU-1", "ProductDescription": "A lamp"}],
        },
        "fba_inventory_reimbursement",
        "12.5",
        None,
        "A lamp",
    ),
    "RefundEventList": (REFUND, "refund", "-16.60", "123-1234567-1234567", None),
    "GuaranteeClaimEventList": (REFUND, "guarantee_claim", "-16.60", "123-1234567-1234567", None),
    "ChargebackEventList": (REFUND, "chargeback", "-16.60", "123-1234567-1234567", None),
    "SAFETReimbursementEventList": (
        {"PostedDate": POSTED, "SAFETClaimId": "S1", "ReimbursedAmount": usd(7), "ReasonCode": "LOST"},
        "safet_reimbursement",
        "7",
        None,
        "LOST",
    ),
    "ServiceFeeEventList": (
        {"PostedDate": POSTED, "FeeReason": "Storage", "FeeList": [{"FeeAmount": usd(-3)}, {"FeeAmount": usd(-1.5)}]},
        "service_fee",
        "-4.5",
        None,
        "Storage",
    ),
    "ChargeRefundEventList": (
        {"PostedDate": POSTED, "ReasonCode": "Fix", "ChargeRefundTransactions": [{"ChargeAmount": usd(39.99)}]},
        "charge_refund",
        "39.99",
        None,
        "Fix",
    ),
    "RetrochargeEventList": (
        {
            "PostedDate": POSTED,
            "RetrochargeEventType": "RetrochargeReversal",
            "AmazonOrderId": "1",
            "BaseTax": usd(1),
            "ShippingTax": usd(0.1),
        },
        "retrocharge",
        "1.1",
        "1",
        "RetrochargeReversal",
    ),
    "FBALiquidationEventList": (
        {"PostedDate": POSTED, "LiquidationProceedsAmount": usd(10), "LiquidationFeeAmount": usd(-2.5)},
        "liquidation_reimbursement",
        "7.5",
        None,
        None,
    ),
    "DebtRecoveryEventList": (
        {"PostedDate": POSTED, "DebtRecoveryType": "DebtPayment", "RecoveryAmount": usd(-8)},
        "debt_recovery",
        "-8",
        None,
        "DebtPayment",
    ),
}


@pytest.mark.parametrize("source", sorted(LISTS))
def test_an_event_of_each_list_becomes_one_claim(source: str) -> None:
    event, kind, amount, order_id, description = EVENTS[source]
    page = v0(**{source: [event]})
    (claim,) = page.rows
    assert page.bad == []
    assert (claim.id, claim.source, claim.status, claim.currency) == ("", source, "approved", "USD")
    assert (claim.type, claim.amount, claim.order_id) == (kind, Decimal(amount), order_id)
    assert (claim.description, claim.posted_at) == (description, NOON)


def test_what_is_sold_and_what_nobody_knows_is_no_claim() -> None:
    page = v0(ShipmentEventList=[REFUND], ShipmentSettleEventList=[REFUND], FutureEventList=[{"x": 1}], Other={"a": 1})
    assert (page.rows, page.bad) == ([], [])


def test_a_fee_of_a_liquidation_is_taken_off_whatever_sign_it_has() -> None:
    events = [{"LiquidationProceedsAmount": usd(10), "LiquidationFeeAmount": usd(fee)} for fee in (2.5, -2.5)]
    page = v0(FBALiquidationEventList=[*events, {"LiquidationProceedsAmount": usd(10)}])
    assert [claim.amount for claim in page.rows] == [Decimal("7.5"), Decimal("7.5"), Decimal(10)]


def test_what_tells_events_apart_does_not_depend_on_the_order_of_their_items() -> None:
    items = [{"SellerSKU": sku, "TransactionNumber": number} for sku, number in (("b", "1"), ("a", "2"))]
    events = [
        {"AdjustmentType": "PostageRefund", "AdjustmentAmount": usd(1), "AdjustmentItemList": order}
        for order in (items, items[::-1], items[:1])
    ]
    references = [claim.reference for claim in v0(AdjustmentEventList=events).rows]
    assert references[0] == references[1] == "SellerSKU=a SellerSKU=b TransactionNumber=1 TransactionNumber=2"
    assert references[2] == "SellerSKU=b TransactionNumber=1"


def test_an_event_that_cannot_be_read_takes_no_other_with_it() -> None:
    events: list[Any] = [
        REFUND,
        None,
        "text",
        {"AmazonOrderId": "1"},
        {"AmazonOrderId": "1", "A": usd(1), "B": {"CurrencyCode": "EUR", "CurrencyAmount": 1}},
        {"AmazonOrderId": "x" * 300, "A": usd(1)},
        {"AmazonOrderId": "1", "A": usd(1e15)},
        {"AmazonOrderId": "1", "A": usd("many")},
        REFUND,
    ]
    page = v0(RefundEventList=events, ChargebackEventList={"no": "list"}, GuaranteeClaimEventList=[REFUND])
    assert [claim.type for claim in page.rows] == ["refund", "refund", "guarantee_claim"]
    assert page.bad == [
        "RefundEventList: an event is no object",
        "RefundEventList: an event is no object",
        "RefundEventList: an event names no amount",
        "RefundEventList: an event has amounts in more than one currency: EUR, USD",
        "RefundEventList: an entry has a AmazonOrderId of more than 255 characters",
        "RefundEventList: an amount is too high to be one",
        "RefundEventList: an amount is no number",
        "ChargebackEventList is no list",
    ]


@pytest.mark.parametrize("payload", [{}, {"FinancialEvents": {}}, {"FinancialEvents": None}, {"NextToken": None}])
def test_a_page_of_finances_may_be_empty(payload: dict[str, Any]) -> None:
    assert amazon_finances_v0.read({"payload": payload}) == Page([], [], "")
    assert amazon_finances_2024.read({"payload": payload}) == Page([], [], "")


@pytest.mark.parametrize(
    ("word", "snake"),
    [
        ("FBAInventoryReimbursement", "fba_inventory_reimbursement"),
        ("WAREHOUSE_LOST", "warehouse_lost"),
        ("CanceledButPickedUpReimbursement", "canceled_but_picked_up_reimbursement"),
        ("SAFE-T Reimbursement", "safe_t_reimbursement"),
        ("ReserveEvent", "reserve_event"),
        ("Ärger über 2Dinge", "rger_ber_2_dinge"),
        ("___", ""),
        ("x" * 200, "x" * 100),
    ],
)
def test_words_of_amazon_become_types_of_ours(word: str, snake: str) -> None:
    assert snake_case(word) == snake


def test_an_adjustment_without_a_type_is_one_all_the_same() -> None:
    page = v0(AdjustmentEventList=[{"AdjustmentType": said, "AdjustmentAmount": usd(1)} for said in ("", "!", None, 5)])
    assert [claim.type for claim in page.rows] == ["adjustment"] * 4


def transaction(**changes: Any) -> dict[str, Any]:
    return {
        "transactionId": "t-1",
        "transactionType": "Refund",
        "transactionStatus": "RELEASED",
        "postedDate": POSTED,
        "totalAmount": {"currencyCode": "USD", "currencyAmount": -5},
        "relatedIdentifiers": [
            {"relatedIdentifierName": "REFUND_ID", "relatedIdentifierValue": "r"},
            {"relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": "123"},
        ],
        "description": "Refund Order",
    } | changes


def test_a_transaction_is_a_claim_with_an_id_of_amazons() -> None:
    page = amazon_finances_2024.read({"payload": {"transactions": [transaction()], "nextToken": "n"}})
    assert page.next_token == "n"
    assert page.rows == [
        Claim(
            id="t-1",
            source="transactions",
            reference="ORDER_ID=123 REFUND_ID=r",
            type="refund",
            order_id="123",
            amount=Decimal(-5),
            currency="USD",
            status="approved",
            description="Refund Order",
            posted_at=NOON,
        )
    ]


@pytest.mark.parametrize(
    ("said", "status"),
    [("Released", "approved"), ("DEFERRED_RELEASED", "approved"), ("DEFERRED", "pending"), ("PONDERED", "pending")],
)
def test_a_transaction_that_is_not_paid_out_is_pending(said: str, status: str) -> None:
    page = amazon_finances_2024.read({"payload": {"transactions": [transaction(transactionStatus=said)]}})
    assert [claim.status for claim in page.rows] == [status]


def test_sales_are_no_claims_and_bad_transactions_take_no_other_with_them() -> None:
    transactions = [
        transaction(transactionType="Shipment"),
        transaction(transactionType="Transfer"),
        transaction(transactionType="ProductAdsPayment"),
        transaction(transactionType=None),
        transaction(transactionId=None),
        transaction(totalAmount=None),
        transaction(relatedIdentifiers={}),
        7,
        transaction(transactionType="FBALiquidation", relatedIdentifiers=None),
    ]
    page = amazon_finances_2024.read({"payload": {"transactions": transactions}})
    assert [(claim.id, claim.type) for claim in page.rows] == [("", "refund"), ("t-1", "liquidation_reimbursement")]
    assert page.bad == ["an event names no amount", "relatedIdentifiers is no list", "a transaction is no object"]


def test_amazons_own_example_of_events_holds_no_claim_and_a_token() -> None:
    (example,) = examples("financesV0.json", "/finances/v0/financialEvents")
    assert amazon_finances_v0.read(example) == Page([], [], "Next token value")


@pytest.mark.slow
@given(spoilt(REFUND), spoilt(EVENTS["AdjustmentEventList"][0]))
def test_whatever_an_event_is_it_is_read_or_told_and_its_neighbour_is_there(refund: Any, adjustment: Any) -> None:
    lists = {"RefundEventList": [refund, REFUND], "AdjustmentEventList": [adjustment]}
    page = amazon_finances_v0.read({"payload": {"FinancialEvents": lists}})
    assert len(page.rows) + len(page.bad) == 3
    assert [claim for claim in page.rows if claim.type == "refund" and claim.amount == Decimal("-16.60")] or page.bad
