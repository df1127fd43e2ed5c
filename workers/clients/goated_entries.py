"""One entry of Goated's leaderboard: read as it should be, and where it is not, as far as it goes."""

import re
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any, NamedTuple, cast

import msgspec

from workers.clients.goated import Member

NAME_MAX = 200
UID_MAX = 64
"""Characters of a name, which is cut, and of a uid, which is not: two would become one."""
AMOUNT_MAX = Decimal(10**15)
"""What nobody has wagered: more than there is money. An amount beyond it is a slip, and would be the whole sum."""
PLACES_MAX = 40
"""Places behind the point that are kept: a double that is worth a thousandth of a cent has 22."""
PERIODS = ("today", "this_week", "this_month", "all_time")
ZERO = Decimal(0)
_STEP = Decimal(1).scaleb(-PLACES_MAX)
_ROUNDING = Context(prec=PLACES_MAX + 20)
# Controls; NUL is one of them, which no column of Postgres takes.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_UID = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\ufffd]+")
_NUMBER = re.compile(r"[+-]?\d{1,60}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)


class _Wagered(msgspec.Struct):
    today: Decimal
    this_week: Decimal
    this_month: Decimal
    all_time: Decimal


class _Entry(msgspec.Struct):
    uid: str
    name: str
    wagered: _Wagered


class Read(NamedTuple):
    """What was read of an entry: nobody, where it does not say who it is of. `why` says what is wrong with it; "" where
    nothing is."""

    member: Member | None
    why: str


def read_entry(raw: bytes | msgspec.Raw) -> Read:
    """Read an entry. Raises nothing: what it does not say is 0 or nothing."""
    try:
        entry = _strict.decode(raw)
        uid, name, wagered = entry.uid, entry.name, entry.wagered
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
        return _read_odd(bytes(raw))
    today, week = _sound(wagered.today), _sound(wagered.this_week)
    month, total = _sound(wagered.this_month), _sound(wagered.all_time)
    if today is None or week is None or month is None or total is None or not _is_uid(uid):
        return _read_odd(bytes(raw))
    return Read(Member(uid, _clean(name), today, week, month, total), "")


def _read_odd(raw: bytes) -> Read:
    """Read an entry that is not as it should be, member by member."""
    try:
        data = _tolerant.decode(raw.decode("utf-8", "replace"))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Read(None, "it is no JSON")
    if not isinstance(data, dict):
        return Read(None, "it is no object")
    entry = cast(Mapping[str, Any], data)
    uid, name, wagered = entry.get("uid"), entry.get("name"), entry.get("wagered")
    if not isinstance(uid, str) or not uid:
        return Read(None, "it has no uid")
    if not _is_uid(uid):
        return Read(None, f"its uid is none: it has {len(uid)} characters" if len(uid) > UID_MAX else "its uid is none")
    wrong = [] if isinstance(name, str) else ["it has no name"]
    if not isinstance(wagered, dict):
        wagered = {}
        wrong.append("it has no wagers")
    amounts: list[Decimal] = []
    for period in PERIODS:
        amount = _amount(cast(Mapping[str, Any], wagered).get(period))
        if amount is None and wagered:
            wrong.append(f"{period} is no amount")
        amounts.append(ZERO if amount is None else amount)
    member = Member(uid, _clean(name) if isinstance(name, str) else "", *amounts)
    return Read(member, ", ".join(wrong))


def _amount(told: Any) -> Decimal | None:
    """The amount that was told, as a number or as its text; None where none was."""
    if isinstance(told, str) and _NUMBER.fullmatch(told):
        return _sound(Decimal(told))
    if isinstance(told, Decimal):
        return _sound(told)
    return _sound(Decimal(told)) if isinstance(told, int) and not isinstance(told, bool) else None


def _sound(amount: Decimal) -> Decimal | None:
    """The same amount, if it can be one, with no more places than are kept."""
    if not amount:
        # One for all: most of them are.
        return ZERO
    if not amount.is_finite() or not -AMOUNT_MAX < amount < AMOUNT_MAX:
        return None
    if cast(int, amount.as_tuple().exponent) < -PLACES_MAX:
        return amount.quantize(_STEP, context=_ROUNDING) or ZERO
    return amount


def _is_uid(uid: str) -> bool:
    return len(uid) <= UID_MAX and _UID.fullmatch(uid) is not None


def _clean(name: str) -> str:
    return (name if name.isprintable() else _CONTROL.sub("", name))[:NAME_MAX]


def _number(text: str) -> Decimal | None:
    """A number with a fraction or an exponent; None where the exponent is beyond all measure."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return None


_strict = msgspec.json.Decoder(_Entry)
_tolerant = msgspec.json.Decoder(float_hook=_number)
