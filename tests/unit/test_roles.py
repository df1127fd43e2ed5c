"""Whose connection it is: real processes that connect, known by what their command lines say."""

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from chaos.proxying.proxy import proxying
from chaos.proxying.roles import REST, Family
from tests.support.echo import Echo, echoing


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with echoing() as echo:
        yield echo


CONNECT = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"


@pytest.mark.parametrize(
    ("words", "role"),
    [
        ("fluxgate worker orders", "orders"),
        ("fluxgate reaper", "reaper"),
        ("fluxgate gateway", "gateway"),
        ("fluxgate up", "supervisor"),
        ("fluxgate waiting-room", REST),
    ],
)
async def test_a_process_is_known_by_its_connection(echo: Echo, words: str, role: str) -> None:
    async with proxying(echo.port, Family().role) as proxy:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CONNECT, str(proxy.port), *words.split()), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await echo.comes_true(lambda: proxy.connections(role) == 1)
        finally:
            process.kill()
            await process.wait()


async def test_granians_processes_are_the_gateway_whatever_their_names(echo: Echo) -> None:
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CONNECT!r}, sys.argv[1]])"
    async with proxying(echo.port, Family().role) as proxy:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", parent, str(proxy.port), "fluxgate", "gateway"), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await echo.comes_true(lambda: proxy.connections("gateway") == 1)
        finally:
            process.kill()
            await process.wait()
            # The end of the proxy ends the child, which waits for it.
