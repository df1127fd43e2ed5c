"""All faults, in groups by the kind of house that they need, and the choice of them that `make test` has time for."""

import contextlib
import functools
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from chaos.fault import Fault, Scene
from chaos.faults.clock import STEPPED, with_false_clocks
from chaos.faults.disk import busy_disk
from chaos.faults.meddling import MEDDLED
from chaos.faults.memory import OUT_OF_MEMORY
from chaos.faults.network import CUTS, DELAYS, PARTITIONS, REPLIES
from chaos.faults.signals import KILLED, OTHERS, STOPPED
from chaos.faults.small_disk import FULL_OF_POSTGRES, FULL_OF_VALKEY, on_small_disk
from chaos.house import embedded
from chaos.matrix import Group
from chaos.proxying.proxied import proxied

# On a busy disk every accept waits for its fsync, so that silences are longer without any fault.
BUSY_SILENCE_S = 1.0


def on_busy_disk(fault: Fault) -> Fault:
    """The same fault on a disk that is busy from before it until the sale has recovered."""

    @contextlib.asynccontextmanager
    async def around(scene: Scene) -> AsyncGenerator[None]:
        async with fault.around(scene), busy_disk(scene.house.settings.data_dir):
            yield

    return replace(fault, name=f"{fault.name}, busy disk", around=around, silence_s=BUSY_SILENCE_S)


def named(faults: Sequence[Fault], words: str) -> list[Fault]:
    """The faults whose names have these words."""
    return [fault for fault in faults if words in fault.name]


ON_BUSY_DISK = [*KILLED, *STOPPED, *named(OTHERS, "SIGKILL supervisor")]
on_small_disk_of_valkey = functools.partial(on_small_disk, server="valkey")
on_small_disk_of_postgres = functools.partial(on_small_disk, server="postgres")

GROUPS = [
    Group("processes", embedded, [*KILLED, *STOPPED, *OTHERS, *MEDDLED, *OUT_OF_MEMORY]),
    Group("processes on a busy disk", embedded, [on_busy_disk(fault) for fault in ON_BUSY_DISK]),
    Group("network", proxied, [*CUTS, *PARTITIONS, *DELAYS, *REPLIES]),
    Group("small disk of Valkey", on_small_disk_of_valkey, FULL_OF_VALKEY),
    Group("small disk of Postgres", on_small_disk_of_postgres, FULL_OF_POSTGRES),
    Group("clocks", with_false_clocks, STEPPED),
]

# One of each kind, and those that came nearest to breaking a promise when they were new.
SHORT = [
    Group("processes", embedded, [*KILLED, *named(STOPPED, "Valkey"), *OTHERS, *MEDDLED, *OUT_OF_MEMORY]),
    Group(
        "network", proxied, [*named(CUTS, "gateway and Valkey"), *named(PARTITIONS, "worker and Postgres"), *REPLIES]
    ),
    Group("small disk of Valkey", on_small_disk_of_valkey, FULL_OF_VALKEY),
    Group("clocks", with_false_clocks, named(STEPPED, "all")),
]


def chosen(words: str) -> list[Group]:
    """The groups with those faults only whose names have these words."""
    left = [group._replace(faults=named(group.faults, words)) for group in GROUPS]
    return [group for group in left if group.faults]
