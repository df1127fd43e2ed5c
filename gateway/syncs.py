"""Syncs with Amazon: POST /api/v1/integrations/amazon/sync, GET /api/sync/status and history, POST /api/sync/cancel.

Starting is fenced in the database and cancelling may be repeated, so a client that was told 503 simply asks again.
"""

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from contract.amazon import OFFSET_MAX, PAGE_MAX, SYNC_ID_MAX, OneSync, SyncPage
from contract.bus import BusReply
from gateway.amazon_replies import told
from gateway.asking import asked_now
from gateway.body import API_BODY_MAX, decode, read_body
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.identity import Caller, person
from gateway.replying import Reply

WORKER = "amazon"
START_EXAMPLE = "{}"
FIELDS_MAX = 16
"""Fields of a query; two are known."""
T = TypeVar("T")
# Ids of syncs are made of visible ASCII; what is none has no sync, and need not be looked for.
_SYNC_ID = re.compile(f"[!-~]{{1,{SYNC_ID_MAX}}}")


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """A body that says nothing."""


_bodies = msgspec.json.Decoder(_Nothing)


async def start_sync(call: Call) -> Reply:
    """POST /api/v1/integrations/amazon/sync: the id of the sync that has begun, at once."""
    who = person(call)
    body = await read_body(call.headers, call.exchange, call.gate.patience, API_BODY_MAX)
    if body:
        decode(call.headers, body, _bodies, START_EXAMPLE)
    return told(call, await asked_now(call, WORKER, "start_sync", {}, who))


async def read_newest(call: Call) -> Reply:
    """GET /api/sync/status: the sync of `?syncId=` or `?id=`; without either, the newest one and whether it runs."""
    who, query = person(call), read_query(call)
    wanted = {query[name] for name in ("syncId", "id") if query.get(name)}
    if len(wanted) > 1:
        refuse(call.request_id, 400, "BAD_REQUEST", "syncId and id mean the same, and differ here. Send one of them.")
    if not wanted:
        return told(call, await asked_now(call, WORKER, "sync_status", OneSync(), who))
    return told(call, await ask_for(call, "sync_status", wanted.pop(), who))


async def read_status(call: Call) -> Reply:
    """GET /api/sync/status/{sync_id}: how far a sync is."""
    return told(call, await ask_for(call, "sync_status", call.params["sync_id"], person(call)))


async def read_history(call: Call) -> Reply:
    """GET /api/sync/history?limit=&offset=: the syncs of this user, the newest first."""
    who = person(call)
    given = {name: value for name, value in read_query(call).items() if name in ("limit", "offset") and value}
    try:
        page = msgspec.convert(given, SyncPage, strict=False)
    except msgspec.ValidationError:
        message = f"limit is a whole number from 1 to {PAGE_MAX}, and offset one from 0 to {OFFSET_MAX}."
        refuse(call.request_id, 400, "BAD_REQUEST", message)
    return told(call, await asked_now(call, WORKER, "sync_history", page, who))


async def cancel_sync(call: Call) -> Reply:
    """POST /api/sync/cancel/{sync_id}: what the sync has written stays, and nothing is written any more."""
    message = "Sync not found or cannot be cancelled"
    return told(call, await ask_for(call, "cancel_sync", call.params["sync_id"], person(call), message))


async def ask_for(call: Call, kind: str, sync_id: str, who: Caller, absent: str = "Sync not found") -> BusReply:
    """What the worker says of one sync. Raises Refused with 404 for what cannot be the id of any."""
    if not _SYNC_ID.fullmatch(sync_id):
        refuse(call.request_id, 404, "SYNC_NOT_FOUND", absent)
    return await asked_now(call, WORKER, kind, OneSync(sync_id), who)


def read_query(call: Call) -> dict[str, Any]:
    """The query, the last of each name. Raises Refused with 400 where it has too many fields."""
    try:
        return dict(parse_qsl(call.scope.query_string, max_num_fields=FIELDS_MAX, keep_blank_values=True))
    except ValueError:
        refuse(call.request_id, 400, "BAD_REQUEST", f"The query has more than {FIELDS_MAX} fields.")
