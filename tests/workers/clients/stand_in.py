"""A stand-in for an upstream, on a real socket: it answers with the bytes it is told, and keeps what it was sent."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

HANG = b"hang"
"""Stands for no answer, on a connection that stays open."""


@dataclass
class StandIn:
    """What it answers, one after the other and the last one for ever, and the requests that came."""

    port: int = 0
    answers: Sequence[bytes] = ()
    requests: list[bytes] = field(default_factory=list[bytes])

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"


def said(body: bytes, *headers: str, status: int = 200) -> bytes:
    """The bytes of a sound answer."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.asynccontextmanager
async def standing_in(*answers: bytes) -> AsyncIterator[StandIn]:
    """An upstream inside the block; it closes each connection after its answer, and answers nothing to none."""
    upstream = StandIn(answers=answers)
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_one(reader, writer))
        at_work.add(task)
        await task

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        upstream.requests.append(head + await reader.readexactly(length))
        answer = upstream.answers[min(len(upstream.requests), len(upstream.answers)) - 1]
        if answer == HANG:
            await reader.read()
        elif answer:
            writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    async with server:
        yield upstream
        await asyncio.gather(*at_work)
