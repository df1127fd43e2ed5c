"""The process that plays Goated: its routes, and the way of one request through it.

It listens on loopback only, and forgets everything when it ends.
"""

import asyncio
import time
from typing import Any
from urllib.parse import unquote

import msgspec

from contract.settings import Settings
from fluxgate.ports import Port, require_free
from fluxgate.refusal import Refusal
from fluxgate.sandbox.faults import answer, meet
from fluxgate.sandbox.goated import control_api
from fluxgate.sandbox.goated.refusals import refused
from fluxgate.sandbox.goated.state import State
from fluxgate.sandbox.journal import told
from fluxgate.sandbox.replies import Refused, decoded, ok
from fluxgate.sandbox.routing import Route, Routes, Work
from fluxgate.sandbox.running import run
from fluxgate.sandbox.serving import Reply, Request

ETAG_MAX = 200
"""What the journal keeps of an If-None-Match."""


class _Refresh(msgspec.Struct, rename="camel"):
    """The body of a request for a new token."""

    refresh_token: str


async def list_everybody(state: State, request: Request, code: str) -> Reply:
    """GET /user/affiliate/referral-leaderboard/{code}"""
    state.tokens.check(request.headers.get("authorization", ""))
    if unquote(code) != state.code:
        raise Refused(404, "", "Affiliate not found.")
    now = state.leaderboard.told()
    headers = (("etag", now.etag),) if now.etag else ()
    if now.etag and _is_known(now.etag, request.headers.get("if-none-match", "")):
        return Reply(304, b"", headers, now.content_type)
    return Reply(200, now.body, headers, now.content_type)


async def refresh(state: State, request: Request) -> Reply:
    """POST /auth/refresh"""
    return ok(state.tokens.refresh(decoded(request, _Refresh).refresh_token))


ROUTES: tuple[Route, ...] = (
    ("GET", "/user/affiliate/referral-leaderboard/{id}", list_everybody),
    ("POST", "/auth/refresh", refresh),
    ("GET", "/livez", control_api.live),
    ("GET", "/sandbox/control", control_api.show_control),
    ("PUT", "/sandbox/control", control_api.change_control),
    ("GET", "/sandbox/journal", control_api.show_journal),
    ("GET", "/sandbox/books", control_api.show_books),
    ("POST", "/sandbox/advance", control_api.advance),
    ("POST", "/sandbox/expire", control_api.expire),
)
ADDRESSES = Routes(ROUTES)
# The paths that are the sandbox's own: there no fault strikes, and no journal is kept.
OWN = ("livez", "sandbox")


def serve(settings: Settings) -> None:
    """Be Goated until SIGTERM or SIGINT. Raises Refusal when the port is taken, and in production, where prizes would
    go to people who do not exist."""
    if settings.env == "production":
        raise Refusal("FLUXGATE_ENV is production, and the wagers of a sandbox are worth nothing.")
    port = settings.goated_sandbox_port
    require_free([Port("127.0.0.1", port, "the sandbox of Goated", "FLUXGATE_GOATED_SANDBOX_PORT")])
    asyncio.run(run(Sandbox(settings), port))


class Sandbox:
    """One sandbox: a state, which a reset makes anew."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state = State(settings)

    async def close(self) -> None:
        """Nothing goes on by itself here."""

    async def answer(self, request: Request) -> Reply:
        """The way of one request."""
        if (request.method, request.path) == ("POST", "/sandbox/reset"):
            self._state = State(self._settings)
            return Reply(204)
        state, work = self._state, ADDRESSES.find(request)
        if request.path[1:].partition("/")[0] in OWN:
            return await _right(state, request, work)
        at = time.time()
        reply = await _spoilt(state, request, work)
        status = 0 if reply.sent in ("hang", "none") else reply.status
        state.journal.note(work.route, status, _entry(state, request, reply, at) | {"status": status})
        return reply


async def _spoilt(state: State, request: Request, work: Work) -> Reply:
    """The answer, with whatever is to go wrong with it."""
    fault = await meet(state.faults, state.control.latency_ms, request)
    return await answer(fault, lambda: _right(state, request, work), lambda status, code: refused(status, code=code))


async def _right(state: State, request: Request, work: Work) -> Reply:
    """The right answer."""
    try:
        if not work.handler:
            raise Refused(405 if work.is_known else 404, "", "")
        return await work.handler(state, request, *work.arguments)
    except Refused as refusal:
        return refused(refusal.status, refusal.message, refusal.code)


def _is_known(etag: str, if_none_match: str) -> bool:
    """Whether the client has what this ETag is of, as RFC 9110 compares them."""
    known = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in known or etag.removeprefix("W/") in known


def _entry(state: State, request: Request, reply: Reply, at: float) -> dict[str, Any]:
    """What the journal keeps of a request: never a token, only whether one came."""
    before, state.asked_at = state.asked_at, at
    return told(request) | {
        "sent": reply.sent,
        "at": round(at, 3),
        # Since anything was asked for last; null: nothing had been.
        "after_s": None if before is None else round(at - before, 3),
        "if_none_match": request.headers.get("if-none-match", "")[:ETAG_MAX],
        "has_token": bool(request.headers.get("authorization")),
        "bytes": len(reply.body),
    }
