"""The routes of tests and of the curious: what goes wrong, what was asked, how things move on, and the books."""

from typing import Any

import msgspec

from fluxgate.sandbox.faults import Faults
from fluxgate.sandbox.goated import books
from fluxgate.sandbox.goated.control import Advance, Control
from fluxgate.sandbox.goated.state import State
from fluxgate.sandbox.goated.when import instant, read_instant, require_reachable
from fluxgate.sandbox.replies import bounded, decoded, ok
from fluxgate.sandbox.serving import Reply, Request

# Of one answer.
LIST_MAX = 20_000
TOP = 10
# What the people are made of: to change one of them makes them anew.
DATA = ("users", "active_percent", "seed")


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
    given = decoded(request, dict[str, msgspec.Raw])
    now: dict[str, Any] = {name: getattr(state.control, name) for name in Control.__struct_fields__}
    control = _changed(now, given)
    is_new = any(getattr(control, name) != now[name] for name in DATA)
    state.clock.keep()
    if "faults" in given:
        state.faults = Faults(control.faults)
    # In place, because others hold it.
    for name in Control.__struct_fields__:
        setattr(state.control, name, getattr(control, name))
    if is_new:
        state.leaderboard.begin()
    state.leaderboard.changed()
    return ok(state.control)


async def show_journal(state: State, request: Request) -> Reply:
    """GET /sandbox/journal?limit="""
    return ok(state.journal.document(bounded(request, "limit", LIST_MAX)))


async def advance(state: State, request: Request) -> Reply:
    """POST /sandbox/advance: moves the clock and the people, and answers what time it is and who has moved."""
    wanted = decoded(request, Advance)
    at = require_reachable((read_instant(wanted.to) if wanted.to else state.clock.at()) + wanted.seconds)
    moved = state.leaderboard.advance(wanted)
    if wanted.to or wanted.seconds:
        state.clock.move(at)
    return ok({"at": instant(state.clock.at()), **moved})


async def expire(state: State, request: Request) -> Reply:
    """POST /sandbox/expire: ends the bearer tokens that are good, and answers how many there were."""
    return ok({"ended": state.tokens.expire()})


async def show_books(state: State, request: Request) -> Reply:
    """GET /sandbox/books?offset=&limit=&top="""
    first = bounded(request, "offset", 0, largest=1_200_000)
    limit = bounded(request, "limit", 0, largest=LIST_MAX)
    top = bounded(request, "top", TOP, largest=LIST_MAX)
    return ok(books.document(state.leaderboard.told(), state.clock, first, limit, top))


def _changed(now: dict[str, Any], given: dict[str, msgspec.Raw]) -> Control:
    """A control with some of its members changed. Raises Refused."""
    encoded = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in now.items()} | given
    return decoded(Request("PUT", "", {}, {}, msgspec.json.encode(encoded)), Control)
