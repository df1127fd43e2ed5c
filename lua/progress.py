"""News of syncs on one channel: workers publish how far a sync is, gateways hand it to whoever watches."""

from typing import Any, cast

from lua.keys import PROGRESS_CHANNEL
from lua.scripts import Client


async def publish_progress(client: Client, text: bytes) -> None:
    """Tell every gateway process of a sync. Who does not hear it asks."""
    await cast(Any, client).publish(PROGRESS_CHANNEL, text)
