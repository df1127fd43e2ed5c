"""What the bench asks of Valkey directly: counts, memory, rest, and the baseline's own database."""

import contextlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import redis

from bench.baseline_worker import OUTBOX
from bench.books import DRAIN_MAX_S, LOOK_EVERY_S
from bench.system import System
from fluxgate.embedded import resolve
from lua import LaneKeys

# Records that one call of the script writes: some milliseconds, in which Valkey does nothing else.
FILL_AT_ONCE = 5_000
# Longer than any bench: the records are there to be alive.
FILL_TTL_S = 3600
# How long Valkey may rewrite its append-only file after it was filled.
REST_MAX_S = 60.0
FILL = Path(__file__).with_name("fill.lua").read_text(encoding="utf-8")


@contextlib.contextmanager
def valkey_of(system: System) -> Generator[Any]:
    """A client of the system's Valkey, in its own database."""
    client = redis.Redis.from_url(resolve(system.settings).redis_at)
    try:
        yield client
    finally:
        client.close()


def count_commands(system: System) -> int:
    """Commands carried out so far: of clients, and of the scripts that they called."""
    with valkey_of(system) as client:
        return client.info("stats")["total_commands_processed"]


def fill_records(system: System, count: int, order_id: str, digest: str) -> float:
    """Write `count` records like that of an order which was made, each under a key of its own; bytes of each.

    Returns when Valkey has come to rest: a rewrite of its file would take part in what is measured.
    """
    keys = LaneKeys(0)
    with valkey_of(system) as client:
        record = client.get(keys.order(digest))
        assert record
        assert order_id.encode() in record
        before = client.info("memory")["used_memory"]
        fill = client.register_script(FILL)
        for first in range(0, count, FILL_AT_ONCE):
            last = min(count, first + FILL_AT_ONCE) - 1
            fill(keys=[keys.order("")], args=[record, FILL_TTL_S, first, last])
        _await_rest(client)
        return (client.info("memory")["used_memory"] - before) / count


def _await_rest(client: Any) -> None:
    deadline = time.monotonic() + REST_MAX_S
    while time.monotonic() < deadline:
        state = client.info("persistence")
        if not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]:
            return
        time.sleep(LOOK_EVERY_S)


def await_drained(system: System) -> float:
    """Wait until the baseline's outbox is empty, as long as ours may take; the moment, in seconds of the clock."""
    until = time.perf_counter() + DRAIN_MAX_S
    with valkey_of(system) as client:
        while (now := time.perf_counter()) < until and client.xlen(OUTBOX):
            time.sleep(LOOK_EVERY_S)
    return now


def forget_baseline(system: System) -> None:
    """Delete everything in the baseline's own database, in the background, so that nothing weighs on the next run."""
    with valkey_of(system) as client:
        client.flushdb(asynchronous=True)
