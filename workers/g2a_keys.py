"""Keys as their buyer reads them.

Consumes  read_keys, as a command of the worker `g2a`, sealed like those of the auth worker
Calls     nothing
Writes    nothing
Emits     a reply, sealed for who asked
Fails     with 404 for an order that is not of who asks, with 409 for one that has no keys, or has none yet
"""

from uuid import UUID

import msgspec

from contract.bus import BusCommand
from contract.sealing import Unopened, open_body, seal_reply
from contract.store_orders import OneOrder
from workers import order_steps
from workers.key_orders import QUERIES
from workers.service import Desk, Ending, Handler, Refuse, replied
from workers.vault import place_of_key

_one = msgspec.json.Decoder(OneOrder)


async def read_keys(desk: Desk, command: BusCommand) -> Ending:
    """The keys of an order of whoever asks; nobody learns whether somebody else has one of this id."""
    try:
        plain, reply_key = open_body(desk.tools.keys, command.body)
    except Unopened:
        desk.log.error("a body was sealed for another key: see FLUXGATE_AUTH_PUBLIC of the gateways")
        raise Refuse(503, "KEYS_DIFFER", "Nobody can read keys until ours are put right.", retryable=True) from None
    order_id = _order_id(_one.decode(plain).order_id)
    order = await desk.pool.fetchrow(order_steps.QUERIES["find_order"], order_id, command.user_id)
    if order is None:
        raise _absent()
    if order["status"] in ("PENDING", "PROCESSING"):
        message = "The keys of this order are not there yet. Ask again when it is completed."
        raise Refuse(409, "ORDER_NOT_COMPLETED", message, retryable=True, action="retry_later")
    if order["status"] != "COMPLETED":
        message = f"This order has no keys: it is {order['status'].lower()}."
        raise Refuse(409, "ORDER_HAS_NO_KEYS", message, action="none")
    try:
        keys = [
            {
                "gameId": row["game_id"],
                "title": row["title"],
                "key": desk.tools.vault.open(row["sealed"], place_of_key(row["purchase_id"], row["number"])),
                "deliveredAt": row["created_at"],
            }
            for row in await desk.pool.fetch(QUERIES["find_keys"], order_id)
        ]
    except Unopened as error:
        desk.log.error("a key cannot be opened: see FLUXGATE_VAULT_SEEDS", order=str(order_id), error=str(error))
        raise Refuse(503, "VAULT_CLOSED", "No key can be opened until ours are put right.", retryable=True) from None
    return replied(seal_reply(reply_key, {"orderId": str(order_id), "keys": keys}))


def _order_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _absent() from None


def _absent() -> Refuse:
    return Refuse(404, "ORDER_NOT_FOUND", "There is no order of this id.")


HANDLERS: dict[str, Handler] = {"read_keys": read_keys}
