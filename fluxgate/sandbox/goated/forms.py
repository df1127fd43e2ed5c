"""The envelopes that the list has come in, now and earlier."""

from collections.abc import Sequence
from typing import NamedTuple

from fluxgate.sandbox.goated.control import Form

OWN_PERIODS = ("today", "weekly", "monthly", "all_time")
"""What the counters are called where each has a list of its own."""


class Entry(NamedTuple):
    """An entry as it is told, and its amounts by period; None where it is not as it should be."""

    said: bytes
    amounts: Sequence[float] | None


def enveloped(form: Form, entries: Sequence[Entry]) -> tuple[bytes, str]:
    """The body, and its content type."""
    content_type = "application/json; charset=utf-8"
    match form:
        case "success":
            return b'{"success":true,"data":%b}' % _list(entries), content_type
        case "list":
            return _list(entries), content_type
        case "data":
            return b'{"data":%b}' % _list(entries), content_type
        case "results":
            return b'{"results":%b}' % _list(entries), content_type
        case "nested":
            return b'{"data":{"data":%b}}' % _list(entries), content_type
        case "periods":
            return _periods(entries), content_type
        case "text":
            lines = b"\n".join(entry.said for entry in entries)
            return b"Referral leaderboard:\n" + lines, "text/plain; charset=utf-8"
        case "refused":
            return b'{"success":false,"message":"The leaderboard is not available."}', content_type


def _list(entries: Sequence[Entry]) -> bytes:
    return b"[%b]" % b",".join(entry.said for entry in entries)


def _periods(entries: Sequence[Entry]) -> bytes:
    """A list for each period: everybody in that of all time, and in the others who has wagered in it."""
    lists: list[bytes] = []
    for number, name in enumerate(OWN_PERIODS):
        is_all = name == "all_time"
        held = [entry for entry in entries if is_all or entry.amounts is None or entry.amounts[number] > 0]
        lists.append(b'"%b":{"data":%b}' % (name.encode(), _list(held)))
    return b'{"status":"success","metadata":{"totalUsers":%d},"data":{%b}}' % (len(entries), b",".join(lists))
