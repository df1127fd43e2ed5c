"""How a route of /api hands its request to a worker: read the body, ask, and wait as long as the client wants."""

import re
from typing import Any, TypeVar

import msgspec

from contract.bus import BusCommand, BusReply, encode, new_command_id
from contract.errors import NotReady
from contract.sealing import key_text, open_reply, seal_body
from gateway.body import API_BODY_MAX, decode, read_body
from gateway.envelope import enveloped, success
from gateway.gate import Call
from gateway.head import listed, trace_of
from gateway.identity import Caller
from gateway.replying import NO_STORE, Refused, Reply
from gateway.rsgi import Header

WAIT_MAX_S = 30.0
"""The longest that a client may ask us to wait; proxies cut longer silences."""
COMMANDS_AT = "/api/commands/"
T = TypeVar("T")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?(?:$|[,;\s])", re.I)
_ASYNC = re.compile(r"(?:^|[,\s])respond-async(?:$|[,;\s])", re.I)


async def read_document(call: Call, decoder: msgspec.json.Decoder[T], example: str) -> T:
    """The JSON body of a request; `example` shows a right one. Raises Refused with a 4xx that says what to change."""
    body = await read_body(call.headers, call.exchange, call.gate.patience, API_BODY_MAX)
    return decode(call.headers, body, decoder, example)


async def asked(call: Call, worker: str, kind: str, body: Any, who: Caller, *, late_key: str = "") -> BusReply:
    """What a worker replies. Raises Refused with a 202 when that takes longer than the client wants to wait.

    `late_key` stands behind the id of the command in its URL: a late reply that is sealed is opened with it.
    """
    command = command_of(call, kind, body, who)
    reply = await call.gate.replies.ask(worker, command, wait_s(call))
    if reply is None:
        raise Refused(pending(f"{command.id}.{late_key}" if late_key else command.id))
    return reply


async def asked_now(call: Call, worker: str, kind: str, body: Any, who: Caller) -> BusReply:
    """What a worker replies, where a contract knows no 202. Raises NotReady when that takes too long: the client may
    repeat it, so it must do no harm when it is done after all."""
    reply = await call.gate.replies.ask(worker, command_of(call, kind, body, who), call.gate.settings.ask_timeout_s)
    if reply is None:
        raise NotReady
    return reply


async def asked_sealed(
    call: Call, worker: str, kind: str, fields: dict[str, Any], who: Caller
) -> tuple[BusReply, bytes]:
    """What a worker replies to something secret, and what was sealed in it: nothing where there is a problem."""
    sealed, key = seal_body(call.gate.tokens.public, fields)
    answer = await asked(call, worker, kind, sealed, who, late_key=key_text(key))
    return answer, open_reply(key, answer.data) if answer.problem is None else b""


def command_of(call: Call, kind: str, body: Any, who: Caller) -> BusCommand:
    """A new command that a request makes."""
    call.gate.meter.count_asked(who.role)
    return BusCommand(
        id=new_command_id(),
        kind=kind,
        body=msgspec.Raw(encode(body)),
        user_id=who.user_id,
        role=who.role,
        session_id=who.session_id,
        request_id=call.request_id,
        trace=trace_of(call.headers),
    )


async def answered(call: Call, worker: str, kind: str, body: Any, who: Caller, *headers: Header) -> Reply:
    """What a worker replies, in the envelope of the contract."""
    return enveloped(call.request_id, await asked(call, worker, kind, body, who), *headers)


def wait_s(call: Call) -> float:
    """How long this client wants to wait (RFC 7240)."""
    prefer = listed(call.headers, "prefer")
    if found := _WAIT.search(prefer):
        return min(WAIT_MAX_S, float(found[1]))
    return 0.0 if _ASYNC.search(prefer) else call.gate.settings.ask_timeout_s


def pending(command: str) -> Reply:
    """202: it has been handed over, and its reply can be had at this place."""
    place = COMMANDS_AT + command
    headers = (("location", place), ("retry-after", "1"), NO_STORE)
    return success({"state": "pending", "url": place}, *headers, status=202)
