"""WS /events: stock and order events as JSON messages.

`?productId=` (repeatable) narrows the events to products; `?orderId=` (repeatable) adds the events of orders whose ids
the watcher knows. Events of other people's orders come without their ids.
"""

import asyncio
import contextlib
from typing import Any

from starlette.websockets import WebSocket

from contract.errors import NotReady, Overloaded
from gateway.events import Watcher
from gateway.gate import Call, Gate, send_denial
from gateway.head import Head, read_head
from gateway.replying import NO_STORE, Reply, not_ready, overloaded, refusal, retry_after
from lua import Read, Status

FILTERS_MAX = 100
TRY_AGAIN_LATER = 1013
CLOSE_WITHIN_S = 1.0
SEND_WITHIN_S = 10.0
"""How long one message may take to leave; a watcher that reads nothing for longer is dropped."""
_NO_UPGRADE = refusal(
    426,
    "This route speaks WebSocket: connect to it with a WebSocket client.",
    (b"upgrade", b"websocket"),
    (b"connection", b"upgrade"),
)
_TOO_MANY_FILTERS = refusal(400, f"At most {FILTERS_MAX} products and orders may be named.")


async def refuse_plain(_call: Call) -> Reply:
    """GET /events without an upgrade."""
    return _NO_UPGRADE


async def watch_events(gate: Gate, socket: WebSocket) -> None:
    """Serve one watcher until it leaves or falls too far behind."""
    head = read_head(socket.scope)
    watcher = Watcher(socket.query_params.getlist("productId"), socket.query_params.getlist("orderId"))
    denial = head.refused or await _deny(gate, socket, head, watcher)
    if denial is not None:
        await send_denial(denial, head.request_id, socket.send)
        return
    try:
        await gate.events.watch(watcher)
        await socket.accept()
        await _serve(watcher, socket)
    finally:
        await gate.events.unwatch(watcher)


async def _deny(gate: Gate, socket: WebSocket, head: Head, watcher: Watcher) -> Reply | None:
    """The reply to a watcher that cannot be served now, or None."""
    if len(watcher.products) + len(watcher.orders) > FILTERS_MAX:
        return _TOO_MANY_FILTERS
    if gate.events.is_full:
        return overloaded()
    try:
        answer = await gate.admission.read(Read("", "", gate.visitors.address(socket.scope, head)))
    except NotReady:
        return not_ready()
    except Overloaded:
        return overloaded()
    if answer.status == Status.THROTTLED:
        return refusal(429, "The sale is crowded. Come back later.", retry_after(answer.detail / 1e6), NO_STORE)
    return None


async def _serve(watcher: Watcher, socket: WebSocket) -> None:
    """Send and listen until the watcher leaves, reads nothing for too long, or falls too far behind."""
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(_send(watcher, socket)),
        asyncio.create_task(_listen(socket)),
        asyncio.create_task(watcher.too_slow.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if watcher.too_slow.is_set():
        # One that reads a little is told why; one that reads nothing cannot be.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await socket.close(TRY_AGAIN_LATER, "Too slow for the events.")


async def _send(watcher: Watcher, socket: WebSocket) -> None:
    while True:
        news = (await watcher.next()).decode()
        async with asyncio.timeout(SEND_WITHIN_S):
            await socket.send_text(news)


async def _listen(socket: WebSocket) -> None:
    """Notice when a watcher leaves. Nothing is expected from it; what it sends is dropped."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
