"""Reads what Amazon's documents say, value by value: what is absent is None, and nothing is made up.

Enumerations grow and lists come that no model knows, so that words are taken as they are. An entry that cannot be read
takes no other one with it.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from workers.clients.amazon import Page, Window

ID_MAX = 255
"""Characters of what identifies something. A longer one is no id: cut, it could be that of something else."""
NAME_MAX = 500
NEXT_MAX = 16_384
"""Characters of the token of a page: it goes into a URL."""
COUNT_MAX = 2**31 - 1
"""The highest number of units: what a column of four bytes takes."""
BAD_MAX = 100
"""Entries of a page of which is told why they cannot be read: as many as most pages have."""
MILLISECONDS_FROM = 100_000_000_000
"""Seconds since 1970 from here on are milliseconds: so many seconds would be the year 5138."""
_FRACTION = re.compile(r"(\.\d{1,6})\d*")
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,30})?(E[+-]?\d{1,2})?")

Row = TypeVar("Row")


def document(told: Any) -> dict[str, Any]:
    """What is told, as an object; an empty one where it is none."""
    return cast(dict[str, Any], told) if isinstance(told, dict) else {}


def inside(data: Any, name: str) -> dict[str, Any]:
    """The object of this name, which must be there. Raises ValueError."""
    told = document(data).get(name)
    if not isinstance(told, dict):
        raise ValueError(f"there is no {name} in it")
    return cast(dict[str, Any], told)


def listed(data: Any, name: str, *, is_optional: bool = False) -> list[Any]:
    """The list of this name. Raises ValueError where there is none, though one must be there or something else is."""
    told = document(data).get(name)
    if told is None and is_optional:
        return []
    if not isinstance(told, list):
        raise ValueError(f"{name} is no list")
    return cast(list[Any], told)


def next_token(data: Any, name: str) -> str:
    """The token of the page after this one; "" on the last one. Raises ValueError."""
    told = document(data).get(name)
    if told is None:
        return ""
    if not isinstance(told, str) or len(told) > NEXT_MAX:
        raise ValueError(f"{name} is no token")
    return told


def page(entries: Sequence[Any], read: Callable[[Any], Row], token: str) -> Page[Row]:
    """A page of these entries. `read` raises ValueError for one that cannot be read."""
    rows: list[Row] = []
    bad: list[str] = []
    for entry in entries:
        try:
            rows.append(read(entry))
        except ValueError as error:
            bad.append(str(error))
    return Page(rows, bounded(bad), token)


def bounded(bad: Sequence[str]) -> list[str]:
    """As many reasons as are told, and how many there are beside them."""
    told = [reason[:NAME_MAX] for reason in bad[:BAD_MAX]]
    return told if len(bad) <= BAD_MAX else [*told, f"and {len(bad) - BAD_MAX} more"]


def identity(entry: Any, name: str) -> str:
    """What identifies an entry. Raises ValueError where it has none."""
    told = document(entry).get(name)
    if isinstance(told, int) and not isinstance(told, bool):
        told = str(told)
    if not isinstance(told, str) or not told.strip():
        raise ValueError(f"an entry has no {name}")
    if len(told) > ID_MAX:
        raise ValueError(f"an entry has a {name} of more than {ID_MAX} characters")
    return told


def identity_or_none(entry: Any, name: str) -> str | None:
    """What identifies something else; None where nothing is told. Raises ValueError where it cannot be that."""
    return identity(entry, name) if document(entry).get(name) not in (None, "") else None


def text(entry: Any, name: str, most: int = ID_MAX) -> str | None:
    """A text, cut; None where there is none."""
    told = document(entry).get(name)
    return told[:most] if isinstance(told, str) and told.strip() else None


def whole(entry: Any, name: str) -> int | None:
    """A number of units, perhaps told as a text; None where there is none that can be."""
    told = document(entry).get(name)
    if isinstance(told, bool) or not isinstance(told, int | str):
        return None
    if isinstance(told, str):
        if not re.fullmatch(r"-?[0-9]{1,10}", told):
            return None
        told = int(told)
    return told if abs(told) <= COUNT_MAX else None


def total(*numbers: int | None) -> int | None:
    """The sum of those that are told; None where none is, or where it can be no number of units."""
    told = [number for number in numbers if number is not None]
    return sum(told) if told and abs(sum(told)) <= COUNT_MAX else None


def instant(told: Any) -> datetime.datetime | None:
    """A time in UTC: any form of ISO 8601, without a zone in UTC, or seconds or milliseconds since 1970, as Amazon's
    own examples have them too; None where it is no time."""
    if isinstance(told, bool) or told is None:
        return None
    try:
        given = str(told).strip().upper()
        if _NUMBER.fullmatch(given) and len(given) != len("20260131"):
            seconds = float(given)
            if abs(seconds) >= MILLISECONDS_FROM:
                seconds /= 1000
            return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        time = datetime.datetime.fromisoformat(_FRACTION.sub(r"\1", given, count=1))
        return (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def stamp(time: datetime.datetime) -> str:
    """A time as Amazon takes it."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamps(window: Window, after: str, before: str) -> dict[str, str]:
    """A window as parameters of these names."""
    return {after: stamp(window.after), before: stamp(window.before)}


def with_token(params: dict[str, str], name: str, token: str) -> dict[str, str]:
    """The parameters of a page: those of the first one, and the token, as Amazon wants them."""
    return {**params, name: token} if token else params
