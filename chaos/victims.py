"""Who can be struck: the processes of a system by what they do, found among those below the supervisor that the suite
has started; never by a name alone, for other systems may run on this machine."""

from collections.abc import Callable

import psutil

from chaos.system import System, lives
from fluxgate import postgres

Victims = Callable[[System], list[psutil.Process]]


def child(words: str) -> Victims:
    """Finds the supervisor's child whose command line has these words."""

    def find(system: System) -> list[psutil.Process]:
        found = system.child(words)
        return [found] if found and lives(found) else []

    return find


def supervisor(system: System) -> list[psutil.Process]:
    """The supervisor itself."""
    return [psutil.Process(system.process.pid)]


gateway_master = child("fluxgate gateway")
order_worker = child("fluxgate worker orders")
reaper = child("fluxgate reaper")
valkey = child("valkey-server")
postmaster = child("postgres -D")


def gateway_processes(system: System) -> list[psutil.Process]:
    """Granian's workers, the eldest first."""
    return [
        worker
        for master in gateway_master(system)
        for worker in sorted(master.children(), key=lambda process: process.create_time())
        if lives(worker)
    ]


def one_gateway_process(system: System) -> list[psutil.Process]:
    """The eldest of Granian's workers."""
    return gateway_processes(system)[:1]


def postgres_session(system: System) -> list[psutil.Process]:
    """One session of Postgres with one of ours. Its death makes Postgres throw all others out and start again."""
    sessions = [session for server in postmaster(system) for session in server.children() if _serves_us(session)]
    return sessions[:1]


def household(system: System) -> list[psutil.Process]:
    """All processes of ours: the supervisor's children, and Granian's workers."""
    children = psutil.Process(system.process.pid).children()
    return [process for process in children if lives(process)] + gateway_processes(system)


def _serves_us(session: psutil.Process) -> bool:
    try:
        return " ".join(session.cmdline()).startswith(f"postgres: {postgres.USER} ")
    except psutil.NoSuchProcess:
        return False
