"""The waiting room's server: a few preloaded answers, which need neither gateway, Redis nor Postgres.

The page is a static file that any CDN can serve. This process writes the settings into it once, at start, and then
gives out bytes from memory.
"""

import asyncio
import hashlib
import html
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from contract.parent import die_with_parent
from contract.settings import Settings
from fluxgate.ports import Port, require_free
from fluxgate.refusal import Refusal

# Connections that wait in the kernel while this process is busy: a sale opens with a burst.
BACKLOG = 4096
# Connections served at once; idle ones count too, so this is far above what a burst needs at the same moment.
CONNECTIONS_MAX = 8192
# How long a browser or CDN may show the page without asking whether it changed.
FRESH_S = 30
# How long a client may take to send its request's head, and how long that head may be.
HEAD_TIMEOUT_MS = 10_000
HEAD_BYTES_MAX = 16_384
# How long answers under way may take after a signal. They are in memory; what takes longer is a request half sent.
STOP_WITHIN_S = 1.0

DEFAULT_PORTS = {"http": 80, "https": 443}
# Letters, digits, dots and hyphens (an international name in its xn-- form), or an IPv6 address: nothing that could
# end a directive of the content security policy.
HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
NO_STORE = (b"cache-control", b"no-store")

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]


class Reply(NamedTuple):
    """An answer that is ready to be sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: bytes = b""


def serve(settings: Settings) -> None:
    """Serve the waiting room until SIGTERM or SIGINT. Raises Refusal when the port is taken or an address is no use."""
    die_with_parent()
    app = make_app(settings)
    # Granian listens with SO_REUSEPORT and would share the port with another server without a word.
    require_free([Port(settings.host, settings.waiting_room_port, "the waiting room", "FLUXGATE_WAITING_ROOM_PORT")])
    asyncio.run(_serve(app, settings))
    # Not by way of the interpreter's own end: a connection that is still there (a browser's idle one, a request half
    # sent) would wake Granian's threads inside an interpreter that is being taken apart, and they panic.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def make_app(settings: Settings) -> App:
    """The ASGI callable, with every answer made beforehand."""
    replies = make_replies(settings)
    headers = _security_headers(settings)
    missing = _text(404, "There is nothing at this address. The waiting room is at /.\n", headers)
    wrong_method = _text(405, "Only GET and HEAD are answered here.\n", [*headers, (b"allow", b"GET, HEAD")])

    async def app(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the waiting room speaks plain HTTP, not {scope['type']}")
        reply = replies.get(scope["path"], missing)
        if reply is not missing and scope["method"] not in ("GET", "HEAD"):
            reply = wrong_method
        elif reply.etag and _knows(scope["headers"], reply.etag):
            reply = Reply(304, [(k, v) for k, v in reply.headers if k not in (b"content-length", b"content-type")], b"")
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    return app


def make_replies(settings: Settings) -> dict[str, Reply]:
    """Every path that is answered with 200, and its answer."""
    folder = files("waiting_room")
    headers = _security_headers(settings)
    page = render_page(folder.joinpath("index.html").read_text("utf-8"), settings)
    return {
        "/": _cached("text/html; charset=utf-8", page.encode(), headers),
        "/waiting_room.css": _cached(
            "text/css; charset=utf-8", folder.joinpath("waiting_room.css").read_bytes(), headers
        ),
        "/waiting_room.js": _cached(
            "text/javascript; charset=utf-8", folder.joinpath("waiting_room.js").read_bytes(), headers
        ),
        "/livez": _reply(200, b'{"status":"ok"}', [*headers, (b"content-type", b"application/json"), NO_STORE]),
    }


def render_page(page: str, settings: Settings) -> str:
    """The page with the settings in its meta tags and in the link that works without a script."""
    origins = " ".join(
        dict.fromkeys([origin_of(settings.gateway_at), *map(origin_of, settings.return_origins.split())])
    )
    page = _put(page, r'<meta name="flux-gate-gateway" content="', settings.gateway_at)
    page = _put(page, r'<meta name="flux-gate-return-origins" content="', origins)
    return _put(page, r'id="back" href="', settings.gateway_at + "/")


def origin_of(url: str) -> str:
    """Scheme, host and port of an http or https URL, in the form that a browser gives them."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in DEFAULT_PORTS or parts.username is not None or not HOST.fullmatch(host):
        raise Refusal(
            f"{url!r}, in FLUXGATE_GATEWAY_URL or FLUXGATE_RETURN_ORIGINS, "
            "is not an http or https address such as https://shop.example."
        )
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def _put(page: str, before: str, value: str) -> str:
    pattern = re.compile(f'({re.escape(before)})[^"]*')
    page, count = pattern.subn(lambda found: found[1] + html.escape(value), page)
    if count != 1:
        raise Refusal(f"waiting_room/index.html must hold {before!r} once, and holds it {count} times.")
    return page


def _security_headers(settings: Settings) -> list[tuple[bytes, bytes]]:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
        f"connect-src {origin_of(settings.gateway_at)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return [
        (b"content-security-policy", policy.encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]


def _cached(content_type: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> Reply:
    etag = b'"' + hashlib.sha256(body).hexdigest()[:20].encode() + b'"'
    fresh = f"public, max-age={FRESH_S}, must-revalidate".encode()
    more = [(b"content-type", content_type.encode()), (b"etag", etag), (b"cache-control", fresh)]
    return _reply(200, body, [*headers, *more], etag)


def _text(status: int, sentence: str, headers: list[tuple[bytes, bytes]]) -> Reply:
    return _reply(status, sentence.encode(), [*headers, (b"content-type", b"text/plain; charset=utf-8"), NO_STORE])


def _reply(status: int, body: bytes, headers: list[tuple[bytes, bytes]], etag: bytes = b"") -> Reply:
    return Reply(status, [*headers, (b"content-length", str(len(body)).encode())], body, etag)


def _knows(headers: list[tuple[bytes, bytes]], etag: bytes) -> bool:
    """Whether the client says that it holds this very version (weak comparison, as If-None-Match wants)."""
    given = b",".join(value for name, value in headers if name == b"if-none-match")
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in given.split(b","))


async def _serve(app: App, settings: Settings) -> None:
    server = Server(
        target=app,
        address=settings.host,
        port=settings.waiting_room_port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_TIMEOUT_MS, max_buffer_size=HEAD_BYTES_MAX),
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        log_level=LogLevels.error,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()
    await asyncio.wait({serving, stopping}, timeout=STOP_WITHIN_S)
    if serving.done():
        serving.result()  # an error that ended it is not kept secret
    if not stop.is_set():
        raise RuntimeError("the waiting room's server ended by itself")
