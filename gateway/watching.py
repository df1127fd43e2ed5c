"""WS /events: stock and order events as JSON messages.

`?productId=` (repeatable) narrows the events to products; `?orderId=` (repeatable) adds the events of orders whose ids
the watcher knows. Events of other people's orders come without their ids.
"""

import asyncio
import contextlib

from starlette.websockets import WebSocket, WebSocketDisconnect

from contract.errors import FluxGateError
from gateway.events import TooSlow, Watcher
from gateway.gate import Gate
from gateway.head import read_head
from lua import Read, Status

FILTERS_MAX = 100
TRY_AGAIN_LATER = 1013
POLICY_VIOLATION = 1008


async def watch_events(gate: Gate, socket: WebSocket) -> None:
    """Serve one watcher until it leaves or falls too far behind."""
    products = socket.query_params.getlist("productId")
    orders = socket.query_params.getlist("orderId")
    if len(products) + len(orders) > FILTERS_MAX:
        await socket.close(POLICY_VIOLATION, f"At most {FILTERS_MAX} products and orders may be named.")
        return
    if not await _has_token(gate, socket):
        await socket.close(TRY_AGAIN_LATER, "The sale is crowded. Come back later.")
        return
    watcher = Watcher(products, orders)
    if not await gate.events.watch(watcher):
        await socket.close(TRY_AGAIN_LATER, "Too many watch already. Come back later.")
        return
    await socket.accept()
    sending = asyncio.create_task(_send(watcher, socket))
    try:
        # Nothing is expected from a watcher; what it sends is dropped, and its leaving is noticed.
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
    except KeyError:
        pass  # a binary message: dropped like any other, and the watcher with it
    finally:
        sending.cancel()
        await gate.events.unwatch(watcher)
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sending


async def _send(watcher: Watcher, socket: WebSocket) -> None:
    try:
        while True:
            await socket.send_text((await watcher.next()).decode())
    except TooSlow:
        await socket.close(TRY_AGAIN_LATER, "Too slow for the events.")


async def _has_token(gate: Gate, socket: WebSocket) -> bool:
    client = gate.visitors.address(socket.scope, read_head({"http_version": "1.1", **socket.scope}))
    try:
        answer = await gate.admission.read(Read("", "", client))
    except FluxGateError:
        return False
    return answer.status == Status.FOUND
