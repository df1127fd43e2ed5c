"""What a webhook says, as the gateway hands it on after it has checked who says it."""

from typing import Annotated

import msgspec
from msgspec import Meta

G2A = "g2a"
"""Who sends webhooks."""
Visible = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
"""An identifier of another party: it stands in logs and in keys of tables, so it is short and visible."""


class Webhook(msgspec.Struct, frozen=True, rename="camel"):
    """One event of a sender. Its payload is an object, byte for byte as it was sent."""

    source: str
    event_id: Visible
    order_id: Visible
    type: Visible
    payload: msgspec.Raw


class OneEvent(msgspec.Struct, frozen=True, rename="camel"):
    """Which event is meant."""

    source: str
    event_id: Visible
