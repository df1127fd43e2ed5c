"""A wire that counts: hands bytes on between two sides, and knows how many went each way."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from bench.loopback import LOOPBACK

CHUNK_BYTES = 65_536


class Tap:
    """What has passed: `sent` towards the server, `returned` from it, in bytes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.returned = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, until either side ends it."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        there, here = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hand_on(reader, here, towards=True))
                both.create_task(self._hand_on(there, writer, towards=False))
        except* OSError:
            pass  # A side that breaks off is one that has ended.
        finally:
            here.close()
            writer.close()

    async def close(self) -> None:
        """End what is still open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards: bool) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if towards:
                self.sent += len(data)
            else:
                self.returned += len(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@contextlib.asynccontextmanager
async def tapped(port: int, own_port: int) -> AsyncGenerator[Tap]:
    """A tap on `own_port` in front of a server of this machine on `port`."""
    tap = Tap(port)
    server = await asyncio.start_server(tap.serve, LOOPBACK, own_port)
    try:
        yield tap
    finally:
        server.close()
        await tap.close()
