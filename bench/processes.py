"""Process trees as Linux shows them under /proc: who belongs to whom, what CPU they used, where they may run."""

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Fields of /proc/<pid>/stat behind the name of the program, counted from the state: parent, and the four times.
PARENT = 1
TIMES = slice(11, 15)


def read_stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; empty when the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def process_tree(root: int) -> set[int]:
    """A process and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal() and (stat := read_stat(int(entry.name))):
            children.setdefault(int(stat[PARENT]), []).append(int(entry.name))
    tree: set[int] = set()
    fresh = [root]
    while fresh:
        pid = fresh.pop()
        tree.add(pid)
        fresh.extend(children.get(pid, ()))
    return tree


def command_line(pid: int) -> str:
    """The command of a process with its arguments, separated by spaces; empty when it is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def direct_children(pid: int) -> list[int]:
    """The children of a process, of whichever of its threads."""
    return [child for child in process_tree(pid) if (stat := read_stat(child)) and int(stat[PARENT]) == pid]


def cpu_s(root: int, without: Collection[int] = ()) -> float:
    """CPU seconds, user and system, of a process tree and of those of its processes that have ended.

    The time of an ended process is found with its parent, so the sum never falls. `without` leaves processes out.
    """
    ticks = 0
    for pid in process_tree(root).difference(without):
        ticks += sum(int(field) for field in read_stat(pid)[TIMES])
    return ticks / TICKS_PER_S


def cpu_by_role(roles: Mapping[str, Collection[int]], without: Collection[int] = ()) -> dict[str, float]:
    """CPU seconds of each role, over the trees of its processes."""
    return {role: sum(cpu_s(root, without) for root in roots) for role, roots in roles.items()}


def pin_tree(root: int, cpus: Collection[int]) -> None:
    """Keep a process, its descendants and all their threads on these CPUs; what they start later stays there too."""
    for pid in process_tree(root):
        with contextlib.suppress(OSError):
            for thread in (PROC / str(pid) / "task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cpus)
