"""Ports: whether they are free, asked before anything starts, so that the answer is a sentence and not a log."""

import contextlib
import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from contract.settings import Settings
from fluxgate.refusal import Refusal


@dataclass(frozen=True)
class Port:
    """A port that a process of ours is going to listen on."""

    host: str
    number: int
    what: str
    # The variable that changes it.
    variable: str


def wanted_ports(settings: Settings) -> list[Port]:
    """The ports that the whole system listens on."""
    wanted = [
        Port(settings.host, settings.port, "the gateway", "FLUXGATE_PORT"),
        Port(settings.host, settings.waiting_room_port, "the waiting room", "FLUXGATE_WAITING_ROOM_PORT"),
    ]
    if not settings.redis_url:
        wanted.append(Port("127.0.0.1", settings.redis_port, "the embedded Valkey", "FLUXGATE_REDIS_PORT"))
    if not settings.postgres_url:
        wanted.append(Port("127.0.0.1", settings.postgres_port, "the embedded Postgres", "FLUXGATE_POSTGRES_PORT"))
    if settings.is_g2a_sandboxed:
        wanted.append(Port("127.0.0.1", settings.g2a_sandbox_port, "the sandbox of G2A", "FLUXGATE_G2A_SANDBOX_PORT"))
    if settings.is_amazon_sandboxed:
        number = settings.amazon_sandbox_port
        wanted.append(Port("127.0.0.1", number, "the sandbox of Amazon", "FLUXGATE_AMAZON_SANDBOX_PORT"))
    if settings.is_goated_sandboxed:
        number = settings.goated_sandbox_port
        wanted.append(Port("127.0.0.1", number, "the sandbox of Goated", "FLUXGATE_GOATED_SANDBOX_PORT"))
    return wanted


def require_free(ports: Iterable[Port]) -> None:
    """Raise Refusal when one of the ports cannot be listened on."""
    with contextlib.ExitStack() as held:
        # Each stays taken until all have been tried, which finds the same number given twice.
        for port in ports:
            held.enter_context(_listen(port))


def _listen(port: Port) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        raise Refusal(f"FLUXGATE_HOST is {port.host}, which is no address of this machine.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        # As the servers do it: connections of an earlier run that are still closing are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise Refusal(_sentence(port, error)) from None
    return listener


def _sentence(port: Port, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port.number}, for {port.what}, is taken: end the process that uses it, or set {port.variable}."
    if error.errno == errno.EACCES:
        return f"Port {port.number}, for {port.what}, needs a privilege that you do not have: set {port.variable}."
    return f"Nothing can listen on {port.host} port {port.number}, for {port.what}: {error.strerror}."
