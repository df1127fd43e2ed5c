"""What is read of a query, and refused as Amazon refuses it."""

import time
from datetime import datetime
from typing import NamedTuple

from fluxgate.sandbox.amazon.control import DAY_S
from fluxgate.sandbox.replies import Refused
from fluxgate.sandbox.serving import Request

# The end of what is asked for has to be so long ago.
SETTLED_S = 120
# A longer time than this is answered with nothing.
WINDOW_MAX_S = 180 * DAY_S
MARKETPLACES_MAX = 50
SIZE_MAX = 100


class Window(NamedTuple):
    """A time in seconds of Unix time: from `after`, and before `before`."""

    after: int
    before: int

    @property
    def is_too_long(self) -> bool:
        """Whether Amazon would answer with nothing."""
        return self.before - self.after > WINDOW_MAX_S


def invalid(message: str) -> Refused:
    """A request that is wrong."""
    return Refused(400, "InvalidInput", message)


def instant(request: Request, name: str) -> float | None:
    """A moment of the query, in seconds of Unix time; None where it is not given."""
    given = request.query.get(name)
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise invalid(f"{name} is not a date in ISO 8601.") from None
    if moment.tzinfo is None:
        raise invalid(f"{name} has no time zone.")
    return moment.timestamp()


def window(request: Request, after: str, before: str) -> Window:
    """The time between two parameters; without them as long as Amazon gives, until as late as it tells anything."""
    latest = time.time() - SETTLED_S
    begins, ends = instant(request, after), instant(request, before)
    if ends is not None and begins is None:
        raise invalid(f"{before} needs {after}.")
    for name, moment in ((after, begins), (before, ends)):
        if moment is not None and moment > latest:
            raise invalid(f"{name} is not at least two minutes ago.")
    ends = latest if ends is None else ends
    begins = ends - WINDOW_MAX_S if begins is None else begins
    if begins > ends:
        raise invalid(f"{after} is later than {before}.")
    # Rows are at whole seconds, so that the next whole second is the first that counts.
    return Window(-int(-begins // 1), -int(-ends // 1))


def size(request: Request, name: str) -> int:
    """How many rows a page is to have."""
    given = request.query.get(name, str(SIZE_MAX))
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= SIZE_MAX):
        raise invalid(f"{name} is from 1 to {SIZE_MAX}.")
    return int(given)


def listed(request: Request, name: str, largest: int = MARKETPLACES_MAX) -> list[str]:
    """The values of a list, however they were given."""
    given = [value for value in request.query.get(name, "").split(",") if value]
    if len(given) > largest:
        raise invalid(f"{name} has more than {largest} values.")
    return given


def required(request: Request, name: str) -> str:
    """A parameter that must be there."""
    if not request.query.get(name):
        raise invalid(f"{name} is missing.")
    return request.query[name]
