"""What every route of one gateway process shares, and the frame that its handlers run in."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import lua
from contract.errors import NotReady, Overloaded
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Asker, Line
from gateway.admission import Admission
from gateway.body import CLOSE, Disconnected
from gateway.events import Events
from gateway.head import Head, read_head
from gateway.metrics import Meter
from gateway.negotiation import prefers_json
from gateway.patience import Patience
from gateway.replying import NO_STORE, Header, Reply, not_ready, overloaded, refusal, retry_after
from gateway.room import Pacer, Shelf
from gateway.visitors import Visitors

URL_LENGTH_MAX = 2048
_CUT_SHORT = refusal(400, "The body ended before it was whole, or its chunks are malformed. Nothing was taken.", CLOSE)


@dataclass(frozen=True)
class Gate:
    """The parts of one gateway process."""

    settings: Settings
    redis: lua.Client
    line: Line | lua.Client
    admission: Admission
    events: Events
    meter: Meter
    visitors: Visitors
    asker: Asker
    patience: Patience
    pacer: Pacer
    shelf: Shelf
    redirect: Reply


class Call(NamedTuple):
    """One request to a handler: its head, its ASGI scope, and the way to its body."""

    gate: Gate
    head: Head
    scope: Any
    receive: Any

    @property
    def client(self) -> str:
        """The address that the per-client limit counts against; empty where there is no such limit."""
        gate = self.gate
        return gate.visitors.address(self.scope, self.head) if gate.settings.client_rate else ""


Handler = Callable[[Call], Awaitable[Reply]]


def make_redirect(settings: Settings) -> Reply:
    """The diversion of a browser. Its Location is a constant of the configuration, never a client's text."""
    return Reply(302, ((b"location", settings.waiting_room_at.encode()), NO_STORE), b"")


def divert(call: Call, wait_us: int) -> Reply:
    """There is no token: a person is sent to the waiting room, a program is told when to come back."""
    if not prefers_json(call.head.accept):
        return call.gate.redirect
    return refusal(429, "The sale is crowded. Come back later with the same key.", retry_after(wait_us / 1e6), NO_STORE)


async def serve(gate: Gate, route: str, handler: Handler, scope: Any, receive: Any, send: Any) -> None:
    """Answer one request: whatever the handler meets becomes a reply, counted and timed under the name of its route."""
    started = time.perf_counter()
    head = read_head(scope)
    try:
        answer = _refused(head, scope) or await handler(Call(gate, head, scope, receive))
    except NotReady:
        answer = not_ready()
    except Overloaded:
        answer = overloaded()
    except Disconnected:
        # Most often nobody is there to read this; but a client that broke its own framing is, and silence from us
        # would make the server answer 500 for it.
        gate.meter.count(route, 499, 0.0)
        await send_reply(_CUT_SHORT, head.request_id, scope, send)
        return
    except Exception:
        get_logger().exception("a bug", route=route, request_id=head.request_id.decode())
        answer = refusal(500, "Something is wrong on our side. Repeat the request with the same key.", NO_STORE)
    seconds = time.perf_counter() - started
    gate.meter.count(route, answer.status, seconds)
    if gate.settings.log_level == "debug":
        ms, request_id = round(seconds * 1000, 3), head.request_id.decode()
        get_logger().debug("request", route=route, status=answer.status, ms=ms, request_id=request_id)
    await send_reply(answer, head.request_id, scope, send)


async def send_reply(answer: Reply, request_id: bytes, scope: Any, send: Any) -> None:
    """Send a reply whole; the body is left out where the method asks for the head only."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _headers(answer, request_id)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


async def send_denial(answer: Reply, request_id: bytes, send: Any) -> None:
    """Send a reply in the place of accepting a WebSocket."""
    headers = _headers(answer, request_id)
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": answer.body})


def _headers(answer: Reply, request_id: bytes) -> list[Header]:
    return [*answer.headers, (b"content-length", b"%d" % len(answer.body)), (b"x-request-id", request_id)]


def _refused(head: Head, scope: Any) -> Reply | None:
    if head.refused is not None:
        return head.refused
    if len(scope["raw_path"]) + len(scope["query_string"]) > URL_LENGTH_MAX:
        return refusal(414, f"The URL is longer than {URL_LENGTH_MAX} bytes.")
    return None
