"""Ports for servers of our own, which nobody else gets as long as this process lives."""

import atexit
import random
import socket

from bench.loopback import LOOPBACK

# Below the range from which Linux and macOS take the ports of outgoing connections: one of those may take a number at
# any moment between our choice and the server's start.
FIRST, LAST = 10_000, 32_000
TRIES_MAX = 200

# A socket whose address is the port's number, out of every file system: whoever holds it has the port, in this run and
# in every other one that chooses its ports here. It ends with the process.
_held: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that is handed out to nobody else."""
    for _ in range(TRIES_MAX):
        port = random.randint(FIRST, LAST)
        if _is_free(port) and _hold(port):
            return port
    raise OSError(f"No free port between {FIRST} and {LAST} was found in {TRIES_MAX} tries.")


def free_ports(count: int) -> list[int]:
    """Several of them, all different."""
    return [free_port() for _ in range(count)]


@atexit.register
def _release() -> None:
    for claim in _held:
        claim.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _hold(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0fluxgate-port-{port}")
    except OSError:
        claim.close()
        return False
    _held.append(claim)
    return True
