"""The process that plays Amazon: its routes, and the way of one request through it.

It listens on loopback only, and forgets everything when it ends but whom a refresh token is of.
"""

import asyncio
import time
import uuid
from typing import Any, NamedTuple

from contract.settings import Settings
from fluxgate.ports import Port, require_free
from fluxgate.refusal import Refusal
from fluxgate.sandbox.amazon import control_api, finances_2024, finances_v0, inventory_v1, login, orders_2026, orders_v0
from fluxgate.sandbox.amazon.control import Advance, Operation
from fluxgate.sandbox.amazon.refusals import DENIED, refused
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.faults import answer, meet
from fluxgate.sandbox.journal import told
from fluxgate.sandbox.replies import Refused
from fluxgate.sandbox.routing import Route, Routes, Work
from fluxgate.sandbox.running import run
from fluxgate.sandbox.serving import Reply, Request

OPERATIONS: dict[str, Operation] = {
    "GET /finances/v0/financialEvents": "listFinancialEvents",
    "GET /finances/2024-06-19/transactions": "listTransactions",
    "GET /fba/inventory/v1/summaries": "getInventorySummaries",
    "GET /orders/v0/orders": "getOrders",
    "GET /orders/v0/orders/{id}": "getOrder",
    "GET /orders/v0/orders/{id}/orderItems": "getOrderItems",
    "GET /orders/2026-01-01/orders": "searchOrders",
    "GET /orders/2026-01-01/orders/{id}": "getOrder2026",
}
ROUTES: tuple[Route, ...] = (
    ("GET", "/finances/v0/financialEvents", finances_v0.list_events),
    ("GET", "/finances/2024-06-19/transactions", finances_2024.list_transactions),
    ("GET", "/fba/inventory/v1/summaries", inventory_v1.list_summaries),
    ("GET", "/orders/v0/orders", orders_v0.list_orders),
    ("GET", "/orders/v0/orders/{id}", orders_v0.show_order),
    ("GET", "/orders/v0/orders/{id}/orderItems", orders_v0.list_items),
    ("GET", "/orders/2026-01-01/orders", orders_2026.search_orders),
    ("GET", "/orders/2026-01-01/orders/{id}", orders_2026.show_order),
    ("POST", "/auth/o2/token", login.give_token),
    ("GET", "/apps/authorize/consent", login.consent),
    ("GET", "/livez", control_api.live),
    ("GET", "/sandbox/control", control_api.show_control),
    ("PUT", "/sandbox/control", control_api.change_control),
    ("GET", "/sandbox/journal", control_api.show_journal),
    ("GET", "/sandbox/books", control_api.show_books),
    ("POST", "/sandbox/advance", control_api.advance),
    ("POST", "/sandbox/expire", control_api.expire),
)
# Of Login with Amazon.
LOGINS = {"POST /auth/o2/token": "token", "GET /apps/authorize/consent": "consent"}
ADDRESSES = Routes(ROUTES)
# The first part of the paths that are Amazon's: there faults strike, and the journal is kept.
APIS = ("finances", "fba", "orders", "auth", "apps")
# The rate is told with these only.
RATE_TOLD = (200, 400, 404)
# What the journal keeps of a value of a query, and of how many; what it keeps of none of them.
VALUE_MAX = 2_000
ITEMS_MAX = 50
SECRETS = ("state",)
AGENT_MAX = 500


class Caller(NamedTuple):
    """Who asks for what; empty where that is not known."""

    seller: str
    operation: str


def serve(settings: Settings) -> None:
    """Be Amazon until SIGTERM or SIGINT. Raises Refusal when the port is taken, and in production, whose sellers would
    be shown money that nobody owes them."""
    if settings.env == "production":
        raise Refusal("FLUXGATE_ENV is production, and the claims of a sandbox are worth nothing.")
    port = settings.amazon_sandbox_port
    require_free([Port("127.0.0.1", port, "the sandbox of Amazon", "FLUXGATE_AMAZON_SANDBOX_PORT")])
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
        if request.path[1:].partition("/")[0] not in APIS:
            return await _right(state, request, work)
        at = time.time()
        caller = Caller(state.tokens.owner(request.headers.get("x-amz-access-token")), _name(work))
        reply = await _spoilt(state, request, work)
        reply = reply._replace(headers=(("x-amzn-RequestId", str(uuid.uuid4())), *reply.headers))
        status = 0 if reply.sent in ("hang", "none") else reply.status
        state.journal.note(work.route, status, _entry(state, request, reply, caller, at) | {"status": status})
        return reply


async def _spoilt(state: State, request: Request, work: Work) -> Reply:
    """The answer, with whatever is to go wrong with it."""
    fault = await meet(state.faults, state.control.latency_ms, request)
    said = "The sandbox was told to refuse this."
    return await answer(
        fault,
        lambda: _right(state, request, work),
        lambda status, code: refused(request.path, status, said, code),
    )


async def _right(state: State, request: Request, work: Work) -> Reply:
    """The right answer."""
    operation = OPERATIONS.get(work.route)
    try:
        if not work.handler:
            raise Refused(405 if work.is_known else 404, "", "There is nothing at this address.")
        if not operation:
            return await work.handler(state, request, *work.arguments)
        seller = state.tokens.check(request.headers.get("x-amz-access-token"))
        if operation in state.control.denied:
            raise Refused(403, "", DENIED)
        if not state.rates.take(seller, operation):
            raise Refused(429, "", "")
        _insert(state, request, seller)
        reply = await work.handler(state, state.seller(seller), request, *work.arguments)
        reply = _padded(reply, state.control.padding)
    except Refused as refusal:
        reply = refused(request.path, refusal.status, refusal.message, refusal.code, refusal.details)
    if operation and reply.status in RATE_TOLD:
        reply = reply._replace(headers=(*reply.headers, *state.rates.header(operation)))
    return reply


def _name(work: Work) -> str:
    return OPERATIONS.get(work.route) or LOGINS.get(work.route, "")


def _insert(state: State, request: Request, seller: str) -> None:
    """Let rows come while somebody reads."""
    count = state.control.insert_while_paging
    if count and any(name.lower() in ("nexttoken", "paginationtoken") for name in request.query):
        come = {
            "finances": Advance(events_new=count),
            "fba": Advance(skus_new=count),
            "orders": Advance(orders_new=count),
        }
        state.seller(seller).advance(come[request.path[1:].partition("/")[0]])


def _padded(reply: Reply, count: int) -> Reply:
    """The same document, with so many letters more in a member that no model has."""
    if not count or not reply.body.endswith(b"}"):
        return reply
    return reply._replace(body=reply.body[:-1] + b',"padding":"' + b"x" * count + b'"}')


def _entry(state: State, request: Request, reply: Reply, caller: Caller, at: float) -> dict[str, Any]:
    """What the journal keeps of a request: no token and no code, only whether they were there."""
    asked = told(request, VALUE_MAX, ITEMS_MAX)
    asked["query"] |= {name: "..." for name in SECRETS if name in asked["query"]}
    before = state.asked_at.get(caller)
    state.asked_at[caller] = at
    return asked | {
        "operation": caller.operation,
        "seller": caller.seller,
        "sent": reply.sent,
        "at": round(at, 3),
        # Since this seller's same operation was asked for last; null: it had not been.
        "after_s": None if before is None else round(at - before, 3),
        "user_agent": request.headers.get("user-agent", "")[:AGENT_MAX],
        "has_access_token": bool(request.headers.get("x-amz-access-token")),
        "x_amz_date": request.headers.get("x-amz-date", "")[:AGENT_MAX],
        "grant_type": _grant_type(request),
    }


def _grant_type(request: Request) -> str:
    """What a request for a token asks with; "" of others."""
    known = ("refresh_token", "authorization_code")
    return next((name for name in known if f"grant_type={name}".encode() in request.body), "")
