"""News that workers publish and gateways hand to whoever watches: how far a sync is, what is new on the leaderboard."""

from typing import Any, cast

from lua.keys import PROGRESS_CHANNEL, RACES_CHANNEL
from lua.scripts import Client


async def publish_progress(client: Client, text: bytes) -> None:
    """Tell every gateway process of a sync. Who does not hear it asks."""
    await cast(Any, client).publish(PROGRESS_CHANNEL, text)


async def publish_races(client: Client, text: bytes) -> None:
    """Tell every gateway process what is new on the leaderboard. Who does not hear it asks."""
    await cast(Any, client).publish(RACES_CHANNEL, text)
