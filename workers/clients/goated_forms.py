"""Goated's leaderboard in every form that it has come in, told apart and read.

success  {"success": true, "data": [...]}, as it answers now
list     [...]
data     {"data": [...]}
results  {"results": [...]}
nested   {"data": {"data": [...]}}
periods  {"data": {"today": {"data": [...]}, "weekly": ..., "monthly": ..., "all_time": ...}}

A form that is none of these is a fault, and so is a text that is no JSON: who guesses at money is wrong some day.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from workers.clients.goated import GoatedFault, Leaderboard, Member
from workers.clients.goated_entries import read_entry

BODY_MAX = 64 * 2**20
"""Bytes of one answer: 100,000 people have some 14 MB, with a list for each period up to four times as many."""
REASONS_MAX = 20
"""How many entries are told about that are not as they should be. All of them are counted."""
PERIOD_LISTS = ("all_time", "monthly", "weekly", "today", "this_month", "this_week")
"""Lists of the form `periods`, in the order in which they are believed: everybody is in the first."""
_BOM = b"\xef\xbb\xbf"
# A pair of surrogates and any other escape stay as they are; half of a pair is none, and makes the whole no JSON.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)

_any = msgspec.json.Decoder(Raw)
_list = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Raw])


def require_json(body: bytes | bytearray) -> bytes:
    """A body, if it is JSON. Raises ValueError."""
    whole = bytes(body)
    _sound(whole)
    return whole


def read_leaderboard(body: bytes, etag: str = "") -> Leaderboard:
    """Read the leaderboard out of a body. Raises GoatedFault."""
    try:
        shape, lists = _lists(_sound(body))
    except ValueError as error:
        raise GoatedFault("temporary", "API_BAD_ANSWER", f"Goated has answered with {error}.") from None
    read = _Reading()
    for entries in lists:
        read.add(entries)
    members, bad, bad_count = tuple(read.members.values()), tuple(read.bad), read.bad_count
    return Leaderboard(members, bad, bad_count, shape, etag, len(body), hashlib.sha256(body).digest())


class _Reading:
    """The members that have been read, and what was wrong."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.bad: list[str] = []
        self.bad_count = 0
        self._count = 0

    def add(self, entries: list[Raw]) -> None:
        """Read one list. Who was in a list before this one is known already; who is twice in this one counts with the
        larger of the two amounts of all time."""
        known = frozenset(self.members)
        for raw in entries:
            self._count += 1
            member, why = read_entry(raw)
            if why:
                self._note(why)
            if member is None or member.uid in known:
                continue
            other = self.members.get(member.uid)
            if other is not None:
                self._note("its uid stands in another entry, too")
            if other is None or other.all_time < member.all_time:
                self.members[member.uid] = member

    def _note(self, why: str) -> None:
        self.bad_count += 1
        if len(self.bad) < REASONS_MAX:
            self.bad.append(f"Entry {self._count}: {why}.")


def _lists(body: bytes | Raw) -> tuple[str, list[list[Raw]]]:
    """What form it is, and its lists of entries. Raises ValueError, which says what it is instead."""
    if (entries := _as_list(body)) is not None:
        return "list", [entries]
    document = _as_object(body)
    if document is None:
        raise ValueError("neither a list nor an object")
    if not _is_success(document):
        raise ValueError("no success")
    if (entries := _as_list(document.get("data"))) is not None:
        return ("success" if "success" in document else "data"), [entries]
    if (entries := _as_list(document.get("results"))) is not None:
        return "results", [entries]
    inner = _as_object(document.get("data"))
    if inner is not None:
        if (entries := _as_list(inner.get("data"))) is not None:
            return "nested", [entries]
        lists = list(_period_lists(inner))
        if lists:
            return "periods", lists
    raise ValueError("a document of no known form")


def _period_lists(periods: Mapping[str, Raw]) -> Iterator[list[Raw]]:
    for name in PERIOD_LISTS:
        held = _as_object(periods.get(name))
        entries = _as_list(held.get("data") if held is not None else periods.get(name))
        if entries is not None:
            yield entries


def _is_success(document: Mapping[str, Raw]) -> bool:
    """Whether a document says nothing else: by `success`, or by `status` in the words of another form."""
    if "success" in document:
        return bytes(document["success"]) == b"true"
    return "status" not in document or bytes(document["status"]) in (b'"success"', b'"ok"', b"200")


def _as_list(raw: bytes | Raw | None) -> list[Raw] | None:
    if raw is None:
        return None
    try:
        return _list.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _as_object(raw: bytes | Raw | None) -> dict[str, Raw] | None:
    if raw is None:
        return None
    try:
        return _object.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _sound(body: bytes) -> bytes:
    """The same JSON without what keeps it from being read: a mark of the order of bytes, and halves of surrogate pairs,
    which become U+FFFD. Raises ValueError where it is no JSON."""
    body = body.removeprefix(_BOM)
    if _is_json(body):
        return body
    mended = _ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], body)
    if mended != body and _is_json(mended):
        return mended
    raise ValueError("no JSON" if body.strip() else "nothing")


def _is_json(body: bytes) -> bool:
    try:
        _any.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True
