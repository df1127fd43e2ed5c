"""Admission control by micro-batches: one call of `admit.lua` decides everything that waits at this moment.

While a call is in flight the next batch gathers, so the load itself chooses the batch size: one request alone is
sent at once, a crowd shares round trips, fsyncs and script starts.
"""

import asyncio
import secrets
import time
from collections import deque
from typing import Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

import lua
from contract.errors import NotReady, Overloaded
from contract.messages import Order, encode_order
from contract.order_ids import key_digest, make_order_id
from contract.settings import Settings
from gateway.redis_faults import as_not_ready
from lua import Answer, LaneKeys, Limits, Read, Status

BATCH_MAX = 256
"""Requests in one call. More would gain little and make everybody wait for the slowest batch."""
READS_SHARE = 32
"""Places of a batch that reads have before orders, so that a crowd of orders never keeps them waiting for its end."""
WAITING_MAX = 20_000
"""Requests that may wait in one process; it decides about as many in two seconds."""
SECRET_BYTES = 32


class Ticket(NamedTuple):
    """An order that waits for its decision, and where the decision goes."""

    order: lua.Order
    decided: asyncio.Future[Answer]


class Admission:
    """The door of one lane in one gateway process."""

    def __init__(
        self, client: lua.Client, settings: Settings, *, line: lua.Runner | None = None, lane: int = 0
    ) -> None:
        self.keys = LaneKeys(lane)
        self._client = client
        self._line = line or client
        self._limits = Limits(settings.rate_per_s, settings.burst_tokens, settings.client_rate, settings.backlog_max)
        self._orders: deque[Ticket] = deque()
        self._reads: deque[tuple[Read, asyncio.Future[Answer]]] = deque()
        self._peeks: list[asyncio.Future[Answer]] = []
        self._busy = False
        self._running: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._secret = b""
        # What the last batch left in the bucket, and when, by the monotonic clock.
        self.tokens = 0
        self.known_at = 0.0

    def order(self, order: Order, client: str) -> tuple[str, asyncio.Future[Answer]]:
        """Ask for an order to be admitted: its id should it be accepted, and the decision to come.

        Raises Overloaded; the future raises NotReady.
        """
        self._check_room()
        digest = key_digest(order.idempotency_key, self._secret)
        order_id = make_order_id(time.time_ns() // 1_000_000, self.keys.lane, digest)
        decided: asyncio.Future[Answer] = self._running_loop().create_future()
        asked = lua.Order(
            order.product_id, order.quantity, order.user_id, digest, order_id, encode_order(order), client
        )
        self._orders.append(Ticket(asked, decided))
        self._wake()
        return order_id, decided

    def read(self, read: Read) -> asyncio.Future[Answer]:
        """Ask for a token and a look; no round trip of its own. Raises Overloaded; the future raises NotReady."""
        self._check_room()
        decided: asyncio.Future[Answer] = self._running_loop().create_future()
        self._reads.append((read, decided))
        self._wake()
        return decided

    async def peek(self, max_age_s: float) -> int:
        """Whole tokens in the bucket, known for at most `max_age_s`; takes none. Raises NotReady."""
        if time.monotonic() - self.known_at > max_age_s:
            decided: asyncio.Future[Answer] = self._running_loop().create_future()
            self._peeks.append(decided)
            self._wake()
            await decided
        return self.tokens

    async def cancel(self, **order: Any) -> tuple[lua.CancelStatus, Any]:
        """Cancel an order; see `lua.cancel`. Raises NotReady."""
        with as_not_ready():
            return await lua.cancel(self._client, self.keys, **order)

    async def open_sale(self, product_id: str, total: int, limit: int) -> int:
        """Open a sale, see `lua.open_sale`. Raises NotReady."""
        with as_not_ready():
            return await lua.open_sale(self._client, self.keys, product_id, total, limit)

    async def prepare(self) -> None:
        """Fetch the installation's secret, or make it. Raises NotReady."""
        if not self._secret:
            with as_not_ready():
                self._secret = await lua.shared_secret(self._client, secrets.token_bytes(SECRET_BYTES))

    @property
    def prepared(self) -> bool:
        """True once orders can be given ids."""
        return bool(self._secret)

    async def close(self) -> None:
        """Let the batch in flight finish."""
        if self._running is not None:
            await self._running

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        # Looked up once: asking for it costs a system call, which is much for a request.
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _check_room(self) -> None:
        if len(self._orders) + len(self._reads) >= WAITING_MAX:
            raise Overloaded

    def _wake(self) -> None:
        if not self._busy:
            self._busy = True
            # Started by the loop after everything that is ready now has run, so that it all shares the first batch.
            self._running = self._running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._orders or self._reads or self._peeks:
                await self._decide_batch()
        finally:
            self._busy = False

    async def _decide_batch(self) -> None:
        room = BATCH_MAX - min(READS_SHARE, len(self._reads))
        tickets = [self._orders.popleft() for _ in range(min(room, len(self._orders)))]
        room = BATCH_MAX - len(tickets)
        reads = [self._reads.popleft() for _ in range(min(room, len(self._reads)))]
        # Status reads lead, because the script takes their records in one go with those of the orders.
        reads.sort(key=_is_of_product)
        peeks, self._peeks = self._peeks, []
        waiting = [ticket.decided for ticket in tickets] + [decided for _, decided in reads]
        orders, looks = [ticket.order for ticket in tickets], [read for read, _ in reads]
        try:
            verdict = await self._admit(orders, looks)
        except NotReady as error:
            self._fail_all(waiting + peeks, error)
            return
        except BaseException as bug:
            self._fail_all(waiting + peeks, bug)
            raise
        self.tokens, self.known_at = verdict.tokens, time.monotonic()
        for future, answer in zip(waiting, verdict.answers, strict=True):
            if not future.done():
                future.set_result(answer)
        for future in peeks:
            if not future.done():
                future.set_result(Answer(Status.FOUND, 0))

    def _fail_all(self, waiting: list[asyncio.Future[Answer]], error: BaseException) -> None:
        """Tell those of the batch, and those behind it, who would meet the same: now, rather than one by one."""
        waiting += [ticket.decided for ticket in self._orders] + [decided for _, decided in self._reads] + self._peeks
        self._orders.clear()
        self._reads.clear()
        self._peeks = []
        for future in waiting:
            if not future.done():
                future.set_exception(error)

    async def _admit(self, orders: list[lua.Order], reads: list[Read]) -> lua.Verdict:
        with as_not_ready():
            try:
                verdict = await lua.admit(self._line, self.keys, self._limits, orders, reads)
            except (RedisConnectionError, OSError) as error:
                if isinstance(error, RedisTimeoutError):
                    raise
                # The connection broke: what was sent may have counted or not. Sent again, an order that counted
                # answers as a replay of itself, so a second sending is safe, and one is enough after a restart.
                verdict = await lua.admit(self._line, self.keys, self._limits, orders, reads)
                told: set[str] = set()
                for i, order in enumerate(orders):
                    # Requests of one key that came within one millisecond have one id: the first is the order itself,
                    # the others are replays of it.
                    if verdict.answers[i] == (Status.REPLAYED, order.order_id.encode()) and order.order_id not in told:
                        verdict.answers[i] = Answer(Status.ACCEPTED, 0)
                    told.add(order.order_id)
        return verdict


def _is_of_product(waiting: tuple[Read, Any]) -> bool:
    return not waiting[0].digest
