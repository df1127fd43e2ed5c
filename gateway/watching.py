"""WS /events: stock and order events as JSON messages.

`?productId=` (repeatable) narrows the events to products; `?orderId=` (repeatable) adds the events of orders whose ids
the watcher knows. Events of other people's orders come without their ids. A handshake that is refused is answered by
its status alone: the server takes no more of us there.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any
from urllib.parse import parse_qs

from contract.errors import NotReady, Overloaded
from gateway.events import Watcher
from gateway.gate import Call, Gate
from gateway.head import unsound
from gateway.replying import Reply, refusal
from gateway.rsgi import CLOSE_MESSAGE, Channel, Handshake, Scope
from lua import Read, Status

FILTERS_MAX = 100
CLOSE_WITHIN_S = 1.0
SEND_WITHIN_S = 10.0
"""How long one message may take to leave; a watcher that reads nothing for longer is dropped."""
TOO_SLOW = '{"type":"closed","msg":"Too slow for the events. Connect again."}'
"""The last message to a watcher that has fallen behind."""
_NO_UPGRADE = refusal(
    426,
    "This route speaks WebSocket: connect to it with a WebSocket client.",
    ("upgrade", "websocket"),
    ("connection", "upgrade"),
)


async def refuse_plain(_call: Call) -> Reply:
    """GET /events without an upgrade."""
    return _NO_UPGRADE


async def watch_events(gate: Gate, scope: Scope, handshake: Handshake) -> None:
    """Serve one watcher until it leaves or falls too far behind."""
    query = parse_qs(scope.query_string)
    watcher = Watcher(query.get("productId", ()), query.get("orderId", ()))
    status = await _deny(gate, scope, watcher)
    if status:
        handshake.close(status)
        return
    try:
        await gate.events.watch(watcher)
        with contextlib.suppress(RuntimeError):  # it left in the handshake
            await _serve(watcher, await handshake.accept())
    finally:
        await gate.events.unwatch(watcher)
        handshake.close()


async def may_watch(gate: Gate, scope: Scope) -> int:
    """0, or the status of the refusal for whoever may not watch now: a client that asks too often, or while Redis is
    away."""
    try:
        answer = await gate.lanes.all[0].admission.read(Read("", "", gate.visitors.address(scope)))
    except (NotReady, Overloaded):
        return 503
    return 429 if answer.status == Status.THROTTLED else 0


async def converse(channel: Channel, *works: Coroutine[Any, Any, Any]) -> None:
    """Do all of this until any of it ends, or the watcher leaves."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work) for work in (_listen(channel), *works)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def send(channel: Channel, text: str) -> None:
    """Send a message. Raises TimeoutError when it does not leave within SEND_WITHIN_S, RuntimeError when the watcher
    has left."""
    async with asyncio.timeout(SEND_WITHIN_S):
        await channel.send_str(text)


async def _deny(gate: Gate, scope: Scope, watcher: Watcher) -> int:
    """The status for a watcher that cannot be served now, or 0."""
    unfit = unsound(scope, scope.headers)
    if unfit is not None:
        return unfit.status
    if scope.path != "/events":
        return 404
    if len(watcher.products) + len(watcher.orders) > FILTERS_MAX:
        return 400
    return 503 if gate.events.is_full else await may_watch(gate, scope)


async def _serve(watcher: Watcher, channel: Channel) -> None:
    """Send and listen until the watcher leaves, reads nothing for too long, or falls too far behind."""
    await converse(channel, _send(watcher, channel), watcher.too_slow.wait())
    if watcher.too_slow.is_set():
        # One that reads a little is told why; one that reads nothing cannot be.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await channel.send_str(TOO_SLOW)


async def _send(watcher: Watcher, channel: Channel) -> None:
    while True:
        await send(channel, (await watcher.next()).decode())


async def _listen(channel: Channel) -> None:
    """Notice when a watcher leaves. Nothing is expected from it; what it sends is dropped."""
    while (await channel.receive()).kind != CLOSE_MESSAGE:
        pass
