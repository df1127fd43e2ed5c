"""What every route of one gateway process shares, and the frame that its handlers run in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

import lua
from contract.errors import NotReady, Overloaded
from contract.settings import Settings
from contract.telemetry import get_logger
from contract.transport import Asker
from gateway.body import Disconnected
from gateway.caching import Cache
from gateway.events import Events
from gateway.forms import formed
from gateway.head import listed, request_id, unsound
from gateway.lanes import Lanes
from gateway.metrics import Meter
from gateway.negotiation import prefers_json
from gateway.patience import Patience
from gateway.progress import Progress
from gateway.race_news import RaceNews
from gateway.replies import Replies
from gateway.replying import NO_STORE, Refused, Reply, not_ready, overloaded, refusal, retry_after
from gateway.rsgi import Exchange, Header, Headers, Scope
from gateway.streaming import Streamed, stream
from gateway.tokens import AccessTokens
from gateway.visitors import Visitors

CLIENT_GONE = 499
"""The status under which a request is counted whose client left before it was whole."""
_BUG = refusal(500, "Something is wrong on our side. Repeat the request with the same key.", NO_STORE)


@dataclass(frozen=True)
class Gate:
    """The parts of one gateway process."""

    settings: Settings
    redis: lua.Client
    lanes: Lanes
    events: Events
    progress: Progress
    race_news: RaceNews
    meter: Meter
    visitors: Visitors
    asker: Asker
    replies: Replies
    cache: Cache
    patience: Patience
    tokens: AccessTokens
    webhook_secrets: tuple[bytes, ...]
    redirect: Reply
    # Set once this process shall end.
    stopping: asyncio.Event


class Call(msgspec.Struct, frozen=True):
    """One request to a handler: its head, the way to its body, and what its path holds for the names in the route's."""

    gate: Gate
    scope: Scope
    headers: Headers
    exchange: Exchange
    params: dict[str, str]
    request_id: str = ""

    @property
    def client(self) -> str:
        """The address that the per-client limit counts against; empty where there is no such limit."""
        gate = self.gate
        return gate.visitors.address(self.scope) if gate.settings.client_rate else ""


Handler = Callable[[Call], Awaitable[Reply]]


def make_redirect(settings: Settings) -> Reply:
    """The diversion of a browser. Its Location is a constant of the configuration, never a client's text."""
    return Reply(302, (("location", settings.waiting_room_at), NO_STORE), b"")


def divert(call: Call, wait_us: int) -> Reply:
    """There is no token: a person is sent to the waiting room, a program is told when to come back."""
    if not prefers_json(listed(call.headers, "accept")):
        return call.gate.redirect
    return refusal(429, "The sale is crowded. Come back later with the same key.", retry_after(wait_us / 1e6), NO_STORE)


NO_PARAMS: dict[str, str] = {}


async def serve(
    gate: Gate,
    route: str,
    handler: Handler,
    scope: Scope,
    exchange: Exchange,
    params: dict[str, str] = NO_PARAMS,
    also: tuple[Header, ...] = (),
) -> None:
    """Answer one request: whatever the handler meets becomes a reply, counted and timed under the name of its route.

    `also` are headers for whatever the reply is.
    """
    started = time.perf_counter()
    headers = scope.headers
    own_id = request_id(headers)
    counted = 0
    try:
        answer = unsound(scope, headers) or await handler(Call(gate, scope, headers, exchange, params, own_id))
    except Disconnected as gone:
        answer, counted = gone.reply, CLIENT_GONE
    except Refused as error:
        answer = error.reply
    except NotReady:
        answer = not_ready()
    except Overloaded:
        answer = overloaded()
    except Exception:
        get_logger().exception("a bug", route=route, request_id=own_id)
        answer = _BUG
    answer = formed(route, own_id, answer)
    seconds = time.perf_counter() - started
    gate.meter.count(route, counted or answer.status, seconds)
    if gate.settings.log_level == "debug":
        ms = round(seconds * 1000, 3)
        get_logger().debug("request", route=route, status=answer.status, ms=ms, request_id=own_id)
    whole = [*answer.headers, *also, ("x-request-id", own_id)]
    if isinstance(answer, Streamed):
        await stream(exchange, answer, whole, gate.stopping)
    else:
        exchange.response_bytes(answer.status, whole, answer.body)
