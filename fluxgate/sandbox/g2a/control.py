"""What can be told to misbehave, and its limits: the documents of `/sandbox/control` and `/sandbox/webhooks`."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fluxgate.sandbox.faults import FAULTS_MAX, Count, Fault, Text

# Of the list in one document. What is set for products is remembered until a reset, so it has a limit of its own.
PRODUCTS_MAX = 1_000
OWN_PRODUCTS_MAX = 10_000
MOVES_MAX = 1_000
HOUR_S = 3600.0

Seconds = Annotated[float, Meta(ge=0, le=HOUR_S)]
Cents = Annotated[int, Meta(ge=0, le=100_000_000_000)]
Broken = Literal[
    "", "no_id", "no_name", "no_price", "price_text", "price_negative", "quantity_text", "categories_text", "empty"
]
"""How a product can be unreadable; "" is not at all."""


class Manner(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How a webhook is sent."""

    sign: Literal["right", "old", "wrong", "malformed", "missing", "altered"] = "right"
    # Of its deliveries, which are all of the same event; at once, or one after the other.
    times: Annotated[int, Meta(ge=1, le=100)] = 1
    at_once: bool = False
    # Before it is sent; and how much older (or, below 0, younger) than that its timestamp is.
    delay_s: Seconds = 0.0
    age_s: Annotated[float, Meta(ge=-HOUR_S * 24, le=HOUR_S * 24)] = 0.0
    timestamp_as: Literal["s", "ms"] = "s"
    timestamp_is_text: bool = True
    # Signature, number used once and timestamp in headers and not in the body; for the scheme of the contract.
    in_headers: bool = False


class Product(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is set for one product."""

    id: Text
    quantity: Count | UnsetType | None = UNSET
    price_cents: Cents | UnsetType | None = UNSET
    is_removed: bool | UnsetType = UNSET
    broken: Broken | UnsetType = UNSET


class ProductChanges(msgspec.Struct, kw_only=True):
    """What a control document sets for single products."""

    products: Annotated[list[Product], Meta(max_length=PRODUCTS_MAX)] = []


class Control(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the sandbox behaves."""

    # Of every answer.
    latency_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    faults: Annotated[list[Fault], Meta(max_length=FAULTS_MAX)] = []
    # More requests in any 60 s get 429; null: no limit.
    rate_per_minute: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    # inline: an order is completed at once. webhook: after `delay_s`, and then a webhook is sent. quiet: the same
    # without a webhook. never: it stays pending.
    completion: Literal["inline", "webhook", "quiet", "never"] = "webhook"
    delay_s: Seconds = 1.0
    # How many keys an order gets at most; null: as many as were ordered.
    deliver_keys: Annotated[int, Meta(ge=0, le=100)] | None = None
    # How many of the next orders fail when they would be completed.
    fail_orders: Count = 0
    webhooks: Manner = Manner()
    wallet_cents: Cents = 100_000_000
    # Products of the catalogue, and the day that it has come to; days do not go back.
    size: Count = 0
    day: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class Webhook(Manner, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A webhook to send by hand: the document of `POST /sandbox/webhooks`."""

    order_id: Text
    type: Text = "order.completed"
    # The payload's status, where no payload is given.
    status: Text = "completed"
    payload: Any = None
    # Empty: one of its own.
    event_id: Text = ""
