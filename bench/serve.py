"""Granian with one of the bench's own applications, with the settings that the gateway runs it with."""

import sys
from typing import Literal

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops

from bench.loopback import LOOPBACK

# Connections in the kernel's queue, and connections served at once: more than any load of the bench opens.
BACKLOG = 2048
CONNECTIONS_MAX = 8192


def serve(target: str, interface: Literal["asgi", "rsgi"], port: int) -> None:
    """Serve `module:application` on 127.0.0.1 with one process until SIGTERM."""
    Granian(
        target,
        address=LOOPBACK,
        port=port,
        interface=Interfaces(interface),
        workers=1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=CONNECTIONS_MAX,
        log_access=False,
        workers_kill_timeout=2,
    ).serve()


if __name__ == "__main__":
    serve(sys.argv[1], Interfaces(sys.argv[2]).value, int(sys.argv[3]))
