"""For administrators: POST /api/admin/g2a/sync, GET /api/admin/g2a/status, GET /api/admin/g2a/stock/{product_id}.

What succeeds stands by itself here, without an envelope; `forms.py` has the form of what is refused.
"""

from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from contract.bus import BusReply
from contract.g2a import QUANTITY_MAX, OneProduct, SyncBody, is_product_id
from gateway.asking import asked
from gateway.body import API_BODY_MAX, decode, read_body
from gateway.cached_reads import Terms, read_cached
from gateway.envelope import enveloped, refuse
from gateway.gate import Call
from gateway.identity import admin
from gateway.replying import JSON, NO_STORE, Reply

WORKER = "g2a"
SYNC_EXAMPLE = '{"fullSync":true}'
STOCK = Terms(300, 300)
"""Five minutes, as the contract has it; no older one is served while a new one is fetched."""
FIELDS_MAX = 4


class _Form(msgspec.Struct, frozen=True):
    """How many units are wanted, as it stands in a URL."""

    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1


class _Stock(msgspec.Struct, frozen=True):
    """What there is of a product."""

    available: bool
    stock: int


class _Enveloped(msgspec.Struct, frozen=True):
    data: _Stock


_bodies = msgspec.json.Decoder(SyncBody)
_stocks = msgspec.json.Decoder(_Enveloped)


async def begin_sync(call: Call) -> Reply:
    """POST /api/admin/g2a/sync: what came of it, or 202 with where that will be told."""
    who = admin(call)
    body = await read_body(call.headers, call.exchange, call.gate.patience, API_BODY_MAX)
    # Without a body it is as the contract has it by default.
    wanted = decode(call.headers, body, _bodies, SYNC_EXAMPLE) if body else SyncBody()
    return _alone(call, await asked(call, WORKER, "sync", wanted, who))


async def read_status(call: Call) -> Reply:
    """GET /api/admin/g2a/status: what there is of the catalogue, and how far a sync is."""
    return _alone(call, await asked(call, WORKER, "sync_status", {}, admin(call)))


async def read_stock(call: Call) -> Reply:
    """GET /api/admin/g2a/stock/{product_id}: what G2A had within the last minutes; 409 where more is wanted."""
    admin(call)
    product_id, wanted = call.params["product_id"], _quantity(call)
    if not is_product_id(product_id):
        refuse(call.request_id, 404, "G2A_PRODUCT_NOT_FOUND", "G2A has no product of this id.")
    name = f"g2a:stock:{product_id}"
    found = await read_cached(call, name, WORKER, "check_stock", OneProduct(product_id), STOCK)
    if found.status != 200:
        return found
    stock = _stocks.decode(found.body).data
    if wanted is not None and wanted > stock.stock:
        message = f"G2A has {stock.stock} of this product, fewer than were asked for."
        refuse(call.request_id, 409, "G2A_OUT_OF_STOCK", message, action="lower_quantity")
    return Reply(200, found.headers, msgspec.json.encode(stock))


def _quantity(call: Call) -> int | None:
    """How many units are wanted; None where nobody has said it. Raises Refused with 400."""
    try:
        given = dict(parse_qsl(call.scope.query_string, max_num_fields=FIELDS_MAX, keep_blank_values=True))
        return msgspec.convert(given, _Form, strict=False).quantity if "quantity" in given else None
    except ValueError:
        message = f"quantity is a whole number from 1 to {QUANTITY_MAX}."
        refuse(call.request_id, 400, "BAD_REQUEST", message)


def _alone(call: Call, answer: BusReply) -> Reply:
    """What a worker replied, without an envelope where it is a success."""
    if answer.problem is not None:
        return enveloped(call.request_id, answer)
    return Reply(answer.status, (JSON, NO_STORE), bytes(answer.data))
