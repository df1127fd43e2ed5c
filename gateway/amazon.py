"""Accounts at Amazon, and what was read of them: /api/v1/integrations/amazon/auth/start, auth/callback, disconnect,
status, claims, inventory and orders.

The way to Amazon's page of consent and back is OAuth's: a state that nobody can guess goes along, and only its digest
stays here, with the user whom it belongs to. Whoever comes back with another's state connects nothing. The code that
Amazon sends along goes to the worker sealed.
"""

import hashlib
import re
import secrets
from typing import Any, NoReturn
from urllib.parse import urlencode

import msgspec

from contract.amazon import (
    CALLBACK_AT,
    CODE,
    PAGE_MAX,
    SELLER_ID,
    STATE,
    BeginConsent,
    ClaimFilter,
    FinishConsent,
    InventoryFilter,
    OrderFilter,
)
from contract.bus import BusReply
from contract.sealing import key_text, seal_body
from gateway.amazon_replies import told
from gateway.asking import asked_now
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.identity import person
from gateway.replying import NO_STORE, Refused, Reply
from gateway.rsgi import Header
from gateway.syncs import read_query

WORKER = "amazon"
STATE_BYTES = 32
NO_REFERRER: Header = ("referrer-policy", "no-referrer")
"""The URL of the callback has a code in it, and nobody else shall read where a browser comes from."""
_DATED = re.compile(r"\d{4}-")
_SENTENCES = {
    "limit": f"limit is a whole number from 1 to {PAGE_MAX}",
    "cursor": "cursor is the nextCursor of the page before, unchanged",
    "type": "type has 1 to 255 characters",
    "status": "status has 1 to 255 characters; that of a claim is approved, pending or denied",
    "orderId": "orderId has 1 to 255 characters",
    "after": "after is an instant such as 2026-11-27T08:00:00Z",
    "before": "before is an instant such as 2026-11-27T08:00:00Z",
    "sku": "sku has 1 to 255 characters",
    "asin": "asin has 1 to 255 characters",
    "inStock": "inStock is true or false",
    "channel": "channel has 1 to 255 characters, such as FBA",
}


async def begin_consent(call: Call) -> Reply:
    """GET .../auth/start: where a seller lets us in."""
    who = person(call)
    app_id, at = call.gate.settings.amazon_client[0], call.gate.settings.amazon_consent_at
    if not app_id or not at:
        missing = "FLUXGATE_AMAZON_CONSENT_URL" if app_id else "FLUXGATE_AMAZON_APP_ID"
        message = f"No account can be connected here: {missing} is not set."
        refuse(call.request_id, 503, "AMAZON_NOT_SET_UP", message, action="contact_support")
    state = key_text(secrets.token_bytes(STATE_BYTES))
    answer = await asked_now(call, WORKER, "begin_consent", BeginConsent(_digest(state)), who)
    if answer.problem is not None:
        return told(call, answer)
    query = urlencode({"application_id": app_id, "state": state, "redirect_uri": _callback_url(call)})
    return told(call, _with(answer, {"authUrl": f"{at}{'&' if '?' in at else '?'}{query}"}))


async def finish_consent(call: Call) -> Reply:
    """GET .../auth/callback: a seller comes back from Amazon. 303 where the settings say to where, else 200."""
    try:
        answer = await _finish(call)
    except Refused as error:
        answer = error.reply
    return Reply(answer.status, (*answer.headers, NO_REFERRER), answer.body)


async def disconnect(call: Call) -> Reply:
    """POST .../disconnect: the token is forgotten, and a sync that runs is cancelled; repeated, it says the same."""
    return told(call, await asked_now(call, WORKER, "disconnect", {}, person(call)))


async def read_status(call: Call) -> Reply:
    """GET .../status: whether an account is connected, and what became of its last sync."""
    return told(call, await asked_now(call, WORKER, "account_status", {}, person(call)))


async def read_claims(call: Call) -> Reply:
    """GET .../claims: a page of the caller's own, the newest first."""
    return await _listed(call, "list_claims", ClaimFilter)


async def read_inventory(call: Call) -> Reply:
    """GET .../inventory: a page of the caller's own, by SKU."""
    return await _listed(call, "list_inventory", InventoryFilter)


async def read_orders(call: Call) -> Reply:
    """GET .../orders: a page of the caller's own, the newest first."""
    return await _listed(call, "list_orders", OrderFilter)


async def _finish(call: Call) -> Reply:
    who, query = person(call), read_query(call)
    if query.get("error"):
        message = "Amazon has connected nothing: the consent was not given. Begin again to give it."
        refuse(call.request_id, 400, "CONSENT_DENIED", message, action="begin_again")
    wanted = _consent(call, query)
    sealed, _ = seal_body(call.gate.tokens.public, msgspec.to_builtins(wanted))
    answer = await asked_now(call, WORKER, "finish_consent", sealed, who)
    back = call.gate.settings.amazon_return_url
    if answer.problem is None and back:
        return Reply(303, (("location", back), NO_STORE), b"")
    return told(call, answer)


def _consent(call: Call, query: dict[str, str]) -> FinishConsent:
    """What a seller has come back with. Raises Refused with 400 for what is not of Amazon's making, or of ours."""
    state, code = query.get("state", ""), query.get("spapi_oauth_code", "")
    seller_id = query.get("selling_partner_id", "")
    if not STATE.fullmatch(state):
        message = "This connection was not begun here, or too long ago. Begin again."
        refuse(call.request_id, 400, "CONSENT_UNKNOWN", message, action="begin_again")
    if not CODE.fullmatch(code) or not SELLER_ID.fullmatch(seller_id):
        message = "Amazon sends spapi_oauth_code and selling_partner_id along, and these are none. Begin again."
        refuse(call.request_id, 400, "BAD_REQUEST", message, action="begin_again")
    return FinishConsent(_digest(state), code, seller_id, _callback_url(call))


async def _listed(call: Call, kind: str, form: Any) -> Reply:
    who = person(call)
    given = {name: value for name, value in read_query(call).items() if value}
    for name in ("after", "before"):
        # A mere number would be taken for seconds since 1970.
        if name in given and not _DATED.match(given[name]):
            refuse(call.request_id, 400, "BAD_REQUEST", f"{_SENTENCES[name]}.")
    try:
        wanted = msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        _refuse_filter(call, error)
    return told(call, await asked_now(call, WORKER, kind, wanted, who))


def _refuse_filter(call: Call, error: msgspec.ValidationError) -> NoReturn:
    # Of what does not convert, the field stands behind the reason.
    field = str(error).partition(" - at `$.")[2].rstrip("`")
    refuse(call.request_id, 400, "BAD_REQUEST", f"{_SENTENCES.get(field, str(error))}.")


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()


def _callback_url(call: Call) -> str:
    return call.gate.settings.gateway_at + CALLBACK_AT


def _with(answer: BusReply, document: Any) -> BusReply:
    return msgspec.structs.replace(answer, data=msgspec.Raw(msgspec.json.encode(document)))
