"""Entries that are not as they should be."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fluxgate.sandbox.goated.control import PERIODS, Oddity

UGLY = "nul \0 bell \a half \ud83d end"
HUGE = 1e308


def oddities(odd: Mapping[Oddity, int]) -> list[Oddity]:
    """What is wrong, one after the other."""
    return [what for what, count in odd.items() for _ in range(count)]


def spoiled(what: Oddity, uid: str, name: str, amounts: Sequence[float]) -> bytes:
    """The entry of somebody, wrong in this way."""
    wagered: dict[str, Any] = dict(zip(PERIODS, amounts, strict=True))
    entry: dict[str, Any] = {"uid": uid, "name": name, "wagered": wagered}
    match what:
        case "not_an_object":
            return _json([uid, name])
        case "missing_uid" | "missing_name" | "missing_wagered":
            del entry[what.removeprefix("missing_")]
        case "duplicate_uid":
            less = {period: amount / 2 for period, amount in wagered.items()}
            return _json(entry | {"wagered": less}) + b"," + _json(entry)
        case "null_uid" | "number_uid" | "long_uid":
            values: dict[str, Any] = {"null_uid": None, "number_uid": 12_345, "long_uid": uid * 4}
            entry["uid"] = values[what]
        case "ugly_name" | "long_name":
            entry["name"] = UGLY if what == "ugly_name" else name[:1] * 3_000
        case "missing_amount":
            del wagered["this_month"]
        case "text_amount":
            wagered.update({period: repr(amount) for period, amount in wagered.items()})
        case _:
            amount = wagered["this_month"]
            odd: dict[Oddity, Any] = {
                "null_amount": None,
                "invalid_amount": "invalid",
                "nan_amount": "NaN",
                # No JSON, though others write it.
                "bare_nan": float("nan"),
                "negative_amount": -amount,
                "huge_amount": HUGE,
            }
            wagered["this_month"] = odd[what]
    return _json(entry)


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
