"""One subscription of a gateway process while anybody wants to hear: begun, taken up again when it breaks, ended."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import RedisError

import lua
from contract.telemetry import get_logger

AGAIN_FIRST_S = 0.1
AGAIN_MAX_S = 5.0
"""Pauses before a broken subscription is taken up again; each is twice the one before it."""


def _nothing() -> None:
    pass


class Subscription:
    """Messages of channels, given to `hear`. `began` is called whenever the subscription stands, the first time too:
    what was published before that moment, nobody has heard. `client` may wait long for what it reads."""

    def __init__(
        self,
        client: lua.Client,
        channels: Sequence[str],
        hear: Callable[[bytes], None],
        began: Callable[[], None] = _nothing,
    ) -> None:
        self._client: Any = client
        self._channels = channels
        self._hear = hear
        self._began = began
        self._listening: asyncio.Task[None] | None = None
        self._stands = asyncio.Event()

    async def begin(self) -> None:
        """Begin to listen, if that has not begun. Returns once the subscription stands."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        await self._stands.wait()

    async def end(self) -> None:
        """Listen no longer."""
        listening, self._listening = self._listening, None
        self._stands.clear()
        if listening is not None:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def _listen(self) -> None:
        own, pause_s = self._listening, AGAIN_FIRST_S
        # The library may take the cancellation for an interruption: then this ends the listening.
        while own is self._listening:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=False) as pubsub:
                    await pubsub.subscribe(*self._channels)
                    async for message in pubsub.listen():
                        if message["type"] == "subscribe" and message["data"] == len(self._channels):
                            pause_s = AGAIN_FIRST_S
                            self._stands.set()
                            self._began()
                        elif message["type"] == "message":
                            self._hear(message["data"])
            except (RedisError, OSError) as error:
                get_logger().warning("a subscription is interrupted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause_s)
            pause_s = min(AGAIN_MAX_S, 2 * pause_s)
