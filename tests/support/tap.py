"""A tap on the way to an upstream: it passes everything on as it comes, and keeps the requests byte for byte."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

READ_BYTES = 65_536
END_OF_HEAD = b"\r\n\r\n"


class Tapped(NamedTuple):
    """A request without a body, as it went over the wire; header names are lower case."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str:
        """The header of this name, which must stand there once."""
        (found,) = [value for own, value in self.headers if own == name]
        return found


class Tap:
    """What it has heard so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._heard: list[bytearray] = []

    def take(self) -> list[Tapped]:
        """The requests since the last time, those of one connection behind each other."""
        taken = [_parsed(head) for heard in self._heard for head in bytes(heard).split(END_OF_HEAD) if head]
        for heard in self._heard:
            heard.clear()
        return taken

    def listen(self) -> bytearray:
        """Where the bytes of another client go."""
        self._heard.append(bytearray())
        return self._heard[-1]


@contextlib.asynccontextmanager
async def tapping(target_port: int) -> AsyncIterator[Tap]:
    """A tap inside the block. Clients that are still connected at its end are cut off."""
    at_work: set[asyncio.Task[None]] = set()

    async def serve(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        at_work.add(task := asyncio.ensure_future(_carry(tap, target_port, client, back)))
        await asyncio.wait({task})

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    tap = Tap(server.sockets[0].getsockname()[1])
    async with server:
        yield tap
        server.close()
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)


async def _carry(tap: Tap, target_port: int, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
    answers, on = await asyncio.open_connection("127.0.0.1", target_port)
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_pass_on(client, on, tap.listen()))
            ways.create_task(_pass_on(answers, back, bytearray()))
    finally:
        on.close()
        back.close()


async def _pass_on(source: asyncio.StreamReader, to: asyncio.StreamWriter, heard: bytearray) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(READ_BYTES):
            heard += piece
            to.write(piece)
            await to.drain()
        to.write_eof()


def _parsed(head: bytes) -> Tapped:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Tapped(method, path, query, headers)
