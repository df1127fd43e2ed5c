"""Where the race stands, told as it changes: GET /api/wager-races/events (server-sent events), WebSocket /ws/races.

Both tell the same messages: `{"type":"race","version":n,...}`, first where the race stands now, and then each change.
Whoever comes back says which version he heard last, and is told nothing before there is another one: the header
Last-Event-ID, which browsers send by themselves, or `?since=`. A handshake that is refused is answered by its status
alone.
"""

import asyncio
import contextlib
import functools
import random
import re
import time
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs

from contract.bus import BusCommand, new_command_id
from contract.errors import NotReady, Overloaded
from gateway.cached_reads import NotFilled, fill_from
from gateway.caching import Cache
from gateway.envelope import enveloped, refuse
from gateway.gate import Call, Gate
from gateway.goated import DAY_S, WORKER
from gateway.head import unsound
from gateway.newest import Newest
from gateway.race_news import Ask, State
from gateway.replies import Replies
from gateway.replying import Reply
from gateway.rsgi import Channel, Handshake, Scope
from gateway.server_sent import HEADERS, HEARTBEAT, HEARTBEAT_S, PACE_S, come_back, event
from gateway.streaming import Streamed
from gateway.watching import converse, may_watch, send

WEBSOCKET_AT = "/ws/races"
FRESH_S = 1.0
NAME = "race:news"
BYTES_MAX = 32_768
"""Of one stream: some 20 states, which are 100 minutes. The server keeps what a client does not read; a client that
does read comes back, and has missed nothing."""
LIVES_S = (600.0, 900.0)
"""How long one stream goes on, from and to: a client that reads nothing is not kept for ever, and those that came in
one crowd do not come back in one."""
ALIVE = '{"type":"alive"}'
"""What a WebSocket is told when there has been nothing to tell for HEARTBEAT_S."""
_VERSION = re.compile(r"[0-9]{1,18}")


def asking(replies: Replies, cache: Cache, within_s: float) -> Ask:
    """What asks where the race stands. It raises NotFilled where the worker refuses, NotReady where nobody answers."""
    fill = fill_from(replies, WORKER, lambda: BusCommand(id=new_command_id(), kind="read_news"), within_s)

    async def ask() -> tuple[bytes, int]:
        try:
            return await cache.read(NAME, fill, fresh_s=FRESH_S, stale_s=DAY_S)
        except TimeoutError:
            raise NotReady(f"the worker {WORKER} does not answer") from None

    return ask


async def stream_race(call: Call) -> Reply:
    """GET /api/wager-races/events."""
    news = call.gate.race_news
    status = await may_watch(call.gate, call.scope)
    if status == 503:
        raise NotReady
    if status:
        message = "You connect too often. Come back later."
        refuse(call.request_id, status, "TOO_MANY_REQUESTS", message, retryable=True, action="retry_later")
    try:
        watcher = await news.watch(_version(call.headers.get("last-event-id") or ""))
    except NotFilled as refused:
        return enveloped(call.request_id, refused.answer)
    return Streamed(200, HEADERS, b"", pieces=_pieces(watcher), leave=functools.partial(news.leave, watcher))


async def watch_race(gate: Gate, scope: Scope, handshake: Handshake) -> None:
    """Serve one WebSocket until it leaves, takes nothing for too long, or this process stops."""
    unfit, news = unsound(scope, scope.headers), gate.race_news
    status = unfit.status if unfit is not None else await may_watch(gate, scope)
    if status:
        handshake.close(status)
        return
    try:
        watcher = await news.watch(_version(parse_qs(scope.query_string).get("since", [""])[-1]))
    except NotFilled as refused:
        handshake.close(refused.answer.status)
        return
    except (NotReady, Overloaded):
        handshake.close(503)
        return
    try:
        with contextlib.suppress(RuntimeError):  # it left in the handshake
            channel = await handshake.accept()
            await converse(channel, _send(watcher, channel), gate.stopping.wait())
    finally:
        await news.leave(watcher)
        handshake.close()


async def _pieces(watcher: Newest[State]) -> AsyncGenerator[bytes, None]:
    """The events of one stream."""
    until, size = time.monotonic() + random.uniform(*LIVES_S), 0
    yield come_back() + HEARTBEAT
    while time.monotonic() < until and size < BYTES_MAX:
        state = watcher.take()
        if state is not None:
            piece = event("race", state.message, state.version)
            size += len(piece)
            yield piece
            await asyncio.sleep(PACE_S)
        elif not await watcher.wait(HEARTBEAT_S):
            yield HEARTBEAT


async def _send(watcher: Newest[State], channel: Channel) -> None:
    """The messages of one WebSocket."""
    while True:
        state = watcher.take()
        if state is not None:
            await send(channel, state.message.decode())
            await asyncio.sleep(PACE_S)
        elif not await watcher.wait(HEARTBEAT_S):
            await send(channel, ALIVE)


def _version(text: str) -> int | None:
    """The version that somebody has heard last; None for what is none, as for whoever comes for the first time."""
    return int(text) if _VERSION.fullmatch(text) else None
