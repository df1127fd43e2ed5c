"""What the routes about Goated's leaderboard share, and POST /api/admin/goated/sync.

What is cached may be read long after it was filled, while the worker is away. So whatever of it depends on the hour is
looked at again when it is answered: how old its figures are, and whether the time of a race is over.
"""

import datetime
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from contract.goated import BATCH_MAX, DEPTH_MAX, PAGE_MAX, QUERY_MAX, STALE_AFTER
from gateway.asking import answered
from gateway.body import API_BODY_MAX, decode, read_body
from gateway.cached_reads import Terms
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.identity import admin
from gateway.replying import Reply
from gateway.rsgi import Header

WORKER = "goated"
SYNC_EXAMPLE = '{"accept":false}'
FIELDS_MAX = 16
"""Parameters of a URL that are looked at; three are known."""
DAY_S = 86_400
PLACES_KEPT = 500
"""Places that are kept for a day, so that an outage of worker or database is lived through: with every limit that can
be asked for 40 MB in all. Whoever leafs on must not fill the memory of the sale with pages that nobody else reads."""
_FOR_SECONDS: Header = ("cache-control", "public, max-age=10")
NEAR = Terms(10, DAY_S, _FOR_SECONDS)
FAR = Terms(10, 30, _FOR_SECONDS)
SENTENCES = {
    "page": f"page is a whole number from 1 to {DEPTH_MAX}",
    "limit": f"limit is a whole number from 1 to {PAGE_MAX}",
    "period": "period is one of today, weekly, monthly, all_time",
    "q": f"q has 1 to {QUERY_MAX} characters, and no control characters",
    "ids": f"ids are 1 to {BATCH_MAX} ids of 1 to 128 characters each, with commas between them",
}
T = TypeVar("T")


class SyncBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a leaderboard is to be taken that cannot be true."""

    accept: bool = False


_bodies = msgspec.json.Decoder(SyncBody)


async def begin_sync(call: Call) -> Reply:
    """POST /api/admin/goated/sync: what came of it, or 202 with where that will be told."""
    who = admin(call)
    body = await read_body(call.headers, call.exchange, call.gate.patience, API_BODY_MAX)
    wanted = decode(call.headers, body, _bodies, SYNC_EXAMPLE) if body else SyncBody()
    return await answered(call, WORKER, "sync", wanted, who)


def read_query(call: Call, form: type[T], fixed: Mapping[str, Any] | None = None) -> T:
    """What the URL asks for, as a form whose fields have SENTENCES; `fixed` are fields that no URL may set.

    Raises Refused with 400 and a sentence about the parameter at fault.
    """
    try:
        pairs = parse_qsl(call.scope.query_string, max_num_fields=FIELDS_MAX, keep_blank_values=True)
        given = [(name, value) for name, value in pairs if name in SENTENCES]
        names = [name for name, _ in given]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Send the parameter {twice[0]} once")
        return msgspec.convert(dict(given) | dict(fixed or {}), form, strict=False)
    except ValueError as error:
        # Of what does not convert, the field stands behind the reason; and of what is missing.
        field = (str(error).partition(" - at `$.")[2] or str(error).partition("required field `")[2]).rstrip("`")
        refuse(call.request_id, 400, "BAD_REQUEST", f"{SENTENCES.get(field, str(error))}.")


def terms_of(page: int, limit: int) -> Terms:
    """How long a page is kept."""
    return NEAR if page * limit <= PLACES_KEPT else FAR


def is_stale(last_updated: datetime.datetime | None) -> bool:
    """Whether figures are too old by now to be told as those of now."""
    return last_updated is None or datetime.datetime.now(datetime.UTC) - last_updated > STALE_AFTER


def marked_stale(found: Reply) -> Reply:
    """The same document, told as stale."""
    # In a text every quotation mark is escaped, so this can be nothing but the field.
    return msgspec.structs.replace(found, body=found.body.replace(b'"stale":false', b'"stale":true', 1))
