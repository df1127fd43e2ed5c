"""What gateway and workers share of the syncs with Amazon: bodies of commands, filters, and their limits."""

import datetime
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PAGE_MAX = 100
"""Rows of one page of a list."""
PAGE_DEFAULT = 50
OFFSET_MAX = 10_000
SYNC_ID_MAX = 255
CALLBACK_AT = "/api/v1/integrations/amazon/auth/callback"
"""The path that Amazon's page of consent sends a seller back to."""
STATE = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 random bytes in base64url, without padding."""
CODE = re.compile(r"[!-~]{1,1024}")
SELLER_ID = re.compile(r"[A-Za-z0-9]{1,64}")
SyncId = Annotated[str, Meta(min_length=1, max_length=SYNC_ID_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
"""What is compared with texts of Postgres, which hold no zero."""
Cursor = Annotated[str, Meta(min_length=1, max_length=1536, pattern=r"^[A-Za-z0-9_-]+$")]
"""It holds the longest of keys, whatever its letters."""
Instant = Annotated[datetime.datetime, Meta(tz=True)]
Limit = Annotated[int, Meta(ge=1, le=PAGE_MAX)]


class BeginConsent(msgspec.Struct, frozen=True):
    """A seller sets out for Amazon's page; `digest` is the SHA-256 of the state that he comes back with, in hex."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class FinishConsent(msgspec.Struct, frozen=True):
    """A seller is back, with a code that is worth a refresh token. It comes sealed."""

    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    code: Annotated[str, Meta(pattern=rf"^{CODE.pattern}$")]
    seller_id: Annotated[str, Meta(pattern=rf"^{SELLER_ID.pattern}$")]
    # Where Amazon has sent him back to: it lets nobody else use the code.
    redirect_uri: Annotated[str, Meta(min_length=1, max_length=2048)]


class OneSync(msgspec.Struct, frozen=True):
    """A sync by its id; the newest one where it is empty."""

    sync_id: Annotated[str, Meta(max_length=SYNC_ID_MAX)] = ""


class SyncPage(msgspec.Struct, frozen=True):
    """A page of the history, the newest first."""

    limit: Limit = 20
    offset: Annotated[int, Meta(ge=0, le=OFFSET_MAX)] = 0


class ClaimFilter(msgspec.Struct, frozen=True, rename="camel"):
    """Which claims, as it stands in a URL and in a command; `cursor` is that of the page before."""

    limit: Limit = PAGE_DEFAULT
    cursor: Cursor | None = None
    type: Text | None = None
    status: Literal["approved", "pending", "denied"] | None = None
    order_id: Text | None = None
    after: Instant | None = None
    before: Instant | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for times that UTC has not."""
        _check_instants(self.after, self.before)


class InventoryFilter(msgspec.Struct, frozen=True, rename="camel"):
    """Which SKUs."""

    limit: Limit = PAGE_DEFAULT
    cursor: Cursor | None = None
    sku: Text | None = None
    asin: Text | None = None
    in_stock: bool | None = None


class OrderFilter(msgspec.Struct, frozen=True, rename="camel"):
    """Which orders."""

    limit: Limit = PAGE_DEFAULT
    cursor: Cursor | None = None
    status: Text | None = None
    channel: Text | None = None
    after: Instant | None = None
    before: Instant | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for times that UTC has not."""
        _check_instants(self.after, self.before)


def _check_instants(*instants: datetime.datetime | None) -> None:
    try:
        for instant in instants:
            if instant is not None:
                instant.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("after and before lie in the years 1 to 9999 of UTC") from None
