"""The proxy of the fault suite, between real sockets: what it breaks, for whom, and what it leaves alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable

import pytest

from bench.loopback import LOOPBACK
from bench.ports import free_port
from chaos.proxying.flow import WAITING_BYTES_MAX, reset
from chaos.proxying.proxy import Proxy, proxying
from chaos.proxying.roles import BUYERS
from chaos.proxying.rules import Cut, CutReply, Delay, Hold, Rule, Slice
from tests.support.echo import WITHIN_S, Echo, echoing

OTHERS = "others"
# The time in which something must not happen.
NEVER_S = 0.1

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with echoing() as echo:
        yield echo


class Door:
    """A proxy before the echo, and the roles of those who will come, in their order; then everybody is a buyer."""

    def __init__(self) -> None:
        self.roles: list[str] = []
        self.proxy: Proxy

    def whose(self, _client_port: int, _server_port: int) -> str:
        """The role of the next one."""
        return self.roles.pop(0) if self.roles else BUYERS

    @contextlib.asynccontextmanager
    async def client(self, role: str = BUYERS) -> AsyncGenerator[Client]:
        """A connection through the proxy, for no longer than anything may take here."""
        self.roles.append(role)
        reader, writer = await asyncio.open_connection(LOOPBACK, self.proxy.port)
        try:
            async with asyncio.timeout(WITHIN_S):
                yield reader, writer
        finally:
            writer.close()


@pytest.fixture
async def door(echo: Echo) -> AsyncIterator[Door]:
    """The way to the echo."""
    door = Door()
    async with proxying(echo.port, door.whose) as door.proxy:
        yield door


async def exchange(client: Client, data: bytes) -> bytes:
    """Send something and wait for its echo."""
    client[1].write(data)
    return await client[0].readexactly(len(data))


async def is_silent(client: Client) -> bool:
    """Whether nothing comes for a while, neither a byte nor an end."""
    try:
        async with asyncio.timeout(NEVER_S):
            await client[0].read(1)
    except TimeoutError:
        return True
    return False


async def is_reset(work: Awaitable[object]) -> bool:
    """Whether this ends in a RST."""
    try:
        await work
    except ConnectionResetError:
        return True
    return False


async def test_what_no_rule_is_for_passes_whole_and_so_does_the_end(door: Door, echo: Echo) -> None:
    large = bytes(range(256)) * 20_000
    async with door.client() as client:
        reading = asyncio.create_task(client[0].readexactly(len(large)))
        client[1].write(large)
        assert await reading == large
        client[1].write_eof()
        assert await client[0].read() == b""
    assert echo.ends == ["closed"]


async def test_a_client_that_is_gone_is_gone_for_the_server_too(door: Door, echo: Echo) -> None:
    async with door.client() as client:
        await exchange(client, b"hello")
    await echo.comes_true(lambda: echo.ends == ["closed"])
    await echo.comes_true(lambda: door.proxy.connections(BUYERS) == 0)


async def test_a_client_that_resets_its_connection_does_so_to_the_server(door: Door, echo: Echo) -> None:
    async with door.client() as client:
        await exchange(client, b"hello")
        reset(client[1].transport)
        await echo.comes_true(lambda: echo.ends == ["reset"])


async def test_without_a_server_the_client_is_reset() -> None:
    door = Door()
    async with proxying(free_port(), door.whose) as door.proxy, door.client() as client:
        assert await is_reset(client[0].read())


async def test_a_cut_resets_one_role_and_refuses_it_while_it_lasts(door: Door, echo: Echo) -> None:
    async with door.client(OTHERS) as other, door.client() as client:
        await exchange(other, b"1")
        await exchange(client, b"2")
        with door.proxy.rule(Rule(BUYERS, Cut())) as strikes:
            assert await is_reset(client[0].read())
            async with door.client() as late:
                assert await is_reset(late[0].read())
            assert strikes.count == 2
            assert await exchange(other, b"3") == b"3"
        async with door.client() as again:
            assert await exchange(again, b"4") == b"4"
    assert "reset" in echo.ends
    assert echo.heard == b"1234"


async def test_what_is_held_waits_with_its_connection_open_and_arrives_afterwards(door: Door, echo: Echo) -> None:
    async with door.client(OTHERS) as other, door.client() as client:
        await exchange(client, b"before ")
        with door.proxy.rule(Rule(BUYERS, Hold())) as strikes:
            client[1].write(b"meanwhile")
            await strikes.reach(1, WITHIN_S)
            assert await is_silent(client)
            assert await exchange(other, b"3") == b"3"
            async with door.client() as late:
                late[1].write(b"late")
                assert await is_silent(late)
            assert echo.heard == b"before 3"
        assert await client[0].readexactly(9) == b"meanwhile"
        # The one that had left by then has been heard all the same.
        await echo.comes_true(lambda: b"late" in echo.heard)
    await echo.comes_true(lambda: len(echo.ends) == 3)


async def test_a_reply_is_held_too(door: Door, echo: Echo) -> None:
    async with door.client() as client:
        await exchange(client, b"1")
        with door.proxy.rule(Rule(BUYERS, Delay(NEVER_S))):
            client[1].write(b"2")
            await echo.has_heard(b"12")
        with door.proxy.rule(Rule(BUYERS, Hold())):
            # For longer than it was delayed.
            assert await is_silent(client)
            assert await is_silent(client)
        assert await client[0].readexactly(1) == b"2"


async def test_who_sends_without_end_into_a_partition_is_slowed_down(door: Door) -> None:
    async with door.client() as client:
        with door.proxy.rule(Rule(BUYERS, Hold())):
            client[1].write(b"x" * 8 * WAITING_BYTES_MAX)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2 * NEVER_S):
                    await client[1].drain()
        assert len(await client[0].readexactly(8 * WAITING_BYTES_MAX)) == 8 * WAITING_BYTES_MAX


async def test_a_delay_counts_each_way_and_keeps_the_order(door: Door) -> None:
    async with door.client() as client:
        await exchange(client, b"0")
        with door.proxy.rule(Rule(BUYERS, Delay(0.05))) as strikes:
            sent = time.perf_counter()
            client[1].write(b"first")
            await strikes.reach(1, WITHIN_S)
        # Sent without a delay, and yet it does not overtake.
        client[1].write(b"second")
        assert await client[0].readexactly(11) == b"firstsecond"
        assert time.perf_counter() - sent >= 0.05
        with door.proxy.rule(Rule(BUYERS, Delay(0.05))) as strikes:
            sent = time.perf_counter()
            await exchange(client, b"third")
            assert time.perf_counter() - sent >= 0.1
            assert strikes.count == 2


async def test_a_slice_arrives_in_small_pieces(door: Door) -> None:
    async with door.client() as client:
        with door.proxy.rule(Rule(BUYERS, Slice(3, apart_s=0.02))) as strikes:
            client[1].write(b"abcdefgh")
            pieces = [await client[0].read(100) for _ in range(3)]
            assert pieces == [b"abc", b"def", b"gh"]
            assert strikes.count == 1


async def test_the_reply_to_one_kind_of_request_is_cut_after_the_server_has_heard_it(door: Door, echo: Echo) -> None:
    with door.proxy.rule(Rule(BUYERS, CutReply(b"COMMIT", times=1))) as strikes:
        async with door.client(OTHERS) as other, door.client() as client:
            assert await exchange(other, b"COMMIT") == b"COMMIT"
            assert await exchange(client, b"BEGIN;") == b"BEGIN;"
            client[1].write(b"COM")
            assert await client[0].readexactly(3) == b"COM"
            # The pattern comes in two reads.
            client[1].write(b"MIT;")
            await strikes.reach(1, WITHIN_S)
            assert await is_reset(client[0].read())
            await echo.comes_true(lambda: door.proxy.connections(BUYERS) == 0)
        async with door.client() as second:
            # Once was all.
            assert await exchange(second, b"COMMIT") == b"COMMIT"
    assert strikes.count == 1
    assert echo.heard == b"COMMITBEGIN;COMMIT;COMMIT"
    # The server is not reset: what it was sent it reads to the end.
    await echo.comes_true(lambda: echo.ends == ["closed"] * 3)


async def test_a_reply_may_be_cut_in_its_middle(door: Door) -> None:
    async with door.client() as client:
        with door.proxy.rule(Rule(BUYERS, CutReply(passed_bytes=4))):
            client[1].write(b"abcdefgh")
            assert await client[0].readexactly(4) == b"abcd"
            assert await is_reset(client[0].read())


async def test_a_reply_that_comes_after_the_rule_is_gone_is_not_cut(door: Door) -> None:
    async with door.client() as client:
        with door.proxy.rule(Rule(BUYERS, CutReply(times=1))) as strikes:
            with door.proxy.rule(Rule(BUYERS, Delay(0.05))) as delays:
                client[1].write(b"slow")
                await delays.reach(1, WITHIN_S)
            assert strikes.aimed == 1
        assert await client[0].readexactly(4) == b"slow"
        assert (strikes.count, strikes.aimed) == (0, 0)


async def test_a_rule_that_never_strikes_says_so(door: Door) -> None:
    with door.proxy.rule(Rule(OTHERS, Cut())) as strikes:
        async with door.client() as client:
            await exchange(client, b"1")
        with pytest.raises(TimeoutError):
            await strikes.reach(1, NEVER_S)
    assert strikes.count == 0
