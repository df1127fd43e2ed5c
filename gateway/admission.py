"""Admission control by micro-batches: one call of `admit.lua` decides everything that waits at this moment.

While a call is in flight the next batch gathers, so the load itself chooses the batch size: one request alone is
sent at once, a crowd shares round trips, fsyncs and script starts. What this process knows well enough is refused
without a call, see `memory.py`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

import lua
from contract.errors import NotReady, Overloaded
from contract.messages import encode_payload
from contract.order_ids import complete_id, open_id
from contract.settings import Settings
from contract.transport import open_line
from gateway.memory import KEYS_MAX, Memory
from gateway.redis_faults import as_not_ready
from lua import Answer, LaneKeys, Limits, Read, Status

BATCH_MAX = 256
"""Orders in one call. More would gain little and make everybody wait for the slowest batch."""
READS_SHARE = 32
"""Reads that one call takes however many orders it has, so that a crowd never keeps them waiting for its end."""
WAITING_MAX = 20_000
"""Requests that may wait in one process; it decides about as many in two seconds."""

Future = asyncio.Future[Answer]


class Round:
    """One batch, how the ids of its orders begin, and where its decisions go."""

    __slots__ = ("batch", "decided", "opening")

    def __init__(self, batch: lua.Batch, opening: str) -> None:
        self.batch = batch
        self.opening = opening
        self.decided: list[Future] = []


class Admission:
    """The door of one lane in one gateway process."""

    def __init__(
        self,
        client: lua.Client,
        settings: Settings,
        keys: LaneKeys,
        line: lua.Runner | None = None,
        doubt: Callable[[], None] | None = None,
    ) -> None:
        """`doubt` is called when the connection to Redis breaks."""
        self.keys = keys
        self._limits = Limits(
            settings.lane_rate_per_s, settings.lane_burst, settings.client_rate, settings.lane_backlog_max
        )
        self.memory = Memory(self._limits, doubt=doubt)
        self._client = client
        self._line: Any = line or open_line(settings, keys.gates, self.memory)
        # Rounds that wait, the last of them open for more.
        self._rounds: deque[Round] = deque()
        self._reads: deque[tuple[Read, Future]] = deque()
        self._peeks: list[Future] = []
        # Orders and reads that wait or are in flight.
        self._ahead = 0
        self._opened_ms = 0
        self._running: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # What the last batch left in the bucket, and when, by the monotonic clock.
        self.tokens = 0
        self.known_at = 0.0

    async def order(
        self, product_id: str, quantity: int, buyer: str, key: str, digest: str, client: str
    ) -> tuple[str, Answer]:
        """Have an order decided: its id should it be accepted, and the decision. `digest` is that of its key.

        Raises Overloaded, NotReady.
        """
        refusal = self.memory.refuse(digest, product_id, self._ahead)
        if refusal is not None:
            return "", refusal
        round_ = self._open_round()
        order_id = complete_id(round_.opening, digest)
        payload = encode_payload(product_id, buyer, quantity, key)
        round_.batch.add(product_id, quantity, buyer, digest, order_id, payload, client)
        decided = self._await_decision()
        round_.decided.append(decided)
        return order_id, await decided

    def read(self, read: Read) -> Future:
        """Ask for a token and a look; no round trip of its own. Raises Overloaded; the future raises NotReady."""
        self._check_room()
        decided = self._await_decision()
        self._reads.append((read, decided))
        return decided

    async def peek(self, max_age_s: float) -> int:
        """Whole tokens in the bucket, known for at most `max_age_s`; takes none. Raises NotReady."""
        if time.monotonic() - self.known_at > max_age_s:
            decided = self._await_decision()
            self._ahead -= 1  # it takes no token
            self._peeks.append(decided)
            await decided
        return self.tokens

    async def cancel(self, *, product_id: str, **order: Any) -> tuple[lua.CancelStatus, Any]:
        """Cancel an order; see `lua.cancel`. Raises NotReady."""
        with as_not_ready():
            found = await lua.cancel(self._client, self.keys, product_id=product_id, **order)
        # We shall hear of it as everybody does, but whoever is answered here may come back sooner.
        self.memory.forget(product_id)
        return found

    async def open_sale(self, product_id: str, total: int, limit: int) -> int:
        """Open a sale, see `lua.open_sale`. Raises NotReady."""
        with as_not_ready():
            epoch = await lua.open_sale(self._client, self.keys, product_id, total, limit)
        self.memory.forget(product_id)
        return epoch

    async def close(self) -> None:
        """Let the batch in flight finish, and close the line."""
        if self._looking is not None:
            self._looking.cancel()
        if self._running is not None:
            await self._running
        await self._line.aclose()

    def _check_room(self) -> None:
        if self._ahead >= WAITING_MAX:
            raise Overloaded

    def _open_round(self) -> Round:
        """The round that the next order joins. Raises Overloaded."""
        if self._rounds and self._rounds[-1].batch.size < BATCH_MAX:
            return self._rounds[-1]
        self._check_room()
        self._rounds.append(self._new_round())
        return self._rounds[-1]

    def _new_round(self) -> Round:
        # No two rounds begin their ids alike, so that a batch which is sent again knows its own orders by them.
        self._opened_ms = max(time.time_ns() // 1_000_000, self._opened_ms + 1)
        batch = lua.Batch(self.keys, with_clients=self._limits.client_rate_per_s > 0)
        return Round(batch, open_id(self._opened_ms, self.keys.lane))

    def _await_decision(self) -> Future:
        """A place for a decision, and a call under way that will fill it."""
        if self._loop is None:
            # Looked up once: asking for it costs a system call, which is much for a request.
            self._loop = asyncio.get_running_loop()
        if self._running is None:
            # Started by the loop after everything that is ready now has run, so that it all shares the first batch.
            self._running = self._loop.create_task(self._run())
        self._ahead += 1
        return self._loop.create_future()

    async def _run(self) -> None:
        try:
            while self._rounds or self._reads or self._peeks:
                await self._decide_round()
        finally:
            self._running = None

    async def _decide_round(self) -> None:
        round_ = self._rounds.popleft() if self._rounds else self._new_round()
        room = max(READS_SHARE, BATCH_MAX - round_.batch.size)
        reads = [self._reads.popleft() for _ in range(min(room, len(self._reads)))]
        # Status reads lead, because the script takes their records in one go with those of the orders.
        reads.sort(key=_is_of_product)
        round_.batch.add_reads([read for read, _ in reads])
        waiting = round_.decided + [decided for _, decided in reads]
        peeks, self._peeks = self._peeks, []
        try:
            verdict = await self._decide(round_.batch)
        except NotReady as error:
            self._fail_all(waiting + peeks, error)
            return
        except BaseException as bug:
            self._fail_all(waiting + peeks, bug)
            raise
        self._ahead -= len(waiting)
        self.tokens, self.known_at = verdict.tokens, time.monotonic()
        for future, answer in zip(waiting, verdict.answers, strict=True):
            if not future.done():
                future.set_result(answer)
        for future in peeks:
            if not future.done():
                future.set_result(Answer(Status.FOUND, 0))

    def _fail_all(self, waiting: list[Future], error: BaseException) -> None:
        """Tell those of the batch, and those behind it, who would meet the same: now, rather than one by one."""
        for round_ in self._rounds:
            waiting += round_.decided
        waiting += [decided for _, decided in self._reads] + self._peeks
        self._rounds.clear()
        self._reads.clear()
        self._peeks = []
        self._ahead = 0
        for future in waiting:
            if not future.done():
                future.set_exception(error)

    async def _decide(self, batch: lua.Batch) -> lua.Verdict:
        memory = self.memory
        since, diverted, sold_out = memory.news, memory.diverted, memory.sold_out
        with as_not_ready():
            try:
                verdict = await lua.decide(self._line, self._limits, batch, diverted, sold_out)
            except (RedisConnectionError, OSError) as error:
                if isinstance(error, RedisTimeoutError):
                    raise
                # The connection broke: what was sent may have counted or not. Sent again, an order that counted
                # answers as a replay of itself, so a second sending is safe, and one is enough after a restart.
                since = memory.news
                verdict = await lua.decide(self._line, self._limits, batch, diverted, sold_out)
                _recognise(batch.order_ids, verdict.answers)
        memory.diverted -= diverted
        memory.sold_out -= sold_out
        memory.learn(verdict, since)
        if memory.wants_keys:
            memory.look_again_later()
            self._looking = asyncio.create_task(self._look_up_keys())
        return verdict

    async def _look_up_keys(self) -> None:
        """Tell the memory which orders live."""
        gaps = self.memory.gaps
        try:
            with as_not_ready():
                tails = await lua.known_tails(self._client, self.keys, KEYS_MAX)
        except NotReady:
            return  # told in the log; without it Redis is asked, as before
        if tails is not None:
            self.memory.learn_keys(tails, gaps)


def _recognise(order_ids: list[str], answers: list[Answer]) -> None:
    """Turn the answers of orders that are replays of themselves into what they are: accepts.

    Requests of one key have one id within a batch: the first is the order itself, the others are replays of it.
    """
    told: set[str] = set()
    for place, order_id in enumerate(order_ids):
        if answers[place] == Answer(Status.REPLAYED, order_id.encode()) and order_id not in told:
            answers[place] = Answer(Status.ACCEPTED, 0)
        told.add(order_id)


def _is_of_product(waiting: tuple[Read, Any]) -> bool:
    return not waiting[0].digest
