"""Redis in one process: keys, streams and groups, as far as gateway and workers use them, on a clock that may step.

What it answers is compared with a real Valkey by `test_redis_model.py`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from contract.messages import Order
from tests.simulation.network import Server

START_US = 1_795_000_000_000_000
EntryId = tuple[int, int]
Fields = dict[bytes, bytes]
NOTHING: EntryId = (0, 0)


@dataclass
class Pending:
    """An entry that a consumer holds."""

    consumer: str
    delivered_ms: int
    count: int = 1


@dataclass
class Group:
    """A consumer group. The ids in `pending` ascend, because entries are given out in their order."""

    last: EntryId = NOTHING
    pending: dict[EntryId, Pending] = field(default_factory=dict[EntryId, Pending])
    consumers: dict[str, int] = field(default_factory=dict[str, int])
    """When each consumer was seen, in milliseconds."""


@dataclass
class Stream:
    """A stream with its groups."""

    entries: dict[EntryId, Fields] = field(default_factory=dict[EntryId, Fields])
    last: EntryId = NOTHING
    groups: dict[str, Group] = field(default_factory=dict[str, Group])
    waiting: list[asyncio.Future[Any]] = field(default_factory=list[asyncio.Future[Any]])
    """Readers that an entry, or the end of their group, wakes."""


@dataclass
class History:
    """What the scripts have decided since the beginning: the truth that everything else is held against."""

    accepted: dict[str, tuple[Order, int]] = field(default_factory=dict[str, tuple[Order, int]])
    cancelled: set[str] = field(default_factory=set[str])


class RedisModel(Server):
    """The data, and the commands on it. `now_s` is the clock of the simulation."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__(
            lambda: RedisConnectionError("Connection refused"), lambda: RedisConnectionError("Connection lost")
        )
        self._now_s = now_s
        self.step_us = 0
        self.maxlen: int | None = None
        self.data: dict[str, Any] = {}
        self.ends_ms: dict[str, int] = {}
        self.history = History()

    @property
    def now_us(self) -> int:
        """Microseconds since 1970, by the clock of this server."""
        return START_US + round(self._now_s() * 1_000_000) + self.step_us

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970, by the clock of this server."""
        return self.now_us // 1000

    # Keys

    def get(self, key: str) -> Any:
        """The value of a key: bytes, a hash or a stream; None where there is none."""
        ends = self.ends_ms.get(key)
        if ends is not None and ends <= self.now_ms:
            self.delete(key)
        return self.data.get(key)

    def set(self, key: str, value: bytes, ttl_ms: int | None = None) -> None:
        """Set a string; without `ttl_ms` it has no end."""
        self.data[key] = value
        self.ends_ms.pop(key, None)
        if ttl_ms is not None:
            self.ends_ms[key] = self.now_ms + ttl_ms

    def delete(self, key: str) -> None:
        """Delete a key."""
        self.data.pop(key, None)
        self.ends_ms.pop(key, None)

    def ttl_ms(self, key: str) -> int:
        """Milliseconds to the end of a key; -1 where it has none, -2 where there is no key."""
        if self.get(key) is None:
            return -2
        return self.ends_ms[key] - self.now_ms if key in self.ends_ms else -1

    def hash(self, key: str) -> dict[bytes, bytes]:
        """A hash to write to, made where it is missing."""
        return self.data.setdefault(key, {})

    def fields(self, key: str) -> Fields:
        """A hash to read; empty where there is none."""
        return self.get(key) or {}

    def add(self, key: str, field: bytes, units: int) -> None:
        """HINCRBY."""
        found = self.hash(key)
        found[field] = b"%d" % (int(found.get(field, b"0")) + units)

    # Streams

    def stream(self, key: str) -> Stream | None:
        """A stream, if there is one."""
        return self.data.get(key)

    def xadd(self, key: str, fields: Fields) -> EntryId:
        """Append an entry and wake the readers. Ids ascend although the clock steps back."""
        stream: Stream = self.data.setdefault(key, Stream())
        stream.last = max((self.now_ms, 0), (stream.last[0], stream.last[1] + 1))
        stream.entries[stream.last] = fields
        while self.maxlen is not None and len(stream.entries) > self.maxlen:
            del stream.entries[next(iter(stream.entries))]
        _wake(stream)
        return stream.last

    def group(self, key: str, name: str) -> tuple[Stream, Group]:
        """A stream and a group of it. Raises NOGROUP where either is missing."""
        stream = self.stream(key)
        if stream is None or name not in stream.groups:
            raise ResponseError(f"NOGROUP No such key '{key}' or consumer group '{name}'")
        return stream, stream.groups[name]

    def xgroup_create(self, key: str, name: str, start: str) -> None:
        """Create a group that begins behind `start`: an id, or $ for the end."""
        stream: Stream = self.data.setdefault(key, Stream())
        if name in stream.groups:
            raise ResponseError("BUSYGROUP Consumer Group name already exists")
        stream.groups[name] = Group(stream.last if start == "$" else read_id(start))

    def xgroup_destroy(self, key: str, name: str) -> int:
        """Delete a group, and what it knew; 0 where there is none."""
        stream = self.stream(key)
        gone = stream.groups.pop(name, None) if stream else None
        if stream and gone:
            _wake(stream)
        return int(gone is not None)

    def xread_new(self, key: str, name: str, consumer: str, count: int) -> list[tuple[bytes, Fields]]:
        """Entries that nobody of the group has had; they are pending from now on."""
        stream, group = self.group(key, name)
        group.consumers[consumer] = self.now_ms
        fresh = [entry for entry in stream.entries if entry > group.last][:count]
        for entry in fresh:
            group.last = entry
            group.pending[entry] = Pending(consumer, self.now_ms)
        return [(show_id(entry), stream.entries[entry]) for entry in fresh]

    def xread_held(self, key: str, name: str, consumer: str, count: int) -> list[tuple[bytes, Fields | None]]:
        """Entries that this consumer holds; None for the fields of one that was deleted."""
        stream, group = self.group(key, name)
        group.consumers[consumer] = self.now_ms
        held = [entry for entry, pending in group.pending.items() if pending.consumer == consumer][:count]
        for entry in held:
            if entry in stream.entries:
                group.pending[entry] = Pending(consumer, self.now_ms, group.pending[entry].count + 1)
        return [(show_id(entry), stream.entries.get(entry)) for entry in held]

    def xautoclaim(self, key: str, name: str, consumer: str, idle_ms: int, start: str, count: int) -> list[Any]:
        """Entries that their consumers have held for `idle_ms`: cursor, entries, and ids that were deleted."""
        stream, group = self.group(key, name)
        group.consumers[consumer] = self.now_ms
        claimed: list[tuple[bytes, Fields]] = []
        deleted: list[bytes] = []
        left, tries = count, 10 * count
        candidates = [entry for entry in group.pending if entry >= read_id(start)]
        while candidates and left and tries:
            entry, tries = candidates.pop(0), tries - 1
            if entry not in stream.entries:
                del group.pending[entry]
                deleted.append(show_id(entry))
                left -= 1
            elif self.now_ms - group.pending[entry].delivered_ms >= idle_ms:
                group.pending[entry] = Pending(consumer, self.now_ms, group.pending[entry].count + 1)
                claimed.append((show_id(entry), stream.entries[entry]))
                left -= 1
        return [show_id(candidates[0] if candidates else NOTHING), claimed, deleted]

    def xpending(self, key: str, name: str, first: str, last: str) -> list[dict[str, Any]]:
        """Who holds the entries from `first` to `last`."""
        _, group = self.group(key, name)
        return [
            {
                "message_id": show_id(entry),
                "consumer": pending.consumer.encode(),
                "time_since_delivered": self.now_ms - pending.delivered_ms,
                "times_delivered": pending.count,
            }
            for entry, pending in group.pending.items()
            if read_id(first) <= entry <= read_id(last)
        ]

    def xrange(self, key: str, first: str, last: str, count: int | None) -> list[tuple[bytes, Fields]]:
        """Entries in their order. `first` is -, an id, or an id behind a bracket, which it leaves out."""
        stream = self.stream(key) or Stream()
        low = read_id(first.lstrip("(")) if first != "-" else NOTHING
        high = read_id(last) if last != "+" else stream.last
        found = [entry for entry in stream.entries if low <= entry <= high and not (first[0] == "(" and entry == low)]
        return [(show_id(entry), stream.entries[entry]) for entry in found[:count]]


def read_id(text: str | bytes) -> EntryId:
    """An id of an entry, as numbers that can be compared."""
    ms, _, seq = (text.decode() if isinstance(text, bytes) else text).partition("-")
    return int(ms), int(seq or 0)


def show_id(entry: EntryId) -> bytes:
    """An id as Redis writes it."""
    return b"%d-%d" % entry


def _wake(stream: Stream) -> None:
    waiting, stream.waiting = stream.waiting, []
    for reader in waiting:
        if not reader.done():
            reader.set_result(None)
