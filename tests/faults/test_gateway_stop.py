"""The gateway on its own: it ends when it is told to, however often and however fast."""

import asyncio
import signal

import msgspec
import pytest

from bench.ports import free_port
from contract.settings import Settings
from tests.support.processes import listening, running

STOP_WITHIN_S = 8.0


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("attempt", range(3))
async def test_a_storm_of_signals_ends_the_gateway_as_one_does(settings: Settings, attempt: int) -> None:
    settings = msgspec.structs.replace(settings, port=free_port())
    async with running(settings, "gateway") as process:
        await listening(settings.port, process)
        for _ in range(200):
            for number in (signal.SIGTERM, signal.SIGINT):
                try:
                    process.send_signal(number)
                except ProcessLookupError:
                    break
            # Lets the gateway run, so that signals meet it inside its handler.
            await asyncio.sleep(0)
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
