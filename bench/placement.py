"""Which process runs on which CPU while the bench measures."""

import os
from collections.abc import Sequence

import msgspec


class Placement(msgspec.Struct, frozen=True):
    """CPUs by their numbers; an empty tuple: wherever the kernel wants."""

    # The gateway and Valkey, together: they are what is measured, and they share one core.
    front: tuple[int, ...] = ()
    # The load generator.
    generator: tuple[int, ...] = ()
    # The order worker, Postgres and the rest.
    back: tuple[int, ...] = ()

    def describe(self) -> str:
        """The placement in one sentence."""
        if not self.front:
            return "Nothing was pinned: the machine has one CPU."
        return (
            f"Gateway (or baseline) and Valkey were pinned together to CPU {_list(self.front)}, the load generator to "
            f"CPU {_list(self.generator)}, order worker, Postgres, reaper and supervisor to CPU {_list(self.back)}."
        )


def place(cpus: Sequence[int]) -> Placement:
    """Gateway and Valkey on the first CPU, the generator on the second, the rest on what is left, or on the second."""
    if len(cpus) < 2:
        return Placement()
    return Placement((cpus[0],), (cpus[1],), tuple(cpus[2:]) or (cpus[1],))


def usable_cpus() -> list[int]:
    """The CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def _list(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus))
