"""Operations: GET /livez, /readyz, /metrics, /openapi.json, and / as a signpost."""

import asyncio
from typing import Any, cast

import lua
from contract.bus import SERVICES, idle_services
from contract.errors import NotReady
from gateway.bus_metrics import deferred_families, queue_families
from gateway.gate import Call
from gateway.head import listed
from gateway.meters import all_tallies, own_tally
from gateway.metrics import (
    CONTENT_TYPE,
    OPENMETRICS,
    OPENMETRICS_TYPE,
    lane_families,
    memory_families,
    process_families,
    render,
)
from gateway.openapi import DOCUMENT
from gateway.redis_faults import as_not_ready
from gateway.replying import NO_STORE, Reply, refusal, reply
from gateway.upstream_metrics import sync_families, upstream_families

READY_TIMEOUT_S = 1.0
_LIVE = reply(200, {"status": "ok"}, NO_STORE)
_OPENAPI = reply(200, DOCUMENT)


async def livez(_call: Call) -> Reply:
    """GET /livez: this process answers; whether it may sell is what /readyz says."""
    return _LIVE


async def readyz(call: Call) -> Reply:
    """GET /readyz: 200 when an order would be decided now, 503 when Redis is away."""
    try:
        with as_not_ready():
            async with asyncio.timeout(READY_TIMEOUT_S):
                await cast(Any, call.gate.redis).ping()
        await call.gate.lanes.prepare()
    except NotReady:
        return refusal(503, "Redis does not answer, so nothing can be sold.", NO_STORE)
    return _LIVE


async def metrics(call: Call) -> Reply:
    """GET /metrics: the counts of all gateway processes on this port, the figures of all lanes, and of the bus.

    While Redis is away: this process's counts alone, which are still worth reading; /readyz tells the rest.
    """
    gate = call.gate
    tallies, of_all = [own_tally(gate)], list[Any]()
    try:
        tallies = await all_tallies(gate)
        with as_not_ready():
            every = [lane.admission.keys for lane in gate.lanes.all]
            figures = lua.sum_figures([await lua.read_figures(gate.redis, keys) for keys in every])
            oldest_s = await lua.oldest_order_s(gate.redis, every)
            proofs = [await lua.read_proof(gate.redis, keys) for keys in every]
            queues = await lua.read_queues(gate.redis, SERVICES)
            handled, deferred = await lua.read_handled(gate.redis), await lua.read_deferred(gate.redis)
            asked, times = await lua.read_upstream_calls(gate.redis), await lua.read_upstream_times(gate.redis)
            syncs, memory = await lua.read_syncs(gate.redis), await lua.read_memory(gate.redis)
        of_all = [*lane_families(figures, oldest_s, proofs), *queue_families(queues, handled)]
        of_all += [*deferred_families(deferred, SERVICES), *upstream_families(asked, times)]
        of_all += [*sync_families(syncs, idle_services(gate.settings)), *memory_families(memory)]
    except NotReady:
        pass
    openmetrics = OPENMETRICS in listed(call.headers, "accept")
    body = render([*process_families(tallies), *of_all], openmetrics=openmetrics)
    return Reply(200, (("content-type", OPENMETRICS_TYPE if openmetrics else CONTENT_TYPE), NO_STORE), body)


async def openapi(_call: Call) -> Reply:
    """GET /openapi.json: every route, as it is."""
    return _OPENAPI


async def signpost(_call: Call) -> Reply:
    """GET /: what this is, and where it is described."""
    document = {"status": "ok", "msg": "This is Flux-Gate. Its routes are described at /openapi.json."}
    return reply(200, document)
