"""Sending webhooks to the gateway, and remembering what it said to them."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import h11
import msgspec

from contract.settings import Settings
from fluxgate.sandbox.g2a.control import Manner
from fluxgate.sandbox.g2a.signing import Event, Message, message
from fluxgate.sandbox.g2a.trade import Order

PATH = "/api/webhooks/g2a"
DELIVERIES_MAX = 10_000
# Deliveries under way at once; more wait for their turn.
AT_ONCE_MAX = 32
# How long the gateway may take for one, and what is read of its answer.
ANSWER_WITHIN_S = 5.0
ANSWER_BYTES_MAX = 65_536
# One that was not taken is sent again after these. A gateway that starts again is back within them.
AGAIN_AFTER_S = (1.0, 3.0, 9.0)


class Delivery(NamedTuple):
    """What became of one delivery; status 0: no answer."""

    event_id: str
    order_id: str
    type: str
    at: float
    status: int
    answer: str


class Webhooks:
    """The sender."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        self.deliveries: deque[Delivery] = deque(maxlen=DELIVERIES_MAX)
        self.sent = 0
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    async def tell(self, order: Order, manner: Manner) -> None:
        """Tell of an order that has ended, again and again until it is taken, or for a dozen of seconds."""
        status = "completed" if order.status == "completed" else "failed"
        payload = {"status": status, "orderId": order.id, "productId": order.product_id, "keys": len(order.keys)}
        event = Event(str(uuid.uuid4()), order.id, f"order.{status}", msgspec.json.encode(payload))
        for after_s in (*AGAIN_AFTER_S, None):
            deliveries = await self.send(event, manner)
            if after_s is None or all(200 <= delivery.status < 500 for delivery in deliveries):
                return
            await asyncio.sleep(after_s)

    async def send(self, event: Event, manner: Manner) -> Sequence[Delivery]:
        """Send an event in this manner, once or several times, and give what was answered."""
        await asyncio.sleep(manner.delay_s)
        if manner.at_once:
            return await asyncio.gather(*(self._deliver(event, manner) for _ in range(manner.times)))
        return [await self._deliver(event, manner) for _ in range(manner.times)]

    async def _deliver(self, event: Event, manner: Manner) -> Delivery:
        secret, *old = (*self._settings.g2a_webhook_secrets, "")
        written = message(event, manner, self._settings.g2a_webhook_scheme, secret, old[0] if old else "")
        try:
            async with self._turns, asyncio.timeout(ANSWER_WITHIN_S):
                status, answer = await _post(self._host, self._settings.port, written)
        except (OSError, TimeoutError, h11.RemoteProtocolError):
            status, answer = 0, ""
        delivery = Delivery(event.id, event.order_id, event.type, round(time.time(), 3), status, answer)
        self.deliveries.append(delivery)
        self.sent += 1
        return delivery


async def _post(host: str, port: int, written: Message) -> tuple[int, str]:
    """One POST on a connection of its own; status and body. Raises OSError, h11.RemoteProtocolError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [
            ("host", f"{host}:{port}"),
            ("content-type", "application/json"),
            ("content-length", str(len(written.body))),
            ("connection", "close"),
            *written.headers,
        ]
        said: Any = connection.send(h11.Request(method="POST", target=PATH, headers=headers))
        writer.write(said + (connection.send(h11.Data(data=written.body)) or b""))
        connection.send(h11.EndOfMessage())
        return await _answer(connection, reader)
    finally:
        writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, str]:
    status, body = 0, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(ANSWER_BYTES_MAX))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data) and len(body) < ANSWER_BYTES_MAX:
            body += event.data
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            return status, body[:ANSWER_BYTES_MAX].decode("utf-8", "replace")
