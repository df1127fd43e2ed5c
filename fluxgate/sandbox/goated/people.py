"""Who is on the leaderboard, and how much each has wagered, computed from numbers.

Everybody plays in bouts: `bout_s` seconds out of every `period_s`, and wagers `rate` in each of them. So what was
wagered by any moment is a whole number of seconds times a rate, which never falls as time goes on, and the counter of a
day, a week or a month is what has come since it began.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from fluxgate.sandbox.goated.clock import DAY_S, LATEST, ORIGIN, Moment
from fluxgate.sandbox.goated.control import PERIODS, Control, Period
from fluxgate.sandbox.goated.names import name_of

TIED_EVERY = 10
"""One of so many wagers exactly as the one three before does."""
STOPPED_PART = 0.45
"""The part of those who have wagered that has stopped within a year: Goated's list has as many."""
SECONDS_A_RATE_MIN = -5.0
"""The least that is wagered in a second is 10 to this power; the most is 10,000 times as much."""


Amounts = tuple[float, float, float, float]
"""Of the periods, in their order."""
NOTHING: Amounts = (0, 0, 0, 0)


class Person(NamedTuple):
    """One of the list. Who has never wagered has a rate of 0."""

    number: int
    uid: str
    name: str
    rate: float
    period_s: int
    bout_s: int
    phase_s: int
    until: int

    def played_s(self, at: int) -> int:
        """The seconds in which was wagered, from the origin to a moment."""
        whole, rest = divmod(min(at, self.until) - ORIGIN + self.phase_s, self.period_s)
        return whole * self.bout_s + min(rest, self.bout_s)

    def wagered(self, moment: Moment, factors: Mapping[Period, float]) -> Amounts:
        """What was wagered today, this week, this month and in all; 0 where nothing was."""
        if not self.rate:
            return NOTHING
        played_s, rate, now = self.played_s, self.rate, self.played_s(moment.at)
        today, week = rate * (now - played_s(moment.today)), rate * (now - played_s(moment.this_week))
        amounts = (today or 0, week or 0, rate * (now - played_s(moment.this_month)) or 0, rate * now or 0)
        if not factors:
            return amounts
        today, week, month, total = (
            amount * factors.get(name, 1.0) or 0 for name, amount in zip(PERIODS, amounts, strict=True)
        )
        return (today, week, month, total)

    def head(self) -> bytes:
        """The first half of an entry, up to the amounts."""
        return b'{"uid":%b,"name":%b,"wagered":' % (json_text(self.uid), json_text(self.name))


def person(number: int, control: Control) -> Person:
    """Somebody."""
    chance = _chance(control.seed, number)
    uid = base64.b64encode(chance[:15], b"aZ").decode()
    name = name_of(number, chance[15:20])
    # Who is tied has the habits of another.
    habit = _chance(control.seed, number - 3) if number % TIED_EVERY == 3 else chance
    is_first = number in (0, 3)
    part = int.from_bytes(habit[20:22], "big") / 65_536
    if not is_first and part >= control.active_percent / 100:
        return Person(number, uid, name, 0.0, 1, 0, 0, 0)
    if is_first:
        # Somebody always plays, so that with every tick there is something new.
        return Person(number, uid, name, 0.0123456789012345, DAY_S, DAY_S, 0, LATEST)
    power = int.from_bytes(habit[22:26], "big") / 2**32
    period_s = (5 + habit[26] % 28) * DAY_S + habit[27]
    bout_s = int(period_s * (0.05 + habit[28] / 256 * 0.2))
    phase_s = int.from_bytes(habit[29:32], "big") % period_s
    has_stopped = habit[16] < 256 * STOPPED_PART
    until = ORIGIN + (30 + habit[17]) * DAY_S if has_stopped else LATEST
    return Person(number, uid, name, 10 ** (SECONDS_A_RATE_MIN + 4 * power), period_s, bout_s, phase_s, until)


def json_text(text: str) -> bytes:
    """A text as JSON, in the letters of its language."""
    return json.dumps(text, ensure_ascii=False).encode()


def _chance(seed: int, number: int) -> bytes:
    """32 bytes that belong to this one and are the same every time."""
    return hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=32).digest()
