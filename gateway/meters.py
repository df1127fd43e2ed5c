"""One /metrics for all gateway processes on a port: each publishes its counts, and whichever is asked tells all."""

import asyncio
import os
import time
from pathlib import Path

import msgspec

import lua
from contract.errors import NotReady
from gateway.bus_metrics import BusTally
from gateway.gate import Gate
from gateway.metrics import Tally
from gateway.redis_faults import as_not_ready

PUBLISH_EVERY_S = 2.0
FORGOTTEN_AFTER_S = 10.0
"""Counts that are not renewed for so long are those of a process that has ended."""

_decoder = msgspec.json.Decoder(Tally)


def own_tally(gate: Gate) -> Tally:
    """What this process has counted."""
    cache, replies = gate.cache, gate.replies
    reads = {"fresh": cache.hits, "old": cache.stale, "nothing": cache.misses}
    bus = BusTally(replies.awaited, replies.refused, reads, cache.fills)
    watchers = gate.events.watchers + gate.progress.watchers + gate.race_news.watchers
    return gate.meter.tally(str(os.getpid()), watchers, bus, memory_bytes())


def memory_bytes() -> int:
    """Memory that this process holds; 0 on a system that does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


async def publish_forever(gate: Gate) -> None:
    """Publish this process's counts until cancelled; a Redis that is away is no reason to stop."""
    while True:
        tally = own_tally(gate)
        try:
            with as_not_ready():
                await lua.publish_meter(gate.redis, tally.process, msgspec.json.encode(tally))
        except NotReady:
            pass  # told in the log, and the next time comes soon
        await asyncio.sleep(PUBLISH_EVERY_S)


async def all_tallies(gate: Gate) -> list[Tally]:
    """The counts of all living processes, this one's as they are now. Raises NotReady."""
    own = own_tally(gate)
    if gate.settings.gateway_workers == 1:
        return [own]
    with as_not_ready():
        others = [_decoder.decode(meter) for meter in (await lua.read_meters(gate.redis)).values()]
        oldest = time.time() - FORGOTTEN_AFTER_S
        await lua.forget_meters(gate.redis, [tally.process for tally in others if tally.at < oldest])
    return [own, *(tally for tally in others if tally.at >= oldest and tally.process != own.process)]
