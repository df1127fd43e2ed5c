"""What can be told to misbehave, and its limits: the documents of `/sandbox/control` and `/sandbox/advance`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fluxgate.sandbox.faults import FAULTS_MAX, Count, Fault, Text

SELLER = "A1SANDBOXSELLER"
"""The seller that consents where nobody else was named, and whose account the refresh token of the settings opens."""
SELLERS_MAX = 1_000
# Rows that differ from what is computed, of one seller.
CHANGES_MAX = 100_000
DAY_S = 86_400

Operation = Literal[
    "listFinancialEvents",
    "listTransactions",
    "getInventorySummaries",
    "getOrders",
    "getOrder",
    "getOrderItems",
    "searchOrders",
    "getOrder2026",
]
SellerId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,64}$")]
Few = Annotated[int, Meta(ge=0, le=10_000)]


class Rate(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So many requests at once, and then so many in a second."""

    per_s: Annotated[float, Meta(gt=0, le=10_000)]
    burst: Annotated[int, Meta(ge=1, le=10_000)]


class Control(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the sandbox behaves."""

    # Of every answer.
    latency_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    faults: Annotated[list[Fault], Meta(max_length=FAULTS_MAX)] = []
    # Which seller says yes or no on the page of consent.
    seller: SellerId = SELLER
    consent: Literal["given", "denied"] = "given"
    # How much every seller has; to change one of them makes all data anew.
    events: Count = 37
    sales: Count = 40
    skus: Count = 150
    orders: Count = 250
    # How long an access token is good.
    expires_in_s: Annotated[int, Meta(ge=1, le=86_400)] = 3600
    # Whether each use of a refresh token gives another, and ends the old one.
    rotates: bool = False
    # Sellers who have taken back what they had allowed.
    revoked: Annotated[list[SellerId], Meta(max_length=SELLERS_MAX)] = []
    # Operations whose role the application has not.
    denied: list[Operation] = []
    # Where a refusal says what is wrong with a token.
    denial_text_in: Literal["details", "message"] = "details"
    # How much faster than Amazon's the rates are; single ones can be set, before that.
    rate_scale: Annotated[float, Meta(gt=0, le=100_000)] = 1.0
    rates: dict[Operation, Rate] = {}
    rate_header: Literal["present", "missing", "junk"] = "present"
    # Rows of a page at most; Amazon gives 100, and of the inventory 50.
    page_max: Annotated[int, Meta(ge=1, le=100)] = 100
    # Pages without rows, but with a token, after each page that has another one behind it.
    empty_pages: Annotated[int, Meta(ge=0, le=100)] = 0
    # What stands on the last page where others have a token.
    last_page: Literal["absent", "empty", "null"] = "absent"
    # After so many tokens the first one comes again; 0: never.
    loop: Annotated[int, Meta(ge=0, le=100)] = 0
    # Rows of a page that come again on the next.
    duplicates: Annotated[int, Meta(ge=0, le=99)] = 0
    # Rows that come while somebody reads, at each page but the first.
    insert_while_paging: Annotated[int, Meta(ge=0, le=100)] = 0
    # How long the token of a page is good: for the inventory, and for all others.
    inventory_token_s: Annotated[float, Meta(ge=0, le=DAY_S)] = 30.0
    page_token_s: Annotated[float, Meta(ge=0, le=DAY_S)] = DAY_S
    # Whether a token is good only once, so that a page cannot be asked for again.
    is_token_single: bool = False
    # Values, members and lists that are in no model of Amazon's.
    is_unknown: bool = False
    # Texts that are longer than anybody expects, or hold letters that not everybody can keep.
    is_ugly: bool = False
    # Letters without meaning in every page.
    padding: Annotated[int, Meta(ge=0, le=20_000_000)] = 0


class Advance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How the data of a seller move on: the document of `POST /sandbox/advance`."""

    seller: SellerId = SELLER
    # The newest orders change, and get the next status that they can have.
    orders_changed: Few = 0
    orders_new: Few = 0
    # Events of now, and of some days ago, of which nobody was told then.
    events_new: Few = 0
    events_late: Few = 0
    late_days: Annotated[int, Meta(ge=1, le=700)] = 2
    # The first SKUs vanish, the last ones get other quantities, others come.
    skus_gone: Few = 0
    skus_changed: Few = 0
    skus_new: Few = 0
    # How long ago it happened: Amazon tells nothing of the last two minutes.
    age_s: Annotated[int, Meta(ge=0, le=365 * DAY_S)] = 125


class Expiry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What becomes of all access tokens that were given out so far: the document of `POST /sandbox/expire`."""

    how: Literal["expired", "revoked"] = "expired"


class Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is read of the query of `/sandbox/books`."""

    seller: SellerId = SELLER
    part: Literal["claims", "inventory", "orders", "items"] = "claims"
    order: Text = ""
