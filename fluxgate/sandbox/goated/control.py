"""What can be told to misbehave, and its limits: the documents of `/sandbox/control` and `/sandbox/advance`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fluxgate.sandbox.faults import FAULTS_MAX, Count, Fault

# Of one control document, which has 256 KB at most.
ENTRIES_MAX = 10_000
UIDS_MAX = 10_000
Period = Literal["today", "this_week", "this_month", "all_time"]
PERIODS: tuple[Period, ...] = ("today", "this_week", "this_month", "all_time")
Form = Literal["success", "list", "data", "results", "nested", "periods", "text", "refused"]
"""success: `{"success":true,"data":[...]}`, as Goated answers now. list: the list alone. data: `{"data":[...]}`.
results: `{"results":[...]}`. nested: `{"data":{"data":[...]}}`. periods: a list for each period. text: a page in which
the list stands. refused: `{"success":false}` with status 200."""
Oddity = Literal[
    "null_amount",
    "invalid_amount",
    "text_amount",
    "nan_amount",
    "bare_nan",
    "missing_amount",
    "missing_wagered",
    "negative_amount",
    "huge_amount",
    "missing_uid",
    "null_uid",
    "number_uid",
    "long_uid",
    "duplicate_uid",
    "missing_name",
    "ugly_name",
    "long_name",
    "not_an_object",
]
Uid = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(max_length=1_000)]
Few = Annotated[int, Meta(ge=0, le=100_000)]


class Control(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the sandbox behaves."""

    # Of every answer.
    latency_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    faults: Annotated[list[Fault], Meta(max_length=FAULTS_MAX)] = []
    # Whether a request needs a bearer token; a wrong one is refused unless nobody looks.
    auth: Literal["required", "optional", "none"] = "required"
    # How long a new token is good.
    expires_in_s: Annotated[int, Meta(ge=1, le=30 * 86_400)] = 3600
    # Whether each use of a refresh token gives another, and ends the old one.
    rotates: bool = False
    # How many people there are, how many of a hundred have ever wagered, and what all of it is computed from; to change
    # one of them makes all people anew.
    users: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    active_percent: Annotated[float, Meta(ge=0, le=100)] = 9.0
    seed: Count = 1
    # How often the wagers grow, in seconds; 0: the clock stands, and nothing grows unless it is moved.
    tick_s: Annotated[int, Meta(ge=0, le=86_400)] = 60
    # The zone in which the counters begin anew: hours east of UTC.
    zone_offset_h: Annotated[float, Meta(ge=-12, le=14)] = 0.0
    # The first half of the list is as it was before the clock was moved last.
    is_torn: bool = False
    form: Form = "success"
    # Amounts of a period are told as so many times what they are: 0.5 lets them fall by half.
    factors: dict[Period, Annotated[float, Meta(ge=0, le=1_000)]] = {}
    # How many entries are wrong, and how: those of people who have wagered come first.
    odd: dict[Oddity, Few] = {}
    # Entries before all others, told as they are given.
    entries: Annotated[list[msgspec.Raw], Meta(max_length=ENTRIES_MAX)] = []
    # Whether the list is told to be the same by its ETag.
    etag: Literal["weak", "missing"] = "weak"


class Advance(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """How things move on: the document of `POST /sandbox/advance`."""

    # The clock: to a moment in RFC 3339, and so many seconds further.
    to: str = ""
    seconds: Annotated[int, Meta(ge=-(10**9), le=10**9)] = 0
    # How many come; how many of the first, or who, go; how many of the last, or who, are called otherwise.
    added: Few = 0
    removed: Few = 0
    renamed: Few = 0
    remove: Annotated[list[Uid], Meta(max_length=UIDS_MAX)] = []
    rename: Annotated[dict[Uid, Name], Meta(max_length=UIDS_MAX)] = {}
