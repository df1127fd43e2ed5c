"""Rows in the order of a time that they have: computed ones, and those that have moved or come since."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple


class Place(NamedTuple):
    """Where a row stands among those of several timelines: its time in seconds, its timeline, its number."""

    at: int
    source: int
    number: int


class Timeline:
    """The rows from 0 to `count`, whose times `at` gives and which never fall, and what differs from that."""

    def __init__(self, count: int, at: Callable[[int], int]) -> None:
        self._base = range(count)
        self._at = at
        self._moved: dict[int, int] = {}
        self._sorted: list[tuple[int, int]] = []
        self.count = count

    def at(self, number: int) -> int:
        """When a row is."""
        moved = self._moved.get(number)
        return self._at(number) if moved is None else moved

    def add(self, at: int) -> int:
        """Let another row come; its number."""
        number = self.count
        self.count += 1
        self.move(number, at)
        return number

    def move(self, number: int, at: int) -> None:
        """Let a row be at another time."""
        if number in self._moved:
            del self._sorted[bisect_left(self._sorted, (self._moved[number], number))]
        self._moved[number] = at
        insort(self._sorted, (at, number))

    def between(self, after: int, before: int) -> Iterator[tuple[int, int]]:
        """Times and numbers of the rows from `after` until before `before`, in their order."""
        return heapq.merge(self._computed(after, before), self._others(after, before))

    def _computed(self, after: int, before: int) -> Iterator[tuple[int, int]]:
        for number in self._base[bisect_left(self._base, after, key=self._at) :]:
            at = self._at(number)
            if at >= before:
                return
            if number not in self._moved:
                yield at, number

    def _others(self, after: int, before: int) -> Iterator[tuple[int, int]]:
        for place in range(bisect_left(self._sorted, (after, -1)), len(self._sorted)):
            if self._sorted[place][0] >= before:
                return
            yield self._sorted[place]


def rows_after(
    timelines: Sequence[Timeline], after: int, before: int, last: Place | None, size: int
) -> tuple[list[Place], bool]:
    """The next rows of all timelines after the last one that was seen, and whether others follow them."""
    start = max(after, last.at) if last else after
    merged = heapq.merge(*(_placed(timeline, source, start, before) for source, timeline in enumerate(timelines)))
    found = list(islice((place for place in merged if last is None or place > last), size + 1))
    return found[:size], len(found) > size


def _placed(timeline: Timeline, source: int, after: int, before: int) -> Iterator[Place]:
    return (Place(at, source, number) for at, number in timeline.between(after, before))


def spread(count: int, begins: int, ends: int) -> Callable[[int], int]:
    """Times for so many rows, evenly between two moments; the last row is at the end."""
    gap = (ends - begins) / max(1, count)
    return lambda number: ends - int((count - 1 - number) * gap)
