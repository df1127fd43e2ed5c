"""People: GET /api/users/search, /api/users/batch, /api/users/{id} and /api/users/{id}/stats, PATCH /api/users/{id}.

An id is that of a user of ours, or a uid of Goated's. Profiles are for everybody. No text that a client thinks of is
part of a name in the cache: a digest of it is.
"""

import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from contract.bus import encode
from contract.goated import OneUser, ProfileChange, UserBatch, UserSearch
from gateway.asking import asked, read_document
from gateway.cached_reads import Terms, for_everybody, read_cached
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.goated import SENTENCES, WORKER, is_stale, marked_stale, read_query
from gateway.identity import admin, has_admin_key, person
from gateway.replying import Reply

CHANGE_EXAMPLE = '{"nickname":"Ann","avatar":"https://images.example/ann.png"}'
PROFILE = for_everybody(10, 300)
CHOICE = for_everybody(10, 30)
"""What is new makes these stale; the seconds count for whoever cannot hear of that. Searches and batches are as many as
clients can think of, so each is kept briefly."""


class _Stats(msgspec.Struct, rename="camel"):
    last_updated: datetime.datetime | None


class _StatsTold(msgspec.Struct):
    data: _Stats


class _Ids(msgspec.Struct, frozen=True):
    """The ids of a batch as they stand in a URL."""

    ids: str = ""


_changes = msgspec.json.Decoder(ProfileChange)
_stats = msgspec.json.Decoder(_StatsTold)


async def search_users(call: Call) -> Reply:
    """GET /api/users/search: a page of the people whose name at Goated has the text `q` in it, in capitals or not; one
    of one or two characters finds names that begin with it. 400 for parameters that do not fit."""
    return await _read(call, "search", "search_users", read_query(call, UserSearch), CHOICE)


async def read_batch(call: Call) -> Reply:
    """GET /api/users/batch: the profiles of the people of `ids`, in this order, and the ids that nobody has."""
    given = [own for text in read_query(call, _Ids).ids.split(",") if (own := text.strip())]
    try:
        batch = msgspec.convert({"ids": list(dict.fromkeys(given))}, UserBatch)
    except msgspec.ValidationError:
        refuse(call.request_id, 400, "BAD_REQUEST", f"{SENTENCES['ids']}.")
    return await _read(call, "batch", "batch_users", batch, CHOICE)


async def read_user(call: Call) -> Reply:
    """GET /api/users/{id}: the profile of one person. 404 where nobody has this id."""
    return await _read(call, "profile", "read_user", _one(call), PROFILE)


async def read_stats(call: Call) -> Reply:
    """GET /api/users/{id}/stats: what a person has wagered, and where he stands. 404 where nobody has this id, and for
    a user of ours who is not verified as anybody at Goated."""
    found = await _read(call, "stats", "read_user_stats", _one(call), PROFILE)
    is_old = found.status == 200 and is_stale(_stats.decode(found.body).data.last_updated)
    return marked_stale(found) if is_old else found


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
