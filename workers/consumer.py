"""The one loop of all workers: read, decode, handle, settle. What an outcome means stands here and nowhere else.

Done        the entry is acknowledged and deleted once all its commands are decided, and their records change with it
Retry       the entry stays pending; it comes back after the lease, and is dead-lettered after DELIVERIES_MAX
DeadLetter  the command moves to `<stream>.dead` with its reason, in the same step that deletes its entry
exception   passing faults are waited out; others are narrowed down to the one command that raises them
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import lua
from contract.messages import Command, OrderAccepted, OrderCancelled, Poison, decode_entry
from contract.order_ids import digest_of
from contract.transport import Delivery, Stream
from workers.faults import is_bad_data, is_transient
from workers.worker import Context, DeadLetter, Done, Outcome, Placed, Retry, Worker

BLOCK_MS = 500
"""How long a read waits for the first entry; also how late a stop can be noticed."""
DELIVERIES_MAX = 16
"""Deliveries after which an entry that never settles counts as poison: over a minute of trying."""
SETTLED_AT_ONCE = 256
"""Commands in one call of `settle.lua`: Redis does nothing else meanwhile, and the buyers wait."""
LINGER_S = 0.05
LINGER_BELOW = 1_000
"""After a batch smaller than this the next may gather so long: a transaction for ten orders costs nearly what one for
a hundred does, to Postgres, to Redis and here, and nobody waits for the row."""
BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 2.0

T = TypeVar("T")


class Logged(Protocol):
    """Whatever has a log, such as a Context."""

    @property
    def log(self) -> Any:
        """The log."""
        ...


class Entry(NamedTuple):
    """One delivery, decoded."""

    delivery: Delivery
    commands: list[Command | Poison]


class Reader:
    """What a consumer reads next: first what others have held for too long, then what nobody has had yet.

    The group is made by the first look that misses it, and not beforehand: in a full Redis nothing can be made, and
    whoever starts there has to settle what waits in the group that stands.
    """

    def __init__(self, stream: Stream, lease_s: float, logged: Logged) -> None:
        self._stream = stream
        self._lease_s = lease_s
        self._logged = logged
        self._next_claim = 0.0
        self._broken = False

    async def next(self, count: int, stop: asyncio.Event) -> list[Delivery]:
        """Deliveries, new ones at most `count`; none when nothing came for BLOCK_MS, or it is time to stop."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_claim:
            claim_ms = int(self._lease_s * 1000)
            deliveries = await until_it_works(lambda: self._stream.claim(claim_ms), self._logged, stop)
            if deliveries:
                # There may be more.
                return deliveries
            self._next_claim = loop.time() + self._lease_s / 4
        return await until_it_works(lambda: self._read(count), self._logged, stop) or []

    async def _read(self, count: int) -> list[Delivery]:
        try:
            if self._broken:
                # What a broken read had been given would otherwise wait for the whole lease.
                deliveries = await self._stream.read_again(count)
                self._broken = False
                if deliveries:
                    return deliveries
            return await self._stream.read(count, BLOCK_MS)
        except Exception:
            self._broken = True
            raise


async def run(context: Context, worker: Worker, stream: Stream, stop: asyncio.Event) -> None:
    """Consume until `stop` is set; the batch in hand is finished first."""
    reader = Reader(stream, context.settings.lease_s, context)
    while not stop.is_set():
        deliveries = await reader.next(worker.batch_entries, stop)
        if deliveries:
            await run_once(context, worker, deliveries, stop)
            if sum(len(delivery.fields) for delivery in deliveries) < LINGER_BELOW:
                await stopped_within(stop, LINGER_S)


async def run_once(context: Context, worker: Worker, deliveries: list[Delivery], stop: asyncio.Event) -> int:
    """Handle and settle one batch of deliveries; gives how many entries are settled now."""
    entries = [Entry(delivery, decode_entry(delivery.fields)) for delivery in deliveries]
    placed: list[Placed] = []
    for entry in entries:
        ms, seq = map(int, entry.delivery.entry_id.split("-"))
        placed += [Placed(ms, seq, item) for item in entry.commands if not isinstance(item, Poison)]
    outcomes = await until_it_works(lambda: handle_apart(context, worker, placed), context, stop)
    if outcomes is None:
        return 0
    return await until_it_works(lambda: _settle(context, worker, entries, outcomes), context, stop) or 0


async def handle_apart(context: Context, worker: Worker, placed: list[Placed]) -> list[Outcome]:
    """Handle a batch; when it fails for good, halve it until the command at fault stands alone."""
    if not placed:
        return []
    try:
        return await worker.handle(context, placed)
    except Exception as error:
        if is_transient(error):
            raise
        if len(placed) > 1:
            half = len(placed) // 2
            first = await handle_apart(context, worker, placed[:half])
            return first + await handle_apart(context, worker, placed[half:])
        reason = f"{type(error).__name__}: {error}"[:500]
        if is_bad_data(error):
            context.log.error("command cannot be written", reason=reason, command=str(placed[0].command))
            return [DeadLetter(reason)]
        context.log.exception("a bug, or a fault that nobody has met before", command=str(placed[0].command))
        return [Retry(reason)]


async def until_it_works(work: Callable[[], Awaitable[T]], logged: Logged, stop: asyncio.Event) -> T | None:
    """Repeat `work` while it fails with a passing fault, with back-off; None when it is time to stop."""
    pause_s = BACKOFF_FIRST_S
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_transient(error):
                raise
            logged.log.warning(
                "waiting for a server", error=f"{type(error).__name__}: {error}", pause_s=round(pause_s, 3)
            )
        if await stopped_within(stop, pause_s * random.uniform(0.5, 1.0)):
            return None
        pause_s = min(BACKOFF_MAX_S, 2 * pause_s)


async def stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for the stop at most `seconds`; True when it came."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _settle(context: Context, worker: Worker, entries: list[Entry], outcomes: list[Outcome]) -> int:
    """Settle what is decided, in calls of at most SETTLED_AT_ONCE commands or one entry; gives how many entries."""
    decided = iter(outcomes)
    settled = 0
    batch = _Batch([], [], [], 0)
    for entry in entries:
        results = [(item, None if isinstance(item, Poison) else next(decided)) for item in entry.commands]
        retry = next((outcome for _, outcome in results if isinstance(outcome, Retry)), None)
        if retry and entry.delivery.deliveries < DELIVERIES_MAX:
            context.log.warning("entry comes back after the lease", entry=entry.delivery.entry_id, reason=retry.reason)
            continue
        if batch.commands + len(results) > SETTLED_AT_ONCE:
            settled += await _settle_batch(context, worker, batch)
            batch = _Batch([], [], [], 0)
        batch = _add(batch, entry, results)
    return settled + await _settle_batch(context, worker, batch)


class _Batch(NamedTuple):
    """What one call of `settle.lua` takes; `commands` counts what its entries hold."""

    entries: list[tuple[str, int]]
    changes: list[lua.Outcome]
    dead: list[lua.Dead]
    commands: int


def _add(batch: _Batch, entry: Entry, results: list[tuple[Command | Poison, Outcome | None]]) -> _Batch:
    index = len(batch.entries)
    batch.entries.append((entry.delivery.entry_id, len(results)))
    for item, outcome in results:
        if not isinstance(outcome, Done):
            batch.dead.append(_dead(index, entry, item, outcome))
        elif outcome.outcome and isinstance(item, (OrderAccepted, OrderCancelled)):
            batch.changes.append(_change(index, item, outcome))
    return batch._replace(commands=batch.commands + len(results))


async def _settle_batch(context: Context, worker: Worker, batch: _Batch) -> int:
    if not batch.entries:
        return 0
    for corpse in batch.dead:
        context.log.error("command is dead-lettered", name=corpse.name, reason=corpse.reason)
    return await lua.settle(
        context.redis,
        context.keys,
        group=worker.group,
        ttl_s=context.settings.idempotency_ttl_s,
        entries=batch.entries,
        outcomes=batch.changes,
        dead=batch.dead,
    )


def _change(index: int, item: OrderAccepted | OrderCancelled, outcome: Done) -> lua.Outcome:
    order, digest = item.order, digest_of(item.order_id)
    return lua.Outcome(
        index, digest, item.order_id, outcome.outcome, order.product_id, order.quantity, order.user_id, outcome.kept
    )


def _dead(index: int, entry: Entry, item: Command | Poison, outcome: Outcome | None) -> lua.Dead:
    if isinstance(item, Poison):
        return lua.Dead(index, item.kind, item.at, item.name, item.value, item.reason)
    reason = outcome.reason if isinstance(outcome, (Retry, DeadLetter)) else ""
    if isinstance(outcome, Retry):
        reason = f"delivered {entry.delivery.deliveries} times without being settled: {reason}"
    fields = entry.delivery.fields
    name = item.order_id if isinstance(item, (OrderAccepted, OrderCancelled)) else "sale"
    value = fields[name.encode()]
    return lua.Dead(index, fields[b"kind"].decode(), fields[b"at"].decode(), name, value, reason[:500])
