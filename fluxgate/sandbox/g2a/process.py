"""The process that plays G2A: its routes, and the way of one request through it.

It listens on loopback only, and forgets everything when it ends: orders, keys, wallet, journal.
"""

import asyncio
import re
import time

from contract.settings import Settings
from fluxgate.ports import Port, require_free
from fluxgate.refusal import Refusal
from fluxgate.sandbox.faults import answer, meet
from fluxgate.sandbox.g2a import contract_api, control_api, export_api
from fluxgate.sandbox.g2a.refusals import refused
from fluxgate.sandbox.g2a.state import State
from fluxgate.sandbox.journal import told
from fluxgate.sandbox.replies import Refused
from fluxgate.sandbox.routing import Route, Routes, Work
from fluxgate.sandbox.running import run
from fluxgate.sandbox.serving import Reply, Request

ROUTES: tuple[Route, ...] = (
    ("GET", "/contract/products", contract_api.list_products),
    ("GET", "/contract/products/{id}", contract_api.show_product),
    ("POST", "/contract/orders", contract_api.place_order),
    ("GET", "/contract/orders", contract_api.find_orders),
    ("GET", "/contract/orders/{id}", contract_api.show_order),
    ("GET", "/v1/products", export_api.list_products),
    ("POST", "/v1/order", export_api.place_order),
    ("PUT", "/v1/order/pay/{id}", export_api.pay_order),
    ("GET", "/v1/order/details/{id}", export_api.show_order),
    ("GET", "/v1/order/key/{id}", export_api.take_key),
    ("GET", "/livez", control_api.live),
    ("GET", "/sandbox/control", control_api.show_control),
    ("PUT", "/sandbox/control", control_api.change_control),
    ("GET", "/sandbox/journal", control_api.show_journal),
    ("GET", "/sandbox/orders", control_api.list_orders),
    ("GET", "/sandbox/webhooks", control_api.list_webhooks),
    ("POST", "/sandbox/webhooks", control_api.send_webhook),
)
# What both APIs share: who asks is checked, faults strike, the journal is kept.
APIS = {"contract": contract_api.check, "v1": export_api.check}
ADDRESSES = Routes(ROUTES)
# What the journal keeps of a reference, in characters.
REFERENCE_MAX = 64


def serve(settings: Settings) -> None:
    """Be G2A until SIGTERM or SIGINT. Raises Refusal when the port is taken, and in production, whose buyers would be
    sold keys that open nothing."""
    if settings.env == "production":
        raise Refusal("FLUXGATE_ENV is production, and the keys of a sandbox open no game.")
    require_free([Port("127.0.0.1", settings.g2a_sandbox_port, "the sandbox of G2A", "FLUXGATE_G2A_SANDBOX_PORT")])
    asyncio.run(run(Sandbox(settings), settings.g2a_sandbox_port))


class Sandbox:
    """One sandbox: a state, which a reset makes anew."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state = State(settings)

    async def close(self) -> None:
        """End what goes on by itself."""
        await self._state.close()

    async def answer(self, request: Request) -> Reply:
        """The way of one request."""
        if (request.method, request.path) == ("POST", "/sandbox/reset"):
            await self._state.close()
            self._state = State(self._settings)
            return Reply(204)
        api = request.path[1:].partition("/")[0]
        work = ADDRESSES.find(request)
        if api not in APIS:
            return await _right(self._state, request, work)
        at = round(time.time(), 3)
        reply = await _spoilt(self._state, request, work)
        status = 0 if reply.sent in ("hang", "none") else reply.status
        became = {"status": status, "sent": reply.sent, "reference": _reference(request), "at": at}
        self._state.journal.note(work.route, status, told(request) | became)
        return reply


async def _spoilt(state: State, request: Request, work: Work) -> Reply:
    """The answer, with whatever is to go wrong with it."""
    fault = await meet(state.faults, state.control.latency_ms, request)
    limit = state.control.rate_per_minute
    if limit is not None and not state.minute.has_room(limit):
        return refused(request.path, 429, "Too many requests")._replace(headers=(("retry-after", "1"),))
    said = "The sandbox was told to refuse this."
    return await answer(
        fault,
        lambda: _right(state, request, work),
        lambda status, code: refused(request.path, status, said, code),
    )


async def _right(state: State, request: Request, work: Work) -> Reply:
    """The right answer."""
    check = APIS.get(request.path[1:].partition("/")[0])
    try:
        if check:
            check(state, request)
        if not work.handler:
            raise Refused(405 if work.is_known else 404, "", "There is nothing at this address.")
        return await work.handler(state, request, *work.arguments)
    except Refused as refusal:
        return refused(request.path, refusal.status, refusal.message, refusal.code)


def _reference(request: Request) -> str:
    """What the request calls its order; "" where it says nothing."""
    if "reference" in request.query:
        return request.query["reference"][:REFERENCE_MAX]
    match = re.search(rb'"reference"\s*:\s*"([^"]{1,64})"', request.body)
    return match[1].decode("utf-8", "replace") if match else ""
