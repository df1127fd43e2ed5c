"""How more than 10,000 products are read from an API that shows no more of them than that: in windows of their price.

The export API gives 500 pages of 20. Behind it a catalogue may be larger; then it is cut, by price, until each part
fits, and the pages of the parts are numbered through. Windows share their bounds, for nobody has said whether G2A
counts a bound in: a product that costs as much may come twice, and is never left out. Whatever has no price falls out
of every window; when they hold fewer products together than the catalogue, that is told, and not passed over.
"""

import datetime
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

PAGE_SIZE = 20
PAGES_MAX = 500
SHOWN_MAX = PAGE_SIZE * PAGES_MAX
FIRST_CUT_CENTS = 1_000
"""Where the whole is cut first: about half of all games cost less than 10.00."""
HIGHEST_CENTS = 100_000_000
"""Nothing costs more than a million: where as much is still shown above it, the API ignores what it is asked for."""


class Window(NamedTuple):
    """Products that cost from `low` to `high` cents; None: any more."""

    low: int
    high: int | None


COUNTED_S = 14_400.0
"""How long it is believed how many products there are in a window: longer than any sync takes."""
EVERYTHING = Window(0, None)


class TooDense(Exception):
    """More products than can be shown cost the same."""


class Windows:
    """The parts of one catalogue. What was counted stays counted, so that counting may be interrupted and go on."""

    def __init__(self, total: int, since: datetime.datetime | None = None) -> None:
        self.total = total
        self.since = since
        self._began = time.monotonic()
        self._left = [EVERYTHING]
        self._counted: dict[Window, int] = {EVERYTHING: total}
        self._parts: list[tuple[Window, int]] = []

    @property
    def age_s(self) -> float:
        """Seconds since counting began."""
        return time.monotonic() - self._began

    @property
    def is_cut(self) -> bool:
        """Whether every part fits."""
        return not self._left

    @property
    def pages(self) -> int:
        """The pages of all parts; there is always one."""
        return max(1, sum(pages for _, pages in self._parts))

    @property
    def found(self) -> int:
        """The products of all parts; those at a bound may count twice."""
        return sum(self._counted[window] for window, _ in self._parts)

    async def cut(self, count: Callable[[Window], Awaitable[int]]) -> None:
        """Cut until every part fits; `count` tells how many products a window has. Raises TooDense."""
        while self._left:
            window = self._left[-1]
            if window not in self._counted:
                self._counted[window] = await count(window)
            total = self._counted[window]
            halves = _halves(window) if total > SHOWN_MAX else []
            self._left.pop()
            if halves:
                self._left += reversed(halves)
            elif total:
                self._parts.append((window, -(-total // PAGE_SIZE)))

    def find(self, page: int) -> tuple[Window, int] | None:
        """The window of a page, and its number there; None behind the last one."""
        before = 0
        for window, pages in self._parts:
            if page <= before + pages:
                return window, page - before
            before += pages
        return None


def _halves(window: Window) -> list[Window]:
    low, high = window
    if high is None and low < HIGHEST_CENTS:
        middle = max(FIRST_CUT_CENTS, 2 * low)
    elif high is not None and high - low > 1:
        middle = (low + high) // 2
    else:
        raise TooDense(f"more than {SHOWN_MAX} products cost {low / 100:.2f}, and no more can be shown")
    return [Window(low, middle), Window(middle, high)]
