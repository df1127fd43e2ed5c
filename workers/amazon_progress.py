"""How far a sync with Amazon is, in percent and in words: what is estimated is said to be so."""

from datetime import datetime
from typing import NamedTuple

from workers.amazon_cursor import Cursor
from workers.amazon_documents import RateLimit
from workers.clients.amazon import Pace

CONNECTING = "Connecting to Amazon..."
MESSAGES = {
    "begin": CONNECTING,
    "claims": "Fetching claims...",
    "inventory": "Fetching inventory data...",
    "orders": "Fetching orders...",
    "items": "Fetching items of the newest orders...",
    "end": "Finalizing sync...",
}
STEPS = {"begin": 1, "claims": 2, "inventory": 3, "orders": 4, "items": 5, "end": 5}
_PERCENT = {
    "begin": (0, 5),
    "claims": (5, 35),
    "inventory": (35, 60),
    "orders": (60, 90),
    "items": (90, 99),
    "end": (99, 99),
}
HALF_AT_PAGES = 10
"""Where nothing else is known, a part counts as half done after so many pages, as two thirds after twice as many."""
SHARE_MAX = 0.95
"""Of a part that has not ended."""
ESTIMATED_FROM = 0.01
"""The share of a window that must be covered before rows are estimated from it."""
FIGURES = 3
"""Digits of an estimate; more would promise too much."""
EXTRAPOLATED_FROM = 10
"""The progress from which on its pace says something about the end."""
_LONG_MIN = 120.0
_HOUR_S = 3_600.0
_RATE_LEAST = 1e-6


class Wait(NamedTuple):
    """What is told while a turn is awaited, with the seconds that the part is thought to take still, or None."""

    message: str
    limit: RateLimit
    left_s: float | None


def percent(cursor: Cursor, until: datetime) -> int:
    """How far a sync is that reads up to `until`."""
    low, high = _PERCENT[cursor.part]
    return int(low + (high - low) * _share(cursor, until))


def estimated_total(cursor: Cursor, until: datetime) -> int | None:
    """How many rows the part may have; None where nothing says it."""
    covered = _covered(cursor, until)
    if covered < ESTIMATED_FROM or covered >= SHARE_MAX or cursor.pages < 2:
        return None
    total = round(cursor.rows / _share(cursor, until))
    return round(total, FIGURES - len(str(total))) if total >= 10**FIGURES else total


def estimated_end(progress: int, began: datetime, now: datetime) -> datetime | None:
    """When a sync that goes on like this will have ended; None where it is too early to say."""
    return now + (now - began) / progress * (100 - progress) if EXTRAPOLATED_FROM <= progress < 100 else None


def waiting(cursor: Cursor, until: datetime, pace: Pace, after_s: float) -> Wait:
    """What is told of a part that waits for its turn, which comes after so many seconds."""
    every = _figure(1 / max(pace.rate_per_s, _RATE_LEAST))
    what = _things(cursor.part)
    reason = f"Amazon allows {pace.burst} {what} at once, and then one every {every} s."
    limit = RateLimit(pace.operation, pace.rate_per_s, pace.burst, reason)
    doing = MESSAGES[cursor.part].removesuffix("...")
    total, left_s = estimated_total(cursor, until), None
    if total is None or cursor.part == "items":
        so_far = f": {cursor.rows:,} so far" if cursor.rows and cursor.part != "items" else ""
        told = f"the next one comes in about {spoken(after_s)}"
        return Wait(f"{doing}{so_far}. Amazon allows one request every {every} s now; {told}.", limit, None)
    of_page = max(1, round(cursor.met / max(1, cursor.pages)))
    left_s = max(after_s, max(0, total - cursor.rows) / of_page / max(pace.rate_per_s, _RATE_LEAST))
    rate = f"Amazon allows one page of {of_page} every {every} s after the first {pace.burst}"
    told = f"{cursor.rows:,} of about {total:,}. {rate}, so about {spoken(left_s)} are left."
    return Wait(f"{doing}: {told}", limit, left_s)


def spoken(seconds: float) -> str:
    """A time for people: 45 seconds, 12 minutes, 1 h 43 min."""
    if seconds < _LONG_MIN:
        return f"{max(2, round(seconds))} seconds"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if seconds < _HOUR_S else f"{minutes // 60} h {minutes % 60} min"


def _things(part: str) -> str:
    return {
        "claims": "pages of financial events",
        "inventory": "pages of the inventory",
        "orders": "pages of orders",
        "items": "requests for items",
    }[part]


def _share(cursor: Cursor, until: datetime) -> float:
    """The share of a part that is done."""
    if cursor.part == "items":
        return 1 - len(cursor.order_ids) / cursor.wanted if cursor.wanted else 0.0
    inside = _covered(cursor, until) or cursor.pages / (cursor.pages + HALF_AT_PAGES)
    if cursor.part == "claims" and cursor.after:
        inside = (cursor.window + inside) / len(cursor.windows(until))
    return min(SHARE_MAX, inside)


def _covered(cursor: Cursor, until: datetime) -> float:
    """The share of the window that lies between the earliest and the latest time that was seen in it."""
    if cursor.after is None or cursor.first is None or cursor.last is None:
        return 0.0
    window = cursor.windows(until)[cursor.window]
    span = window.before - window.after
    return min(1.0, max(0.0, (cursor.last - cursor.first) / span)) if span.total_seconds() > 0 else 0.0


def _figure(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")
