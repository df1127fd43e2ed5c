"""Composition root of the gateway: settings, parts, the table of routes, the application."""

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.websockets import WebSocket

import lua
from contract.settings import Settings, read_settings
from contract.telemetry import configure_logging, get_logger
from contract.transport import Asker, open_line, open_redis
from gateway import health, orders, sales
from gateway.admission import Admission
from gateway.events import Events
from gateway.gate import Gate, Handler, make_redirect, send_denial, send_reply, serve
from gateway.head import read_head
from gateway.meters import publish_forever
from gateway.metrics import Meter
from gateway.patience import Patience
from gateway.replying import Reply, refusal
from gateway.room import Pacer, Shelf
from gateway.visitors import Visitors
from gateway.watching import refuse_plain, watch_events

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/order", orders.place_order),
    ("GET", "/status/{order_id}", orders.read_status),
    ("POST", "/cancel/{order_id}", orders.cancel_order),
    ("POST", "/init", sales.open_sale),
    ("GET", "/inventory/{product_id:path}", sales.read_inventory),
    ("GET", "/admission", sales.read_admission),
    ("GET", "/livez", health.livez),
    ("GET", "/readyz", health.readyz),
    ("GET", "/metrics", health.metrics),
    ("GET", "/openapi.json", health.openapi),
    ("GET", "/events", refuse_plain),
    ("GET", "/", health.signpost),
)
"""Every route: method, path, handler. A WebSocket to /events goes to `watch_events`."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BAD_PATH = refusal(400, "The path contains control characters; no route and no id has any.")
_NO_ROUTE = refusal(404, "There is no such route; they are described at /openapi.json.")

REDIS_CONNECTIONS = 8
COLLECT_AFTER = (100_000, 50, 1_000)
"""Allocations before a collection of the young, and young and middle ones before those of their elders."""
LISTEN_S = 86_400.0
"""How long a subscription may be silent."""
Application = Callable[[Any, Any, Any], Awaitable[None]]


def create_app() -> Application:
    """The application of one gateway process, made of the settings in the environment."""
    settings = read_settings()
    configure_logging("gateway", settings.log_level)
    app = build_app(settings)
    _spare_collections()
    return app


def build_app(settings: Settings) -> Application:
    """The application of one gateway process. POST /order goes ahead of the router: it is nearly all of the traffic."""
    gate = make_gate(settings)
    others = _router(gate)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = scope["type"]
        if kind == "http":
            if scope["path"] == "/order" and scope["method"] == "POST":
                await serve(gate, "/order", orders.place_order, scope, receive, send)
            elif _CONTROL.search(scope["path"]):
                # The router's patterns end before a last line feed, so `/livez%0A` would pass for `/livez`.
                await send_reply(_BAD_PATH, read_head(scope).request_id, scope, send)
            else:
                await others(scope, receive, send)
        elif kind == "lifespan":
            await _lifespan(gate, receive, send)
        elif scope["path"] == "/events":
            await watch_events(gate, WebSocket(scope, receive, send))
        else:
            await send_denial(_NO_ROUTE, read_head(scope).request_id, send)

    return app


def _spare_collections() -> None:
    """Let the garbage collector leave alone what lives as long as the process, and look rarely at the rest.

    Requests make no cycles to speak of; looking for them after every few took a third of the event loop's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def make_gate(settings: Settings) -> Gate:
    """The parts of one gateway process; nothing is connected yet."""
    redis = open_redis(settings, connections=REDIS_CONNECTIONS)
    line = open_line(settings)
    admission = Admission(redis, settings, line=line)
    # Listening waits by design, so it has connections and a patience of its own.
    listener = open_redis(settings, connections=2, block_s=LISTEN_S)
    questions = lua.questions_key(lua.GROUP_OF_ORDERS)
    return Gate(
        settings=settings,
        redis=redis,
        line=line,
        admission=admission,
        events=Events(listener, admission.keys.events),
        meter=Meter(),
        visitors=Visitors(settings.trusted_proxies),
        asker=Asker(redis, listener, questions, lua.ANSWERS_PREFIX, settings.ask_timeout_s),
        patience=Patience(settings.body_timeout_s),
        pacer=Pacer(settings.rate_per_s / settings.gateway_workers),
        shelf=Shelf(redis, admission),
        redirect=make_redirect(settings),
    )


def _router(gate: Gate) -> Application:
    routes: list[BaseRoute] = [Route(path, _Endpoint(gate, path, handler), methods=[m]) for m, path, handler in ROUTES]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed})
    app.router.redirect_slashes = False
    return app


class _Endpoint:
    """An ASGI application for one route; Starlette takes an object as it is, and a function as its own kind."""

    def __init__(self, gate: Gate, path: str, handler: Handler) -> None:
        self._gate, self._path, self._handler = gate, path, handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await serve(self._gate, self._path, self._handler, scope, receive, send)


async def _not_found(request: Request, _error: Exception) -> Response:
    return _Refused(_NO_ROUTE, request)


async def _not_allowed(request: Request, error: Exception) -> Response:
    allow = (
        ", ".join(sorted(error.headers["Allow"].split(", ")))
        if isinstance(error, HTTPException) and error.headers
        else ""
    )
    message = f"This route takes {allow}, not {request.method[:16]}."
    return _Refused(refusal(405, message, (b"allow", allow.encode())), request)


class _Refused(Response):
    """A refusal of the router's, in the form that our own have."""

    def __init__(self, reply: Reply, request: Request) -> None:
        super().__init__(status_code=reply.status)
        self._reply = reply
        self._head = read_head(request.scope)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send_reply(self._head.refused or self._reply, self._head.request_id, scope, send)


async def _lifespan(gate: Gate, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    get_logger().info("gateway serves", port=gate.settings.port)
    # Alone on its port, a process answers for itself.
    publishing = asyncio.create_task(publish_forever(gate)) if gate.settings.gateway_workers > 1 else None
    await receive()
    if publishing is not None:
        publishing.cancel()
    await gate.events.close()
    await gate.asker.close()
    await gate.admission.close()
    await gate.line.aclose()
    await gate.redis.aclose()
    await send({"type": "lifespan.shutdown.complete"})
