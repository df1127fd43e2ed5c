"""A server that says what it hears, for tests of what stands between it and a client."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from bench.loopback import LOOPBACK
from bench.ports import free_port
from chaos.waiting import until

WITHIN_S = 5.0


class Echo:
    """A server that gives back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.heard = b""
        self.ends: list[str] = []
        self.talking = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.talking += 1
        try:
            while data := await reader.read(65_536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("closed")
        except ConnectionResetError:
            self.ends.append("reset")
        finally:
            self.talking -= 1
            writer.close()

    async def has_heard(self, data: bytes) -> None:
        """Wait until all of this has come."""
        await self.comes_true(lambda: self.heard == data)

    async def comes_true(self, true: Callable[[], bool]) -> None:
        """Wait until something is true."""

        async def asked() -> bool:
            return true()

        await until(asked, WITHIN_S)


@contextlib.asynccontextmanager
async def echoing() -> AsyncGenerator[Echo]:
    """An echo on a port of its own."""
    echo = Echo()
    server = await asyncio.start_server(echo.talk, LOOPBACK, echo.port, limit=1024)
    yield echo
    server.close()
    await echo.comes_true(lambda: echo.talking == 0)
