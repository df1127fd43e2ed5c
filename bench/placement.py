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
    # All CPUs that there are for the bench. Systems start on all of them, and are pinned when they are up.
    usable: tuple[int, ...] = ()

    def describe(self) -> str:
        """The placement in one sentence."""
        if not self.front:
            return "Nothing was pinned."
        return (
            f"Gateway (or what it is compared with) and Valkey were pinned together to CPU {_list(self.front)}, the "
            f"load generator to CPU {_list(self.generator)}, order worker, Postgres, reaper and supervisor to CPU "
            f"{_list(self.back)}."
        )


def place(cpus: Sequence[int], front: int = 1) -> Placement:
    """Gateway and Valkey on the first `front` CPUs, the generator on the next, the rest on what is left.

    With one CPU left, generator and rest share it; with none left, nothing is pinned.
    """
    usable = tuple(cpus)
    if len(usable) <= front:
        return Placement(usable=usable)
    return Placement(usable[:front], (usable[front],), usable[front + 1 :] or (usable[front],), usable)


def usable_cpus() -> list[int]:
    """The CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def _list(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus))
