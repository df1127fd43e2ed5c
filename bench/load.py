"""The load generator: closed and open model in one process.

The closed model finds the limit: so many buyers, each sends its next order when its answer has come. The open model
finds the latency at a given rate: orders leave at moments fixed beforehand, and latency counts from that moment, so
that a gateway which stalls cannot hide its stall by delaying the load.
"""

import gc
import os
import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat

from bench.crew import Crew, Line, clock
from bench.jobs import UNKNOWN, Job, Record, Row
from bench.loopback import loopback_port
from bench.ticks import open_ticks, take_ticks, wait_ticks

# How long answers may take after the last request before their outcome counts as unknown.
GRACE_S = 10.0
# How often the open model looks at its schedule; half of it is added to every latency on average.
TICK_US = 200


def run_job(job: Job) -> Record:
    """Run one load to its end. Raises HostRefusedError for another host than this machine."""
    loopback_port(job.url)
    gc.collect()
    gc.disable()  # Rows hold no cycles, and a collection in the middle would look like a stall of the gateway.
    try:
        spent = time.process_time()
        record = {"closed": run_closed, "open": run_open, "idle": run_idle}[job.kind](job)
        record.cpu_s = time.process_time() - spent
        return record
    finally:
        gc.enable()


def run_closed(job: Job) -> Record:
    """As many buyers as connections, each with one order at a time."""
    begin = clock() + job.warm_s
    record = Record([], begin, begin + job.seconds, 0.0)
    numbers = iter(range(job.count_max))

    def send_next(line: Line) -> None:
        now = clock()
        number = next(numbers, None) if now < record.end else None
        if number is None:
            crew.retire(line)
        else:
            crew.send(line, number, now)

    crew = Crew(job, record, send_next)
    try:
        crew.dial()
        crew.work(lambda: clock() > record.end + GRACE_S)
    finally:
        crew.finish()
    return record


def run_open(job: Job) -> Record:
    """Orders at moments fixed beforehand, on whichever connection is free; when none is, they wait, and it counts."""
    record = Record([], 0.0, 0.0, 0.0)
    free: deque[Line] = deque()
    waiting: deque[tuple[int, float]] = deque()

    def send_waiting(line: Line) -> None:
        if waiting:
            crew.send(line, *waiting.popleft())
        else:
            free.append(line)

    def send_due(number: int, due: float) -> None:
        record.late.append(clock() - due)
        while free:
            line = free.popleft()
            if crew.is_open(line):
                crew.send(line, number, due)
                return
        waiting.append((number, due))

    crew = Crew(job, record, send_waiting)
    try:
        crew.dial()
        schedule = Schedule(job, send_due)
        record.begin, record.end = schedule.window
        crew.watch(schedule.ticks, schedule.act)
        crew.work(lambda: schedule.over and (crew.in_flight == 0 or clock() > record.end + GRACE_S))
        schedule.close()
    finally:
        crew.finish()
    ended = clock()
    record.rows.extend(Row(number, UNKNOWN, due, ended, ended, b"") for number, due in waiting)
    return record


def run_idle(job: Job) -> Record:
    """The moments of the open model with nothing sent: how late this machine lets a program be."""
    rows: list[Row] = []

    def note(number: int, due: float) -> None:
        now = clock()
        rows.append(Row(number, UNKNOWN, due, now, now, b""))

    schedule = Schedule(job, note)
    while not schedule.over:
        wait_ticks(schedule.ticks)
        schedule.act()
    schedule.close()
    return Record(rows, *schedule.window, 0.0)


class Schedule:
    """Moments fixed beforehand, and the timer that reminds of them."""

    def __init__(self, job: Job, send: Callable[[int, float], None]) -> None:
        self._send = send
        self._moments = schedule_s(job)
        self._position = 0
        self._start = clock()
        self.ticks = open_ticks(TICK_US)
        self.window = (self._start + job.warm_s, self._start + job.warm_s + job.seconds)

    @property
    def over(self) -> bool:
        """Whether all moments have passed."""
        return self._position == len(self._moments)

    def act(self) -> None:
        """Call `send(number, due)` for every moment that has come; `due` in monotonic seconds."""
        take_ticks(self.ticks)
        elapsed = clock() - self._start
        while self._position < len(self._moments) and self._moments[self._position] <= elapsed:
            self._send(self._position, self._start + self._moments[self._position])
            self._position += 1

    def close(self) -> None:
        """Stop the timer."""
        os.close(self.ticks)


def schedule_s(job: Job) -> list[float]:
    """The moments at which requests are due, in seconds after the start; the same for the same seed."""
    moments: list[float] = []
    moment = 0.0
    for gap in _gaps_s(job):
        moment += gap
        if moment > job.warm_s + job.seconds or len(moments) == job.count_max:
            break
        moments.append(moment)
    return moments


def _gaps_s(job: Job) -> Iterator[float]:
    if job.arrivals == "uniform":
        yield from repeat(1 / job.rate_per_s)
    draw = random.Random(job.seed)
    while True:
        yield draw.expovariate(job.rate_per_s)
