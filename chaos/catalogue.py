"""All faults, in groups by the kind of house that they need."""

from collections.abc import Sequence

from chaos.house import embedded
from chaos.matrix import Group
from chaos.meddling import MEDDLED
from chaos.signals import KILLED, OTHERS, STOPPED

GROUPS = [
    Group("processes", embedded, [*KILLED, *STOPPED, *OTHERS, *MEDDLED]),
]


def chosen(words: str = "", groups: Sequence[Group] = GROUPS) -> list[Group]:
    """The groups with those faults only whose names have these words."""
    left = [group._replace(faults=[fault for fault in group.faults if words in fault.name]) for group in groups]
    return [group for group in left if group.faults]
