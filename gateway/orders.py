"""The sale lane and what follows an order: POST /order, GET /status/{orderId}, POST /cancel/{orderId}."""

from datetime import UTC, datetime

import msgspec

from contract.access_tokens import BadAccessToken
from contract.messages import ID_LENGTH_MAX, Quantity, Record, decode_record, is_identifier
from contract.order_ids import key_digest
from gateway.body import decode, read_body
from gateway.gate import Call, divert
from gateway.head import idempotency_key
from gateway.identity import CROSS_SITE, CrossSite, signed_in
from gateway.replying import JSON, NO_STORE, Refused, Reply, not_ready, overloaded, refusal, reply
from lua import Answer, CancelStatus, Read, Status

EXAMPLE = '{"productId":"ps5-disc","userId":"user-42"}'


class OrderBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /order. `quantity` is ours; the contract orders one unit.

    That ids are ids is checked apart from their types: as patterns they would cost more than all the rest of the body.
    """

    product_id: str
    user_id: str
    quantity: Quantity = 1


_decoder = msgspec.json.Decoder(OrderBody)
_MISMATCH = refusal(422, "This idempotency key belongs to another request. Use a new key for a new order.")
_UNKNOWN_PRODUCT = refusal(404, "There is no sale of this product.")
_UNKNOWN_ORDER = refusal(404, "There is no order of this id.")
_BAD_IDS = refusal(
    400,
    f"A product id and a user id have 1 to {ID_LENGTH_MAX} characters and no control characters. "
    f"Send JSON such as {EXAMPLE}.",
)
_ASK_FOR_TOKEN = ("www-authenticate", "Bearer")
_NO_TOKEN = refusal(401, "Orders are taken from people who have logged in. Send an access token.", _ASK_FOR_TOKEN)
_OTHER_SITE = refusal(403, CROSS_SITE)
_OTHER_BUYER = refusal(403, "The userId must be the user of the access token.")
_ACCEPTED = (JSON,)
_SOLD_OUT = reply(409, {"status": "sold_out", "msg": "Inventory empty"})
_REPLAYED = ("idempotent-replayed", "true")


async def place_order(call: Call) -> Reply:
    """POST /order: check the request, have it decided with the batch of this moment, say what was decided."""
    key = idempotency_key(call.headers)
    buyer = _buyer(call) if call.gate.settings.order_auth == "required" else None
    wanted = decode(call.headers, await read_body(call.headers, call.exchange, call.gate.patience), _decoder, EXAMPLE)
    if not is_identifier(wanted.product_id) or not is_identifier(wanted.user_id):
        raise Refused(_BAD_IDS)
    if buyer is not None and wanted.user_id != buyer:
        raise Refused(_OTHER_BUYER)
    lanes = call.gate.lanes
    if not lanes.secret:
        await lanes.prepare()
    digest = key_digest(key, lanes.secret)
    admission = lanes.of_product(wanted.product_id).admission
    order_id, answer = await admission.order(
        wanted.product_id, wanted.quantity, wanted.user_id, key, digest, call.client
    )
    if answer.status == Status.ACCEPTED:
        return Reply(200, _ACCEPTED, b'{"status":"success","msg":"Order accepted","orderId":"%s"}' % order_id.encode())
    return _explain(call, answer)


async def read_status(call: Call) -> Reply:
    """GET /status/{orderId}: what became of an order."""
    record = await _find_record(call)
    if not isinstance(record, Record):
        return record
    accepted_at = datetime.fromtimestamp(record.accepted_us / 1e6, UTC).isoformat(timespec="milliseconds")
    document = {
        "status": "ok",
        "orderId": record.order_id,
        "productId": record.order.product_id,
        "userId": record.order.user_id,
        "quantity": record.order.quantity,
        "state": record.state,
        "acceptedAt": accepted_at.replace("+00:00", "Z"),
    }
    return reply(200, document, NO_STORE)


async def cancel_order(call: Call) -> Reply:
    """POST /cancel/{orderId}: give the units back, once. Whoever holds the id may cancel; ids cannot be guessed."""
    record = await _find_record(call)
    if not isinstance(record, Record):
        return record
    found = call.gate.lanes.of_order(record.order_id)
    if found is None:
        return _UNKNOWN_ORDER
    lane, digest = found
    order = record.order
    status, detail = await lane.admission.cancel(
        digest=digest,
        order_id=record.order_id,
        product_id=order.product_id,
        quantity=order.quantity,
        buyer=order.user_id,
    )
    if status == CancelStatus.CANCELLED:
        return reply(200, {"status": "cancelled", "orderId": record.order_id})
    if status == CancelStatus.ABSENT:
        return _UNKNOWN_ORDER
    state = "fulfilled" if detail == b"d" else "failed"
    document = {"status": state, "msg": f"The order is {state}, so it cannot be cancelled.", "orderId": record.order_id}
    return reply(409, document)


def _buyer(call: Call) -> str:
    """The user of the access token. Raises Refused: 401 without a good one, 403 for a page of another site."""
    try:
        claims = signed_in(call)
    except BadAccessToken as error:
        raise Refused(refusal(401, str(error), _ASK_FOR_TOKEN)) from None
    except CrossSite:
        raise Refused(_OTHER_SITE) from None
    if claims is None:
        raise Refused(_NO_TOKEN)
    return claims.sub


async def _find_record(call: Call) -> Record | Reply:
    order_id = call.params["order_id"]
    found = call.gate.lanes.of_order(order_id)
    if found is None:
        return _UNKNOWN_ORDER
    lane, digest = found
    answer = await lane.admission.read(Read(digest, "", call.client))
    if answer.status not in (Status.FOUND, Status.ABSENT):
        return _explain(call, answer)
    record = decode_record(answer.detail) if answer.status == Status.FOUND else None
    if record is None or record.order_id != order_id:
        # Redis has forgotten it, or its key has a younger order; Postgres remembers, and the worker asks it.
        remembered = await call.gate.asker.ask(order_id.encode())
        record = decode_record(remembered) if remembered else None
    return record or _UNKNOWN_ORDER


def _explain(call: Call, answer: Answer) -> Reply:
    """The reply to every decision but an accept."""
    match answer.status:
        case Status.THROTTLED:
            return divert(call, answer.detail)
        case Status.SOLD_OUT:
            return _too_few(answer.detail) if answer.detail > 0 else _SOLD_OUT
        case Status.REPLAYED:
            document = {"status": "ignored", "msg": "Duplicate request", "orderId": answer.detail.decode()}
            return reply(200, document, _REPLAYED)
        case Status.MISMATCH:
            return _MISMATCH
        case Status.LIMIT_REACHED:
            message = f"This sale allows {answer.detail} per buyer"
            return reply(409, {"status": "limit_reached", "msg": message, "limit": answer.detail})
        case Status.UNKNOWN_PRODUCT:
            return _UNKNOWN_PRODUCT
        case Status.BACKLOGGED:
            return overloaded()
        case _:
            return not_ready()


def _too_few(left: int) -> Reply:
    return reply(409, {"status": "sold_out", "msg": f"Only {left} left, fewer than you asked for", "available": left})
