"""The time that it is at Goated, and when its counters of days, weeks and months began."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from fluxgate.sandbox.goated.control import Control

DAY_S = 86_400
ORIGIN = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
"""When people began to wager."""
EARLIEST = ORIGIN + 60 * DAY_S
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
"""Between which the clock can stand: from the first, every counter began after the origin."""


class Moment(NamedTuple):
    """A time, and when its day, week and month began, all in seconds of Unix time."""

    at: int
    today: int
    this_week: int
    this_month: int


class Clock:
    """The clock. It goes in steps of `tick_s`, and stands where those are 0; moved, it can be any time."""

    def __init__(self, control: Control, real: Callable[[], float] = time.time) -> None:
        self._control = control
        self._real = real
        self._from = int(real())
        self._since = real()
        self.before = self._from
        """What time it was before it was moved last."""

    def at(self) -> int:
        """The time, in seconds of Unix time."""
        tick_s = self._control.tick_s
        gone_s = self._real() - self._since
        return self._from + (int(gone_s / tick_s) * tick_s if tick_s else 0)

    def move(self, to: int) -> None:
        """Let it be another time."""
        self.before = self.at()
        self._begin(to)

    def keep(self) -> None:
        """Let it be what it is now, and go on as the control says from here."""
        self._begin(self.at())

    def moment(self, at: int) -> Moment:
        """A time with its counters, in the zone of the control."""
        zone = timezone(timedelta(hours=self._control.zone_offset_h))
        day = datetime.fromtimestamp(at, zone).replace(hour=0, minute=0, second=0)
        week = day - timedelta(days=day.weekday())
        return Moment(at, *(int(begun.timestamp()) for begun in (day, week, day.replace(day=1))))

    def _begin(self, at: int) -> None:
        self._from = at
        self._since = self._real()
