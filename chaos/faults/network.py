"""Faults of the network between two of the system's parts: cut, partitioned, slow, and an answer that never arrives.

They need a house with proxies; see `chaos/proxying/proxied.py`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from chaos.fault import Fault, Scene, Struck
from chaos.proxying.proxied import Proxies
from chaos.proxying.proxy import Proxy
from chaos.proxying.roles import BUYERS, GATEWAY, ORDERS, REAPER
from chaos.proxying.rules import Cut, CutReply, Delay, Hold, Rule
from lua.scripts import script_sha

# How long a connection is cut, in seconds: several times the pauses with which everything of ours connects anew.
CUT_S = (1.5, 2.5)
# A partition: longer than any command of Redis may take, which for a worker's reading is three seconds.
HELD_S = (3.2, 4.0)
# Delays each way: from another city to another continent; and for how long everything is so slow.
DELAY_S = (0.05, 0.3)
SLOW_S = (2.5, 3.5)
# Replies that are cut: some of a moment, and so many that their repetitions are cut too.
FEW, MANY = (1, 4), (20, 60)
# A fault of a busy connection strikes at once; one that has not struck by then is broken itself.
STRUCK_WITHIN_S = 10.0


class Pair(NamedTuple):
    """Two parts that speak to each other: who connects, and through which proxy."""

    name: str
    role: str
    proxy: Callable[[Proxies], Proxy]


def _front(proxies: Proxies) -> Proxy:
    return proxies.front


def _redis(proxies: Proxies) -> Proxy:
    return proxies.redis


def _postgres(proxies: Proxies) -> Proxy:
    return proxies.postgres


BUYERS_GATEWAY = Pair("buyers and gateway", BUYERS, _front)
GATEWAY_VALKEY = Pair("gateway and Valkey", GATEWAY, _redis)
WORKER_VALKEY = Pair("order worker and Valkey", ORDERS, _redis)
WORKER_POSTGRES = Pair("order worker and Postgres", ORDERS, _postgres)
REAPER_VALKEY = Pair("reaper and Valkey", REAPER, _redis)
REAPER_POSTGRES = Pair("reaper and Postgres", REAPER, _postgres)
PAIRS = [BUYERS_GATEWAY, GATEWAY_VALKEY, WORKER_VALKEY, WORKER_POSTGRES, REAPER_VALKEY, REAPER_POSTGRES]


def cut(pair: Pair) -> Fault:
    """All connections of a pair are reset, and new ones too for a while."""

    async def strike(scene: Scene) -> Struck:
        return await _lasting(scene, pair, Rule(pair.role, Cut()), CUT_S)

    return Fault(f"cut between {pair.name}", strike)


def held(pair: Pair) -> Fault:
    """Nothing passes between a pair for a while, and what was sent arrives late."""

    async def strike(scene: Scene) -> Struck:
        return await _lasting(scene, pair, Rule(pair.role, Hold()), HELD_S)

    return Fault(f"partition between {pair.name}", strike)


def delayed(pair: Pair) -> Fault:
    """Everything between a pair is slow for a while."""

    async def strike(scene: Scene) -> Struck:
        return await _lasting(scene, pair, Rule(pair.role, Delay(scene.draw.uniform(*DELAY_S))), SLOW_S)

    return Fault(f"delay between {pair.name}", strike)


def unanswered(what: str, pair: Pair, request: bytes, times: tuple[int, int]) -> Fault:
    """What was asked for is done, and who asked never hears of it: so many times in a row."""

    async def strike(scene: Scene) -> Struck:
        count = scene.draw.randint(*times)
        at = time.perf_counter()
        with pair.proxy(scene.house.hands).rule(Rule(pair.role, CutReply(request, times=count))) as strikes:
            await strikes.reach(count, STRUCK_WITHIN_S)
            return Struck(at, time.perf_counter())

    return Fault(f"reply lost: {what}", strike)


async def _lasting(scene: Scene, pair: Pair, rule: Rule, lasts_s: tuple[float, float]) -> Struck:
    seconds = scene.draw.uniform(*lasts_s)
    at = time.perf_counter()
    with pair.proxy(scene.house.hands).rule(rule) as strikes:
        # The fault is that the network is so for a time.
        await asyncio.sleep(seconds)
    assert strikes.count, f"nothing passed between {pair.name} that could be struck"
    return Struck(at, time.perf_counter())


def _script(name: str) -> bytes:
    return script_sha(name).encode()


CUTS = [cut(pair) for pair in PAIRS]
PARTITIONS = [held(pair) for pair in PAIRS]
DELAYS = [delayed(pair) for pair in PAIRS]
REPLIES = [
    unanswered("buyers' orders", BUYERS_GATEWAY, b"POST /order ", MANY),
    unanswered("admission", GATEWAY_VALKEY, _script("admit"), FEW),
    unanswered("the worker's commit", WORKER_POSTGRES, b"COMMIT;", FEW),
    unanswered("settling", WORKER_VALKEY, _script("settle"), FEW),
]
