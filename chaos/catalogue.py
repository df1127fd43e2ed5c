"""All faults, in groups by the kind of house that they need, and the choice of them that `make test` has time for."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from chaos import network
from chaos.disk import busy_disk
from chaos.fault import Fault, Scene
from chaos.house import embedded
from chaos.matrix import Group
from chaos.meddling import MEDDLED
from chaos.network import CUTS, DELAYS, PARTITIONS, REPLIES
from chaos.proxied import proxied
from chaos.signals import KILLED, OTHERS, STOPPED

# On a busy disk every accept waits for its fsync, so that silences are longer without any fault.
BUSY_SILENCE_S = 1.0


def on_busy_disk(fault: Fault) -> Fault:
    """The same fault on a disk that is busy from before it until the sale has recovered."""

    @contextlib.asynccontextmanager
    async def around(scene: Scene) -> AsyncIterator[None]:
        async with fault.around(scene), busy_disk(scene.house.settings.data_dir):
            yield

    return replace(fault, name=f"{fault.name}, busy disk", around=around, silence_s=BUSY_SILENCE_S)


GROUPS = [
    Group("processes", embedded, [*KILLED, *STOPPED, *OTHERS, *MEDDLED]),
    Group("busy disk", embedded, [on_busy_disk(fault) for fault in (*KILLED, *STOPPED)]),
    Group("network", proxied, [*CUTS, *PARTITIONS, *DELAYS, *REPLIES]),
]

SHORT = [
    Group("processes", embedded, [*KILLED, *(fault for fault in STOPPED if "Valkey" in fault.name), *OTHERS, *MEDDLED]),
    Group("network", proxied, [network.cut(network.GATEWAY_VALKEY), network.held(network.WORKER_POSTGRES), *REPLIES]),
]


def chosen(words: str = "", groups: Sequence[Group] = GROUPS) -> list[Group]:
    """The groups with those faults only whose names have these words."""
    left = [group._replace(faults=[fault for fault in group.faults if words in fault.name]) for group in groups]
    return [group for group in left if group.faults]
