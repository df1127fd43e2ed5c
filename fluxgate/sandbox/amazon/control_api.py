"""The routes of tests and of the curious: what goes wrong, what was asked, how the data move on, and the books."""

from typing import Any

import msgspec

from fluxgate.sandbox.amazon import books
from fluxgate.sandbox.amazon.control import Advance, Asked, Control, Expiry
from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.replies import Refused, bounded, converted, decoded, ok
from fluxgate.sandbox.serving import Reply, Request

# Of one answer.
LIST_MAX = 20_000
# What the data are made of: to change one of them makes them anew.
DATA = ("events", "sales", "skus", "orders", "is_ugly")
# Orders whose items are told all at once.
ITEMS_OF_MAX = 10_000


async def live(state: State, request: Request) -> Reply:
    """GET /livez"""
    return ok({"status": "ok"})


async def show_control(state: State, request: Request) -> Reply:
    """GET /sandbox/control"""
    return ok(state.control)


async def change_control(state: State, request: Request) -> Reply:
    """PUT /sandbox/control: changes what is named, and answers how the sandbox behaves now.

    What is left out stays as it is, and nothing is changed where something is refused.
    """
    given = decoded(request, dict[str, Any])
    control = converted(msgspec.to_builtins(state.control) | given, Control)
    if any(getattr(control, name) != getattr(state.control, name) for name in DATA):
        state.sellers.clear()
    if "faults" in given:
        state.faults = Faults(control.faults)
    # In place, because others hold it.
    for name in Control.__struct_fields__:
        setattr(state.control, name, getattr(control, name))
    return ok(state.control)


async def show_journal(state: State, request: Request) -> Reply:
    """GET /sandbox/journal?limit="""
    return ok(state.journal.document(bounded(request, "limit", LIST_MAX)))


async def advance(state: State, request: Request) -> Reply:
    """POST /sandbox/advance: lets the data of a seller move on, and answers what has moved."""
    wanted = decoded(request, Advance)
    return ok(state.seller(wanted.seller).advance(wanted))


async def expire(state: State, request: Request) -> Reply:
    """POST /sandbox/expire: ends the access tokens that were given out so far, and answers how many there were."""
    wanted = decoded(request, Expiry)
    return ok({"ended": state.tokens.end_access(wanted.how == "revoked")})


async def show_books(state: State, request: Request) -> Reply:
    """GET /sandbox/books?seller=&part=&order=&offset=&limit="""
    given = {name: value for name, value in request.query.items() if name not in ("offset", "limit")}
    asked = converted(given, Asked)
    first = bounded(request, "offset", 0, largest=1_000_000)
    limit = bounded(request, "limit", LIST_MAX, largest=LIST_MAX)
    seller = state.seller(asked.seller)
    if asked.part == "items" and not asked.order and seller.orders.by_purchase.count > ITEMS_OF_MAX:
        raise Refused(400, "", f"Of more than {ITEMS_OF_MAX} orders, the items are told for one `order` at a time.")
    return ok(books.rows(seller, asked.part, asked.order, first, limit))
