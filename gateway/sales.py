"""Sales: POST /init, GET /inventory/{productId}, and GET /admission, which the waiting room asks."""

from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from contract.access_tokens import BadAccessToken
from contract.errors import NotReady
from contract.messages import ID_LENGTH_MAX, QUANTITY_MAX, Identifier, is_identifier
from gateway.body import decode, read_body
from gateway.gate import Call, divert
from gateway.identity import CROSS_SITE, CrossSite, has_admin_key, signed_in
from gateway.replying import NO_STORE, Refused, Reply, not_ready, refusal, reply
from gateway.rsgi import Header
from lua import Read, Status

EXAMPLE = '{"productId":"ps5-disc","quantity":50}'
PEEK_AGE_S = 0.1
"""How old the knowledge of the bucket may be when it answers a waiting page."""
POLL_MS_MIN = 1_000
POLL_MS_MAX = 15_000
SOLD_OUT_POLL_MS = 30_000
ANYWHERE: Header = ("access-control-allow-origin", "*")
"""What the waiting room asks is the same for everybody and carries no credentials."""
EXPOSED: Header = ("access-control-expose-headers", "retry-after")


class SaleBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /init. `max_per_user` is ours: the units that one buyer may have, any number without it."""

    product_id: Identifier
    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
    max_per_user: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] | None = None


_decoder = msgspec.json.Decoder(SaleBody)
_NO_KEY = refusal(
    401, "This route asks for the X-Admin-Key of this installation, or for an administrator's access token."
)
_NO_ADMIN = refusal(403, "This route is for administrators.")
_OTHER_SITE = refusal(403, CROSS_SITE)
_UNKNOWN_PRODUCT = refusal(404, "There is no sale of this product.")
_BAD_PRODUCT = refusal(400, f"A product id has 1 to {ID_LENGTH_MAX} characters and no control characters.")


async def open_sale(call: Call) -> Reply:
    """POST /init: open a sale, or close the running one and open it anew. Never throttled: it is the operator's."""
    _check_admin(call)
    sale = decode(call.headers, await read_body(call.headers, call.exchange, call.gate.patience), _decoder, EXAMPLE)
    await call.gate.lanes.of_product(sale.product_id).admission.open_sale(
        sale.product_id, sale.quantity, sale.max_per_user or 0
    )
    return reply(200, {"status": "ok", "msg": f"Stock initialized for {sale.product_id} to {sale.quantity}"})


async def read_inventory(call: Call) -> Reply:
    """GET /inventory/{productId}: the initial stock and what is left of it."""
    product_id = call.params["product_id"]
    if not is_identifier(product_id):
        return _BAD_PRODUCT
    answer = await call.gate.lanes.of_product(product_id).admission.read(Read("", product_id, call.client))
    if answer.status == Status.THROTTLED:
        return divert(call, answer.detail)
    if answer.status == Status.UNKNOWN_PRODUCT:
        return _UNKNOWN_PRODUCT
    if answer.status != Status.FOUND:
        return not_ready()
    left, _, total = answer.detail.decode().partition(":")
    document = {"status": "ok", "productId": product_id, "quantity": int(total), "available": int(left)}
    return reply(200, document, NO_STORE)


async def read_admission(call: Call) -> Reply:
    """GET /admission?productId=: may a waiting buyer go back now, and when should the page ask again.

    Takes no token, or the waiting would starve the buying. A go-ahead is given only as often as the bucket fills.
    """
    product_id = (parse_qs(call.scope.query_string).get("productId") or [""])[0]
    if product_id and not is_identifier(product_id):
        return _to_anyone(_BAD_PRODUCT)
    lane = call.gate.lanes.of_product(product_id)
    try:
        if product_id and await lane.shelf.is_empty(product_id):
            return _room("sold_out", SOLD_OUT_POLL_MS, "Everything is sold. A unit may come back if somebody cancels.")
        tokens = await lane.admission.peek(PEEK_AGE_S)
    except NotReady:
        return _to_anyone(not_ready(), EXPOSED)
    wait_s = lane.pacer.ask(tokens)
    if wait_s <= 0:
        return _room("open", POLL_MS_MIN, "There is room.")
    poll_ms = min(POLL_MS_MAX, max(POLL_MS_MIN, int(wait_s * 1000)))
    return _room("busy", poll_ms, "The sale is crowded.")


def _room(status: str, poll_ms: int, message: str) -> Reply:
    return reply(200, {"status": status, "retryAfterMs": poll_ms, "msg": message}, ANYWHERE, NO_STORE)


def _to_anyone(answer: Reply, *others: Header) -> Reply:
    return Reply(answer.status, (*answer.headers, ANYWHERE, *others), answer.body)


def _check_admin(call: Call) -> None:
    """Let the operator pass by his key or by his access token. Raises Refused: 401, or 403 for somebody else."""
    if not call.gate.settings.admin_key or has_admin_key(call):
        return
    try:
        claims = signed_in(call)
    except BadAccessToken:
        claims = None
    except CrossSite:
        raise Refused(_OTHER_SITE) from None
    if claims is None:
        raise Refused(_NO_KEY)
    if claims.role != "ADMIN":
        raise Refused(_NO_ADMIN)
