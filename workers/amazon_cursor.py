"""Where a sync with Amazon stands: which part it reads, at which page, and what this reading has met.

A part is read in passes, from a first page to a last one: one for each window of time, and one more whenever the token
of a page has become stale. A cursor is kept as JSON, in the row of its sync.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from workers.clients.amazon import Window

WINDOW = timedelta(days=180)
"""The longest window of claims: for a longer one Amazon says that there are none."""
PAGES_MAX = 20_000
"""Pages of one pass: two million rows. More is an upstream that never ends."""
RESTARTS_MAX = 5
"""Passes of a part that are given up because the token of a page was stale. One by a pause is common, and so is
another; whoever never gets through in the life of a token will not do so the sixth time either."""
_MARK_CHARACTERS = 32


Place = Literal["begin", "claims", "inventory", "orders", "items", "end"]
"""Where a sync may be: at its beginning, in one of its parts, or behind them."""


class Stuck(Exception):
    """The pages of a part never end. The message is for people."""


class Trail(msgspec.Struct, omit_defaults=True):
    """Finds out that tokens go round in a circle, without keeping them: each is held against one that came before,
    which is exchanged for the newest after 1, 2, 4, 8 … steps (Brent's algorithm)."""

    mark: str = ""
    power: int = 1
    length: int = 0

    def is_round(self, token: str) -> bool:
        """Take the next token; whether it was here before. A circle of n tokens is found after 3 n steps at most,
        counted from its beginning."""
        known = hashlib.sha256(token.encode()).hexdigest()[:_MARK_CHARACTERS]
        if known == self.mark:
            return True
        self.length += 1
        if self.length == self.power:
            self.mark, self.power, self.length = known, self.power * 2, 0
        return False


class Cursor(msgspec.Struct, omit_defaults=True):
    """Where a sync stands. `met` and `bad` count rows of this pass that could be read and that could not, and `_before`
    those of earlier windows; `first` and `last` are the earliest and latest time seen in this pass."""

    part: Place = "begin"
    seller_id: str = ""
    # The beginning of what is read of claims, or of orders.
    after: datetime | None = None
    # Up to where an earlier sync has read: what lies before is read again, and by itself. None: nothing was read.
    reached: datetime | None = None
    window: int = 0
    # The number of this pass; 0: its first page has not been read.
    number: int = 0
    token: str = ""
    token_at: datetime | None = None
    pages: int = 0
    met: int = 0
    bad: int = 0
    met_before: int = 0
    bad_before: int = 0
    restarts: int = 0
    trail: Trail = msgspec.field(default_factory=Trail)
    first: datetime | None = None
    last: datetime | None = None
    # What is deleted now, after a whole pass over the inventory: rows that it has not seen.
    is_sweeping: bool = False
    # Orders whose items are wanted, how many it were, and the items of the first of them that have been read.
    order_ids: list[str] = msgspec.field(default_factory=list[str])
    wanted: int = 0
    items: list[dict[str, Any]] = msgspec.field(default_factory=list[dict[str, Any]])

    @property
    def rows(self) -> int:
        """Rows of the part that were met."""
        return self.met_before + self.met

    @property
    def unread(self) -> int:
        """Rows of the part that could not be read."""
        return self.bad_before + self.bad

    def windows(self, until: datetime) -> list[Window]:
        """The time that the part covers, in windows that Amazon takes."""
        if self.after is None:
            raise ValueError(f"a cursor in {self.part} has no beginning")
        if self.part == "orders":
            return [Window(self.after, until)]
        if self.reached is None or not self.after < self.reached < until:
            return windows(self.after, until)
        return windows(self.after, self.reached) + windows(self.reached, until)

    def moved(self, token: str, token_at: datetime) -> "Cursor":
        """The place of the page that this token stands for. Raises Stuck where it was here before, or too many were."""
        if self.trail.is_round(token):
            raise Stuck("Amazon sends the same pages again and again.")
        if self.pages >= PAGES_MAX:
            raise Stuck(f"Amazon has more than {PAGES_MAX:,} pages.")
        return msgspec.structs.replace(self, token=token, token_at=token_at)

    def restarted(self) -> "Cursor":
        """The beginning of this pass, as another one. Raises Stuck where that was tried too often."""
        if self.restarts >= RESTARTS_MAX:
            raise Stuck(f"Amazon did not let its pages be read to their end, {RESTARTS_MAX + 1} times in a row.")
        return msgspec.structs.replace(self._anew(), restarts=self.restarts + 1)

    def next_window(self) -> "Cursor":
        """The beginning of the next window."""
        anew = self._anew()
        return msgspec.structs.replace(anew, window=self.window + 1, met_before=self.rows, bad_before=self.unread)

    def _anew(self) -> "Cursor":
        anew = Cursor(self.part, self.seller_id, self.after, self.reached, self.window, restarts=self.restarts)
        anew.met_before, anew.bad_before = self.met_before, self.bad_before
        anew.order_ids, anew.wanted = self.order_ids, self.wanted
        return anew


_cursors = msgspec.json.Decoder(Cursor)


def cursor_of(row: Mapping[str, Any]) -> Cursor:
    """The cursor in the row of a sync."""
    return _cursors.decode(row["cursor"])


def windows(after: datetime, until: datetime) -> list[Window]:
    """The time from `after` to `until` in windows that Amazon takes; at least one."""
    found = [Window(after, min(after + WINDOW, until))]
    while found[-1].before < until:
        found.append(Window(found[-1].before, min(found[-1].before + WINDOW, until)))
    return found
