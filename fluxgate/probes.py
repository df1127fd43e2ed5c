"""Probes: one look at whether a process that we started is ready to be used."""

import asyncio
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[bool]]

# The first line of an answer is all that is read of it.
STATUS_LINE_STARTS = (b"HTTP/1.1 200", b"HTTP/1.0 200")


async def alive() -> bool:
    """For a process that shows no readiness: that it was started has to do."""
    return True


def answers_http(host: str, port: int, path: str) -> Probe:
    """A probe that says yes once GET of this path is answered with 200."""
    # A server that listens on every address is asked on loopback.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()

    async def probe() -> bool:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            return False
        try:
            writer.write(request)
            return (await reader.readline()).startswith(STATUS_LINE_STARTS)
        except OSError:
            return False
        finally:
            writer.close()

    return probe
