"""A sandbox as a process: on loopback, until it is told to stop."""

import asyncio
import signal
from typing import Protocol

from fluxgate.sandbox.serving import Listener, Reply, Request


class Sandbox(Protocol):
    """What plays a party."""

    async def answer(self, request: Request) -> Reply:
        """The way of one request."""
        ...

    async def close(self) -> None:
        """End what goes on by itself."""
        ...


async def run(sandbox: Sandbox, port: int) -> None:
    """Answer until SIGTERM or SIGINT. Raises OSError when the port cannot be listened on."""
    listener = Listener(sandbox.answer)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await listener.start(port)
    await stop.wait()
    await listener.stop()
    await sandbox.close()
