"""Who stands at the other end of a connection: the role of the process that opened it, known by the connection's port.

Only processes below this one are looked at, so that a connection is never taken for one of another system's.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.loopback import LOOPBACK
from bench.processes import command_line
from fluxgate.process import descendants

BUYERS, GATEWAY, ORDERS, REAPER, SUPERVISOR = "buyers", "gateway", "orders", "reaper", "supervisor"
# Whoever has none of the roles, or was gone before it was looked at.
REST = "rest"
# The role of a process, by a part of its command line.
WORDS = {
    "fluxgate gateway": GATEWAY,
    "fluxgate worker orders": ORDERS,
    "fluxgate reaper": REAPER,
    "fluxgate up": SUPERVISOR,
}

# The role at the end of a connection between two ports of loopback: the client's and the server's.
Whose = Callable[[int, int], Awaitable[str]]


async def buyers(_client_port: int, _server_port: int) -> str:
    """Whoever comes to the front door is a buyer."""
    return BUYERS


async def process_role(client_port: int, server_port: int) -> str:
    """The role of the process that has connected `client_port` to `server_port`."""
    # The kernel writes a line for each of the machine's connections; the loop need not wait for that.
    return await asyncio.to_thread(_look_up, client_port, server_port)


def _look_up(client_port: int, server_port: int) -> str:
    inode = _inode(client_port, server_port)
    if not inode:
        return REST
    wanted = f"socket:[{inode}]"
    return next((role for pid, role in _roles().items() if _holds(pid, wanted)), REST)


def _inode(client_port: int, server_port: int) -> str:
    """The number of the client's socket; empty when it has been closed."""
    address = int.from_bytes(socket.inet_aton(LOOPBACK), sys.byteorder)
    ends = f" {address:08X}:{client_port:04X} {address:08X}:{server_port:04X} "
    line = next((line for line in Path("/proc/net/tcp").read_text().splitlines() if ends in line), "")
    # Behind the ends: state, queues, timer, retransmissions, user, timeout, inode.
    found = line.partition(ends)[2].split()
    return found[6] if len(found) > 6 and found[6] != "0" else ""


def _roles() -> dict[int, str]:
    """The roles of the processes below this one that have one."""
    roles: dict[int, str] = {}
    for pid in descendants(os.getpid()):
        role = next((role for words, role in WORDS.items() if words in command_line(pid)), "")
        if role:
            roles[pid] = role
        if role == GATEWAY:
            # Granian's workers, whose command lines do not say so.
            roles |= dict.fromkeys(descendants(pid), GATEWAY)
    return roles


def _holds(pid: int, wanted: str) -> bool:
    """Whether a process has this socket among its files."""
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            # One that is closed meanwhile is not the one that is looked for.
            with contextlib.suppress(OSError):
                if str(file.readlink()) == wanted:
                    return True
    return False
