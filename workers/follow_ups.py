"""Commands that follow from an order: always with the same id, so that however often one is told, it is done once."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

import msgspec

from contract.bus import BusCommand, encode


def follow_up(
    order_id: UUID, kind: str, user_id: str, more: Mapping[str, Any] | None = None, *, cause: BusCommand | None = None
) -> BusCommand:
    """The command of this kind for an order of this user. `more` goes into its body; `cause` is what it follows from,
    whose request it belongs to."""
    return BusCommand(
        id=str(uuid5(order_id, kind)),
        kind=kind,
        body=msgspec.Raw(encode({"orderId": str(order_id), **(more or {})})),
        user_id=user_id,
        request_id=cause.request_id if cause else "",
        trace=cause.trace if cause else "",
    )
