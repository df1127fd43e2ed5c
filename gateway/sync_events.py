"""GET /api/sync/events/{sync_id}: how far a sync is, told as it goes on (server-sent events).

`connected` comes first, then `sync_progress` with the whole state, and again at each change until the sync has ended.
Whoever comes back after an interruption is told the whole state too, so there is nothing to be resumed.
"""

import asyncio
import functools
import time
from collections.abc import AsyncGenerator

from contract.bus import encode
from contract.errors import NotReady, Overloaded
from gateway.amazon_replies import told
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.identity import Caller, person
from gateway.progress import OF_ONE_USER_MAX, State, TooMany, Watcher, read_state
from gateway.replying import Refused, Reply
from gateway.server_sent import HEADERS, HEARTBEAT, HEARTBEAT_S, PACE_S, come_back, event
from gateway.streaming import Streamed
from gateway.syncs import ask_for

ASK_AFTER = 4
"""Heartbeats of silence after which the worker is asked: what it published may have been lost."""
BYTES_MAX = 262_144
"""Of one stream: some 300 states. The server keeps what a client does not read; a client that does read comes back."""
LIVES_S = 900.0
"""As long as an access token by default: whoever is logged out does not watch on for ever."""


async def watch_sync(call: Call) -> Reply:
    """GET /api/sync/events/{sync_id}."""
    who, sync_id, progress = person(call), call.params["sync_id"], call.gate.progress
    try:
        watcher = await progress.watch(who.user_id, sync_id)
    except TooMany:
        message = f"You watch {OF_ONE_USER_MAX} syncs already. Close one of the streams first."
        refuse(call.request_id, 429, "TOO_MANY_STREAMS", message, retryable=True, action="retry_later")
    leave = functools.partial(progress.leave, watcher)
    try:
        # It is listened to already, so nothing that happens after this answer is missed.
        watcher.take_doubt()
        watcher.offer(await _ask(call, who, sync_id))
    except BaseException:
        await leave()
        raise
    return Streamed(200, HEADERS, b"", pieces=_pieces(call, who, watcher), leave=leave)


async def _ask(call: Call, who: Caller, sync_id: str) -> State:
    """The state as the worker knows it. Raises Refused, NotReady, Overloaded."""
    answer = await ask_for(call, "sync_status", sync_id, who)
    if answer.status != 200:
        raise Refused(told(call, answer))
    return read_state(bytes(answer.data))


async def _pieces(call: Call, who: Caller, watcher: Watcher) -> AsyncGenerator[bytes, None]:
    """The events of one stream."""
    until, size, silent = time.monotonic() + LIVES_S, 0, 0
    yield come_back() + event("connected", encode({"syncId": watcher.sync_id}))
    while time.monotonic() < until and size < BYTES_MAX:
        state = watcher.take()
        if state is not None:
            piece, silent = event("sync_progress", state.document), 0
            size += len(piece)
            yield piece
            if state.is_final:
                return
            await asyncio.sleep(PACE_S)
        elif watcher.take_doubt() or silent == ASK_AFTER:
            try:
                silent = 0
                watcher.offer(await _ask(call, who, watcher.sync_id))
            except Refused:
                return
            except (NotReady, Overloaded):
                # Once more after the next heartbeat.
                silent = ASK_AFTER - 1
        elif not await watcher.wait(HEARTBEAT_S):
            silent += 1
            yield HEARTBEAT
