"""A stream that one process reads for itself: whatever comes is handed to it, and an interruption only delays it."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from contract.telemetry import get_logger

READ_AT_ONCE = 1_000
BLOCK_MS = 1_000
REREAD_PAUSE_S = 0.5


class Mailbox:
    """The mailbox of one process, with a name that no other has. `take` is given the fields of every entry."""

    def __init__(self, listener: Redis, prefix: str, take: Callable[[Mapping[bytes, bytes]], None]) -> None:
        self.name = prefix + secrets.token_hex(8)
        self._listener = cast(Any, listener)
        self._take = take
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> None:
        """Begin to read, if that has not begun."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Stop reading."""
        # The library may take the cancellation for an interruption: then this ends the reading.
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    async def _read(self) -> None:
        last: bytes | str = "0-0"
        while not self._closed:
            try:
                found: list[Any] | None = await self._listener.xread(
                    {self.name: last}, count=READ_AT_ONCE, block=BLOCK_MS
                )
            except (RedisError, OSError) as error:
                get_logger().warning("a mailbox is interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(REREAD_PAUSE_S)
                continue
            for _, entries in found or []:
                for entry_id, fields in entries:
                    last = entry_id
                    self._take(fields)
