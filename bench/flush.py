"""Waits for the baseline's worker, and empties its database in Valkey, so that nothing weighs on the next run."""

import time

import redis

from bench.baseline_worker import OUTBOX
from bench.books import DRAIN_MAX_S, LOOK_EVERY_S
from bench.system import System


def await_drained(system: System) -> float:
    """Wait until the baseline's outbox is empty, as long as ours may take; gives the seconds."""
    client = redis.Redis.from_url(system.settings.redis_at)
    began = time.monotonic()
    try:
        while client.xlen(OUTBOX) and time.monotonic() - began < DRAIN_MAX_S:
            time.sleep(LOOK_EVERY_S)
    finally:
        client.close()
    return time.monotonic() - began


def forget_baseline(system: System) -> None:
    """Delete everything in the baseline's own database, in the background of Valkey."""
    client = redis.Redis.from_url(system.settings.redis_at)
    try:
        client.flushdb(asynchronous=True)
    finally:
        client.close()
