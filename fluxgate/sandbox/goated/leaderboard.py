"""The one list that there is: who is on it, and how it is told at a moment, with the ETag of what is told.

What was told is kept until the clock, the control or the people change: 100,000 people take some 11 MB.
"""

import base64
import hashlib
from typing import NamedTuple

from fluxgate.sandbox.goated.clock import Clock
from fluxgate.sandbox.goated.control import Advance, Control, Oddity
from fluxgate.sandbox.goated.forms import Entry, enveloped
from fluxgate.sandbox.goated.odd import oddities, spoiled
from fluxgate.sandbox.goated.people import Amounts, Person, person
from fluxgate.sandbox.replies import Refused

IDLE = b'{"today":0,"this_week":0,"this_month":0,"all_time":0}}'
PEOPLE_MAX = 1_200_000


class Row(NamedTuple):
    """Somebody, and what he has wagered by period."""

    person: Person
    amounts: Amounts


class Told(NamedTuple):
    """What is told: the body, its ETag, whose rows it is made of, and which uids have an odd entry."""

    body: bytes
    content_type: str
    etag: str
    at: int
    rows: list[Row]
    odd: dict[str, Oddity]


class Leaderboard:
    """The list. `changed` has to be called when the control was."""

    def __init__(self, control: Control, clock: Clock) -> None:
        self._control = control
        self._clock = clock
        self._people: list[Person] = []
        # Of everybody by number: the entry of one who has wagered nothing, else the first half of the entry.
        self._said: dict[int, bytes] = {}
        self._next = 0
        self._told: Told | None = None
        self.begin()

    def begin(self) -> None:
        """Make all people anew."""
        self._people = []
        self._said = {}
        self._next = 0
        self._add(self._control.users)
        self.changed()

    def changed(self) -> None:
        """Forget what was told."""
        self._told = None

    def told(self) -> Told:
        """What the list is now."""
        at = self._clock.at()
        if self._told is None or self._told.at != at:
            self._told = self._tell(at)
        return self._told

    def advance(self, wanted: Advance) -> dict[str, list[str]]:
        """Let people come, go, and be called otherwise; gives the uids. Raises Refused."""
        if len(self._people) + wanted.added > PEOPLE_MAX:
            raise Refused(503, "", f"The sandbox has {PEOPLE_MAX} people at most; reset it.")
        gone = {*wanted.remove, *(one.uid for one in self._people[: wanted.removed])}
        removed = [one for one in self._people if one.uid in gone]
        self._people = [one for one in self._people if one.uid not in gone]
        last = self._people[len(self._people) - min(wanted.renamed, len(self._people)) :]
        names = {one.uid: f"{one.name} II" for one in last} | wanted.rename
        renamed: list[str] = []
        for number, one in enumerate(self._people if names else ()):
            if one.uid in names:
                self._people[number] = one._replace(name=names[one.uid])
                self._say(self._people[number])
                renamed.append(one.uid)
        added = self._add(wanted.added)
        for one in removed:
            del self._said[one.number]
        self.changed()
        return {
            "added": [one.uid for one in added],
            "removed": [one.uid for one in removed],
            "renamed": renamed,
        }

    def _add(self, count: int) -> list[Person]:
        added = [person(number, self._control) for number in range(self._next, self._next + count)]
        self._next += count
        for one in added:
            self._say(one)
        self._people += added
        return added

    def _say(self, one: Person) -> None:
        self._said[one.number] = one.head() + (b"" if one.rate else IDLE)

    def _tell(self, at: int) -> Told:
        now, before = self._clock.moment(at), self._clock.moment(self._clock.before)
        half = len(self._people) // 2 if self._control.is_torn else 0
        factors = self._control.factors
        rows = [
            Row(one, one.wagered(before if number < half else now, factors)) for number, one in enumerate(self._people)
        ]
        odd = self._odd(rows)
        entries = [Entry(bytes(raw), None) for raw in self._control.entries]
        entries += [self._entry(row, odd) for row in rows]
        body, content_type = enveloped(self._control.form, entries)
        digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest())[:27].decode()
        etag = f'W/"{len(body):x}-{digest}"' if self._control.etag == "weak" else ""
        return Told(body, content_type, etag, at, rows, odd)

    def _odd(self, rows: list[Row]) -> dict[str, Oddity]:
        """Whose entries are wrong, and how: those of people who have wagered first."""
        wanted = oddities(self._control.odd)
        if not wanted:
            return {}
        in_order = sorted(rows, key=lambda row: not row.person.rate)
        return {row.person.uid: what for row, what in zip(in_order, wanted, strict=False)}

    def _entry(self, row: Row, odd: dict[str, Oddity]) -> Entry:
        one, amounts = row
        what = odd.get(one.uid)
        if what:
            return Entry(spoiled(what, one.uid, one.name, amounts), None)
        said = self._said[one.number]
        if one.rate:
            today, week, month, total = amounts
            wagered = f'{{"today":{today!r},"this_week":{week!r},"this_month":{month!r},"all_time":{total!r}}}}}'
            said += wagered.encode()
        return Entry(said, amounts)
