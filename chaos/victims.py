"""What is done to a running system, as data: each fault has a name, and finds its victims among the processes below the
supervisor that the test has started; never by a name alone, for other systems may run on this machine."""

import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from chaos.system import System, lives
from chaos.waiting import until
from fluxgate import postgres

GONE_WITHIN_S = 5.0


class Fault(NamedTuple):
    """A fault by its name; `victims` are the living processes that it strikes."""

    name: str
    victims: Callable[[System], list[psutil.Process]]


class Struck(NamedTuple):
    """A fault that has happened: when, by `perf_counter` and in seconds since 1970, and to whom."""

    at: float
    at_epoch: float
    victims: list[psutil.Process]


def child(words: str) -> Callable[[System], list[psutil.Process]]:
    """Finds the supervisor's child whose command line has these words."""

    def find(system: System) -> list[psutil.Process]:
        found = system.child(words)
        return [found] if found and lives(found) else []

    return find


def gateway_processes(system: System) -> list[psutil.Process]:
    """Granian's workers, the eldest first."""
    return [
        worker
        for master in child("fluxgate gateway")(system)
        for worker in sorted(master.children(), key=lambda process: process.create_time())
        if lives(worker)
    ]


def postgres_session(system: System) -> list[psutil.Process]:
    """One session of Postgres with one of ours. Its death makes Postgres throw all others out and start again."""
    postmaster = child("postgres -D")(system)
    sessions = [session for server in postmaster for session in server.children() if _serves_us(session)]
    return sessions[:1]


def household(system: System) -> list[psutil.Process]:
    """All processes of ours: the supervisor's children, and Granian's workers."""
    children = psutil.Process(system.process.pid).children()
    return [process for process in children if lives(process)] + gateway_processes(system)


SUPERVISOR = Fault("supervisor", lambda system: [psutil.Process(system.process.pid)])
WORKER = Fault("order worker", child("fluxgate worker orders"))
FAULTS = [
    Fault("one gateway process", lambda system: gateway_processes(system)[:1]),
    Fault("all gateway processes", gateway_processes),
    Fault("gateway master", child("fluxgate gateway")),
    WORKER,
    Fault("reaper", child("fluxgate reaper")),
    Fault("Valkey", child("valkey-server")),
    Fault("Postgres", child("postgres -D")),
    Fault("a Postgres session", postgres_session),
]


def _serves_us(session: psutil.Process) -> bool:
    try:
        return " ".join(session.cmdline()).startswith(f"postgres: {postgres.USER} ")
    except psutil.NoSuchProcess:
        return False


async def kill(fault: Fault, system: System) -> Struck:
    """SIGKILL the victims; returns when they are gone."""
    victims = fault.victims(system)
    assert victims, f"there is no {fault.name} to kill"
    struck = Struck(time.perf_counter(), time.time(), victims)
    for victim in victims:
        victim.kill()

    async def gone() -> bool:
        return not any(lives(victim) for victim in victims)

    await until(gone, GONE_WITHIN_S)
    return struck
