"""Who stands at the other end of a connection: the role of the process that opened it.

Only processes below this one are looked at, so that a connection is never taken for one of another system's.
"""

import os
from collections.abc import Callable

from bench.processes import command_line
from chaos.proxying.sockets import client_socket, holds
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
Whose = Callable[[int, int], str]


def buyers(_client_port: int, _server_port: int) -> str:
    """Whoever comes to the front door is a buyer."""
    return BUYERS


class Family:
    """The processes below this one, as far as they have a role."""

    def __init__(self) -> None:
        self._roles: dict[int, str] = {}

    def role(self, client_port: int, server_port: int) -> str:
        """The role of the process that has connected `client_port` to `server_port`."""
        inode = client_socket(client_port, server_port)
        if not inode:
            return REST
        # To look through the family takes milliseconds, and most often it is somebody who has been seen before.
        found = self._holder(inode)
        if not found:
            self._roles = _roles()
            found = self._holder(inode)
        return found or REST

    def _holder(self, inode: int) -> str:
        return next((role for pid, role in self._roles.items() if holds(pid, inode)), "")


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
