"""People: GET /api/users/search, /api/users/batch, /api/users/{id} and /api/users/{id}/stats, PATCH /api/users/{id}.

An id is that of a user of ours, or a uid of Goated's. Profiles are for everybody. No text that a client thinks of is
part of a name in the cache: a digest of it is.
"""

from hashlib import blake2b
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from contract.bus import encode
from contract.goated import (
    BATCH_MAX,
    DEPTH_MAX,
    PAGE_DEFAULT,
    PAGE_MAX,
    QUERY_MAX,
    Limit,
    OneUser,
    Page,
    ProfileChange,
    UserBatch,
    UserSearch,
)
from gateway.asking import asked, read_document
from gateway.cached_reads import Terms, for_everybody, read_cached
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.identity import admin, has_admin_key, person
from gateway.replying import Reply

WORKER = "goated"
CHANGE_EXAMPLE = '{"nickname":"Ann","avatar":"https://images.example/ann.png"}'
PROFILE = for_everybody(10, 300)
CHOICE = for_everybody(10, 30)
"""What is new makes these stale; the seconds count for whoever cannot hear of that. Searches and batches are as many as
clients can think of, so each is kept briefly."""
FIELDS_MAX = 16
"""Parameters that are looked at; there are three."""
_SENTENCES = {
    "q": f"q has 1 to {QUERY_MAX} characters, and no control characters",
    "page": f"page is a whole number from 1 to {DEPTH_MAX}",
    "limit": f"limit is a whole number from 1 to {PAGE_MAX}",
    "ids": f"ids are 1 to {BATCH_MAX} ids of 1 to 128 characters each, with commas between them",
}
_changes = msgspec.json.Decoder(ProfileChange)


class _Form(msgspec.Struct, frozen=True):
    """The parameters of a search as they stand in a URL."""

    q: Annotated[str, Meta(max_length=QUERY_MAX)] = ""
    page: Page = 1
    limit: Limit = PAGE_DEFAULT


async def search_users(call: Call) -> Reply:
    """GET /api/users/search: a page of the people whose name at Goated has the text `q` in it, in capitals or not; one
    of one or two characters finds names that begin with it. 400 for parameters that do not fit."""
    try:
        form = msgspec.convert(_query(call), _Form, strict=False)
        search = msgspec.convert({"q": form.q.strip(), "page": form.page, "limit": form.limit}, UserSearch)
    except ValueError as error:
        _refuse_query(call, error)
    return await _read(call, "search", "search_users", search, CHOICE)


async def read_batch(call: Call) -> Reply:
    """GET /api/users/batch: the profiles of the people of `ids`, in this order, and the ids that nobody has."""
    try:
        given = [own for text in _query(call).get("ids", "").split(",") if (own := text.strip())]
        batch = msgspec.convert({"ids": list(dict.fromkeys(given))}, UserBatch)
    except ValueError as error:
        _refuse_query(call, error)
    return await _read(call, "batch", "batch_users", batch, CHOICE)


async def read_user(call: Call) -> Reply:
    """GET /api/users/{id}: the profile of one person. 404 where nobody has this id."""
    return await _read(call, "profile", "read_user", _one(call), PROFILE)


async def read_stats(call: Call) -> Reply:
    """GET /api/users/{id}/stats: what a person has wagered, and where he stands. 404 where nobody has this id, and for
    a user of ours who is not verified as anybody at Goated."""
    return await _read(call, "stats", "read_user_stats", _one(call), PROFILE)


async def patch_user(call: Call) -> Reply:
    """PATCH /api/users/{id}: a user changes his own profile, an administrator anybody's; what is left out stays.

    400 for what no profile can be, 401 for guests, 403 for somebody else's, 404 where nobody has this id.
    """
    who = admin(call) if has_admin_key(call) else person(call)
    user = _one(call)
    change = await read_document(call, _changes, CHANGE_EXAMPLE)
    answer = await asked(call, WORKER, "patch_user", {"id": user.id, "change": change}, who)
    return enveloped(call.request_id, answer)


async def _read(call: Call, what: str, kind: str, body: Any, terms: Terms) -> Reply:
    name = f"user:goated:{what}:{blake2b(encode(body), digest_size=16).hexdigest()}"
    return await read_cached(call, name, WORKER, kind, body, terms)


def _one(call: Call) -> OneUser:
    """Who is meant. Raises Refused with 404 for an id that nobody can have."""
    try:
        return msgspec.convert({"id": call.params["user_id"]}, OneUser)
    except msgspec.ValidationError:
        message = "There is no user of this id, neither here nor at Goated."
        refuse(call.request_id, 404, "USER_NOT_FOUND", message)


def _query(call: Call) -> dict[str, str]:
    """The parameters, each sent once. Raises ValueError."""
    pairs = parse_qsl(call.scope.query_string, max_num_fields=FIELDS_MAX)
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1} & _SENTENCES.keys()):
        raise ValueError(f"Send the parameter {twice[0]} once")
    return dict(pairs)


def _refuse_query(call: Call, error: ValueError) -> NoReturn:
    # Of what does not convert, the field stands behind the reason; of one in a list, its place behind that.
    field = str(error).partition(" - at `$.")[2].rstrip("`").partition("[")[0]
    refuse(call.request_id, 400, "BAD_REQUEST", f"{_SENTENCES.get(field, str(error))}.")
