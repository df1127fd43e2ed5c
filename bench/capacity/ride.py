"""Gateway processes that batch onto lanes, event by event: batch size, latency and load of every part.

A process is one core: it reads an order, and later answers it. For each lane it has one batch in flight at most, and
what comes meanwhile is the next one. A lane is one core too: it serves all batches that have arrived when its turn
begins, syncs its file once, and answers them all, which is how Valkey's event loop works with `appendfsync always`.
"""

import heapq
import random
from collections import defaultdict, deque
from typing import Any, NamedTuple

import msgspec

from bench.capacity.spread import Shares, cumulated
from gateway.admission import BATCH_MAX

# The first part of a ride fills the queues and is not counted.
WARM_SHARE = 1 / 3
# Of a gateway's CPU per order, what comes before the batch: about half, decoding and checking; answering is the rest.
BEFORE_SHARE = 0.5


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """Processes and lanes with the times that they take, in microseconds."""

    processes: int
    shares: Shares
    gateway_us: float
    batch_us: float
    order_us: float
    fsync_us: float
    hop_us: float
    # Cells of processes that each serve their own lanes; with one, every process speaks to every lane.
    cells: int = 1


class Ride(NamedTuple):
    """What came of a ride; times in milliseconds, from the arrival of an order to the end of its answer."""

    answered: int
    batch: float
    batches_per_turn: float
    p50_ms: float
    p99_ms: float
    lane_busy: float
    process_busy: float


class _Batch(NamedTuple):
    process: int
    lane: int
    arrived_us: list[float]


def ride(plant: Plant, rate_per_s: float, orders: int, seed: int) -> Ride:
    """Send so many orders with Poisson arrivals through a plant until the last is answered."""
    return _Run(plant, seed).run(rate_per_s, orders)


class _Run:
    """One ride: the events to come, and the state of every process, lane and pair of both."""

    def __init__(self, plant: Plant, seed: int) -> None:
        self.plant = plant
        self.draw = random.Random(seed)
        self.lanes = len(plant.shares)
        self.events: list[tuple[float, int, int, Any]] = []
        self.count = 0
        self.free_us = [0.0] * plant.processes
        self.waiting: defaultdict[tuple[int, int], deque[float]] = defaultdict(deque)
        self.flying: set[tuple[int, int]] = set()
        self.queues: list[list[_Batch]] = [[] for _ in range(self.lanes)]
        self.turning = [False] * self.lanes
        self.batches = self.turns = 0
        self.lane_us = self.process_us = 0.0
        self.times: list[tuple[float, float]] = []

    def run(self, rate_per_s: float, orders: int) -> Ride:
        """All events in their order; arrivals are made as they come, so that there are never many."""
        plant, draw = self.plant, self.draw
        lanes = draw.choices(range(self.lanes), cum_weights=cumulated(plant.shares), k=orders)
        cells = min(plant.cells, plant.processes, self.lanes)
        members = [range(cell, plant.processes, cells) for cell in range(cells)]
        acts = (self._ready, self._leave, self._arrive, self._turned, self._reply)
        now_us, arrival_us = 0.0, draw.expovariate(rate_per_s) * 1e6
        for lane in lanes:
            while self.events and self.events[0][0] <= arrival_us:
                now_us, _, act, what = heapq.heappop(self.events)
                acts[act](now_us, what)
            process = draw.choice(members[lane % cells])
            done = self._work(process, arrival_us, plant.gateway_us * BEFORE_SHARE)
            self._at(done, 0, (process, lane, arrival_us))
            arrival_us += draw.expovariate(rate_per_s) * 1e6
        while self.events:
            now_us, _, act, what = heapq.heappop(self.events)
            acts[act](now_us, what)
        warm_us = arrival_us * WARM_SHARE
        times = sorted(took for at, took in self.times if at >= warm_us)
        return Ride(
            answered=len(self.times),
            batch=orders / self.batches,
            batches_per_turn=self.batches / self.turns,
            p50_ms=_at_share(times, 0.5) / 1000,
            p99_ms=_at_share(times, 0.99) / 1000,
            # Work that came in the time in which orders came; what is left after it is done too, but takes longer.
            lane_busy=self.lane_us / max(arrival_us, now_us) / self.lanes,
            process_busy=self.process_us / arrival_us / plant.processes,
        )

    def _at(self, when_us: float, act: int, what: Any) -> None:
        self.count += 1
        heapq.heappush(self.events, (when_us, self.count, act, what))

    def _work(self, process: int, now_us: float, work_us: float) -> float:
        """Have a process do something as soon as it is free; gives when that is done."""
        self.process_us += work_us
        self.free_us[process] = max(now_us, self.free_us[process]) + work_us
        return self.free_us[process]

    def _ready(self, now_us: float, what: tuple[int, int, float]) -> None:
        """An order is decoded. The loop takes up everything that is ready before the batch leaves."""
        process, lane, arrived_us = what
        pair = process, lane
        self.waiting[pair].append(arrived_us)
        if pair not in self.flying:
            self.flying.add(pair)
            self._at(max(now_us, self.free_us[process]), 1, pair)

    def _leave(self, now_us: float, pair: tuple[int, int]) -> None:
        waiting = self.waiting[pair]
        batch = _Batch(*pair, [waiting.popleft() for _ in range(min(BATCH_MAX, len(waiting)))])
        self._at(now_us + self.plant.hop_us, 2, batch)

    def _arrive(self, now_us: float, batch: _Batch) -> None:
        self.queues[batch.lane].append(batch)
        if not self.turning[batch.lane]:
            self._turn(now_us, batch.lane)

    def _turn(self, now_us: float, lane: int) -> None:
        taken, self.queues[lane] = self.queues[lane], []
        orders = sum(len(batch.arrived_us) for batch in taken)
        took_us = self.plant.fsync_us + self.plant.batch_us * len(taken) + self.plant.order_us * orders
        self.turning[lane] = True
        self.turns += 1
        self.batches += len(taken)
        self.lane_us += took_us
        self._at(now_us + took_us, 3, taken)

    def _turned(self, now_us: float, taken: list[_Batch]) -> None:
        for batch in taken:
            self._at(now_us + self.plant.hop_us, 4, batch)
        lane = taken[0].lane
        self.turning[lane] = False
        if self.queues[lane]:
            self._turn(now_us, lane)

    def _reply(self, now_us: float, batch: _Batch) -> None:
        """The next batch leaves before the answers are written, as in `gateway/admission.py`."""
        pair = batch.process, batch.lane
        begins_us = max(now_us, self.free_us[batch.process])
        answer_us = self.plant.gateway_us * (1 - BEFORE_SHARE)
        for arrived_us in batch.arrived_us:
            done_us = self._work(batch.process, now_us, answer_us)
            self.times.append((arrived_us, done_us - arrived_us))
        if self.waiting[pair]:
            self._at(begins_us, 1, pair)
        else:
            self.flying.discard(pair)


def _at_share(ordered: list[float], share: float) -> float:
    """The value that this share of all does not exceed; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
