"""Connections to Redis: what is sent arrives, and a reset is a fault of Redis like any other, on every event loop."""

import asyncio

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from chaos.proxying.proxy import Proxy, proxying
from chaos.proxying.roles import BUYERS, buyers
from chaos.proxying.rules import Cut, Rule
from contract.settings import Settings
from contract.transport import Line, open_line, open_redis
from tests.support.servers import Servers

# Enough for a reset to arrive on loopback while nobody uses the connection.
IDLE_S = 0.05
LOOPS = {"gateway": uvloop.new_event_loop, "workers": asyncio.new_event_loop}
WAYS = {"pool": lambda settings: open_redis(settings, connections=1), "line": open_line}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("way", WAYS)
def test_a_reset_connection_is_a_fault_of_redis_and_the_next_one_works(servers: Servers, loop: str, way: str) -> None:
    async def run() -> None:
        url, _, port = servers.redis_url.removesuffix("/0").rpartition(":")
        async with proxying(int(port), buyers) as proxy:
            client = WAYS[way](Settings(redis_url=f"{url}:{proxy.port}/0"))
            try:
                await is_cut_and_works_again(client, proxy)
            finally:
                await client.aclose()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(run())


@pytest.mark.parametrize("way", WAYS)
async def test_arguments_of_every_kind_arrive_as_they_are(servers: Servers, way: str) -> None:
    client = WAYS[way](Settings(redis_url=servers.redis_url))
    arguments = ["ü", b"\x00\xff\r\n", "", 2**53, -1, 0.1]
    try:
        found = await client.execute_command("EVAL", "return ARGV", 0, *arguments)
        assert found == ["ü".encode(), b"\x00\xff\r\n", b"", b"9007199254740992", b"-1", b"0.1"]
    finally:
        await client.aclose()


async def is_cut_and_works_again(client: Redis | Line, proxy: Proxy) -> None:
    assert await client.execute_command("ECHO", "before") == b"before"
    with proxy.rule(Rule(BUYERS, Cut())) as strikes:
        # Nothing tells that a connection which nobody uses is gone.
        await asyncio.sleep(IDLE_S)
        with pytest.raises(RedisConnectionError):
            await client.execute_command("ECHO", "meanwhile")
        assert strikes.count
        await asyncio.sleep(IDLE_S)
    answers: list[bytes] = []
    # One connection may have been made and reset since, and nobody has noticed.
    for _ in range(2):
        try:
            answers.append(await client.execute_command("ECHO", "after"))
        except RedisConnectionError:
            continue
    assert answers[-1:] == [b"after"]
