"""Granian with one of the bench's own applications, with the settings that the gateway runs it with."""

import sys

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from bench.loopback import LOOPBACK
from contract.settings import Settings
from fluxgate.gateway import BACKLOG, HEAD_BYTES_MAX, HEAD_WITHIN_MS


def serve(target: str, interface: Interfaces, port: int) -> None:
    """Serve `module:application` on 127.0.0.1 with one process until SIGTERM."""
    Granian(
        target,
        address=LOOPBACK,
        port=port,
        interface=interface,
        workers=1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_WITHIN_MS, max_buffer_size=HEAD_BYTES_MAX),
        websockets=True,
        backlog=BACKLOG,
        backpressure=Settings().connections_max,
        log_level=LogLevels.warning,
        log_access=False,
        workers_kill_timeout=2,
    ).serve()


if __name__ == "__main__":
    serve(sys.argv[1], Interfaces(sys.argv[2]), int(sys.argv[3]))
