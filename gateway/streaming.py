"""Replies that come piece by piece, for as long as there is something to tell and somebody to hear it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

from contract.telemetry import get_logger
from gateway.replying import Reply
from gateway.rsgi import Exchange, Header, Transport


class Streamed(Reply, frozen=True, kw_only=True):
    """A reply of pieces. `leave` is awaited once it is over, however it ends, and also if it never begins.

    The server keeps whatever a client does not read, so whoever makes the pieces bounds them.
    """

    pieces: AsyncGenerator[bytes, None]
    leave: Callable[[], Awaitable[None]]


async def stream(exchange: Exchange, reply: Streamed, headers: Sequence[Header], stopping: asyncio.Event) -> None:
    """Send a reply until its pieces end, its client leaves, or this process stops."""
    try:
        sending = asyncio.create_task(_send(reply.pieces, exchange.response_stream(reply.status, headers)))
        tasks: list[asyncio.Task[Any]] = [
            sending,
            asyncio.create_task(_over(exchange)),
            asyncio.create_task(stopping.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not sending.cancelled() and (bug := sending.exception()) is not None:
            get_logger().error("a stream ends by a bug", exc_info=bug)
    finally:
        await reply.leave()


async def _send(pieces: AsyncGenerator[bytes, None], transport: Transport) -> None:
    # Nobody else holds the transport: it is let go when this ends, and that ends the reply.
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            try:
                await transport.send_bytes(piece)
            except RuntimeError:
                return


async def _over(exchange: Exchange) -> None:
    await exchange.client_disconnect()
