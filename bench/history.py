"""Load as a library: send a list of orders through many connections and learn what became of each.

For tests that must know the fate of every request, with double-clicks, late retries and cut connections mixed in.
`await run_history(url, mix_orders("phone", 20_000), connections=500)` is the whole use of it.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.connection import Connection
from bench.jobs import UNKNOWN
from bench.loopback import LOOPBACK, loopback_port
from bench.requests import order_bytes, order_key

# How long one answer may take before its outcome counts as unknown.
ANSWER_MAX_S = 10.0
# Connections opened at once: fewer than any listen queue holds.
DIAL_AT_ONCE = 100
# Tries of one order whose outcome is unknown or 503: together with the waits, more than the ten seconds in which the
# system must sell again.
TRIES_MAX = 14
# First wait before the same key is tried again, doubled each time up to the longest.
WAIT_FIRST_S = 0.05
WAIT_MAX_S = 2.0
NOT_READY = 503


class Order(NamedTuple):
    """One intention to buy; sent again under the same key, it is the same intention."""

    key: str
    product: str
    user: str


class Answer(NamedTuple):
    """What one request brought. `status` 0: the connection was cut or silent, the outcome is unknown. Monotonic s."""

    status: int
    body: bytes
    sent: float
    done: float


class Outcome(NamedTuple):
    """The answer to one request to buy."""

    order: Order
    status: int
    body: bytes
    sent: float
    done: float


def mix_orders(product: str, count: int, *, run: int = 1, double: float = 0.1, again: float = 0.1) -> list[Order]:
    """`count` requests of many buyers; the same list for the same `run`.

    The share `double` is a request repeated at once (a double-click), the share `again` an earlier one repeated late.
    """
    draw = random.Random(run)
    orders: list[Order] = []
    while len(orders) < count:
        choice = draw.random()
        if orders and choice < double:
            orders.append(orders[-1])
        elif orders and choice < double + again:
            orders.append(draw.choice(orders))
        else:
            number = len(orders)
            orders.append(Order(order_key(run, number), product, f"buyer-{number}"))
    return orders


async def run_history(
    url: str, orders: Sequence[Order], connections: int, *, cut: float = 0.0, tries: int = TRIES_MAX, seed: int = 1
) -> list[Outcome]:
    """Send all orders, in order of the list, on `connections` connections; return every outcome.

    The share `cut` of requests loses its connection right after it was sent. An order whose outcome is unknown, or 503,
    is sent again under the same key up to `tries` times in all, each with an outcome of its own in the list.
    Raises HostRefusedError for another host than this machine.
    """
    port = loopback_port(url)
    rest = deque(orders)
    draw = random.Random(seed)
    dialling = asyncio.Semaphore(DIAL_AT_ONCE)
    outcomes: list[Outcome] = []

    async def buy() -> None:
        buyer = Buyer(port, dialling)
        while rest:
            order = rest.popleft()
            request = order_bytes(port, order.key, order.product, order.user)
            outcomes.extend(Outcome(order, *answer) for answer in await buyer.insist(request, draw, cut, tries))
        buyer.leave()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(buy())
    return outcomes


def latest(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    """The last outcome of every key."""
    return {outcome.order.key: outcome for outcome in sorted(outcomes, key=lambda outcome: outcome.done)}


class Buyer:
    """One connection that is opened again when it has been lost. `dialling` bounds how many open theirs at once."""

    def __init__(self, port: int, dialling: asyncio.Semaphore | None = None) -> None:
        self._port = port
        self._dialling = dialling or asyncio.Semaphore()
        self._connection: Connection | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def insist(self, request: bytes, draw: random.Random, cut: float, tries: int = TRIES_MAX) -> list[Answer]:
        """Send the same request until its outcome is known, or `tries` times; gives every answer."""
        answers: list[Answer] = []
        wait_s = WAIT_FIRST_S
        while True:
            answers.append(await self.ask(request, cut=draw.random() < cut))
            if len(answers) == tries or answers[-1].status not in (UNKNOWN, NOT_READY):
                return answers
            await asyncio.sleep(wait_s * draw.random())
            wait_s = min(WAIT_MAX_S, 2 * wait_s)

    async def ask(self, request: bytes, *, cut: bool = False) -> Answer:
        """Send a request and wait for the answer."""
        loop = asyncio.get_running_loop()
        sent = time.perf_counter()
        try:
            connection = self._connection or await self._dial(loop)
        except OSError:
            return Answer(UNKNOWN, b"", sent, time.perf_counter())
        self._answer = loop.create_future()
        connection.transport.write(request)
        if cut:
            connection.transport.close()
        try:
            status, body = await asyncio.wait_for(self._answer, ANSWER_MAX_S)
        except TimeoutError:
            connection.transport.abort()
            status, body = UNKNOWN, b""
        return Answer(status, body, sent, time.perf_counter())

    def leave(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.transport.close()

    async def _dial(self, loop: asyncio.AbstractEventLoop) -> Connection:
        async with self._dialling:
            _, self._connection = await loop.create_connection(
                lambda: Connection(self._answered, self._lost), LOOPBACK, self._port
            )
        return self._connection

    def _answered(self, _: Connection, status: int, body: bytes) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result((status, body))

    def _lost(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            if self._answer and not self._answer.done():
                self._answer.set_result((UNKNOWN, b""))
