"""The supervisor: starts children in stages, starts again what dies, stops them in reverse; nothing is left behind."""

import asyncio
import shutil
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluxgate.process import (
    Child,
    become_ready,
    bring_up,
    describe_exit,
    kill,
    kill_group,
    log_tail,
    spawn,
    stop,
)
from fluxgate.refusal import Refusal

# The wait before a dead child is started again: at first short enough that nobody notices, doubled while it keeps
# dying, and capped so that a cause that somebody removes by hand is found removed soon.
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 5.0
# A child that lived this long was well; its next death is a new misfortune and not the old one again.
STEADY_AFTER_S = 10.0
# From this death in a row on, the last lines of the log are shown: one death may be chance, three are not.
DEATHS_BEFORE_LOG = 3
# One ctrl-C ends everything within 5 s; this leaves the rest for our own end on a busy machine.
STOP_WITHIN_S = 4.0
# A log may grow to this; then it becomes `<name>.log.1` and starts again. One child thus takes 20 MB at most.
LOG_BYTES_MAX = 10_000_000


@dataclass
class Kept:
    """A child with its life so far."""

    child: Child
    process: Process
    since: float
    deaths_in_a_row: int = 0
    keeper: asyncio.Task[None] | None = None


class Supervisor:
    """Keeps children alive.

    `say` is told, in sentences for people, what happens to them. The descriptors in `keep_open` stay open in them.
    """

    def __init__(self, logs: Path, say: Callable[[str], None], keep_open: Sequence[int] = ()) -> None:
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._logs = logs
        self._say = say
        self._keep_open = keep_open
        self._stages: list[list[Kept]] = []
        # Ends with an error when the supervisor itself has a fault; whoever runs it awaits this beside everything else.
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, *children: Child) -> None:
        """Start these children together and return when all are ready. Raises ChildFailed when one does not come up."""
        stage: list[Kept] = []
        self._stages.append(stage)
        starts = [asyncio.create_task(self._start(child, stage)) for child in children]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.wait(starts)
            raise

    async def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Stop stage by stage, the last first, and kill what is not gone in time.

        A stage may use all the time there is but what is kept for the stages after it.
        """
        deadline = time.monotonic() + within_s
        while self._stages:
            *later_stages, stage = self._stages
            kept_s = sum(max((kept.child.stop_within_s for kept in later), default=0.0) for later in later_stages)
            keepers = [kept.keeper for kept in stage if kept.keeper is not None]
            for keeper in keepers:
                keeper.cancel()
            if keepers:
                await asyncio.wait(keepers)
            left_s = max(0.0, deadline - kept_s - time.monotonic())
            await asyncio.gather(*(self._stop(kept, left_s) for kept in stage))
            # Not before: `kill` has to find those that are being stopped.
            self._stages.pop()

    def kill(self) -> None:
        """Kill every child at once. `stop` still has to be awaited, and finds nothing left to wait for."""
        for stage in self._stages:
            for kept in stage:
                kill_group(kept.process)

    def pids(self) -> dict[str, int]:
        """The process id of every child, by its name."""
        return {kept.child.name: kept.process.pid for stage in self._stages for kept in stage}

    def rotate_logs(self) -> None:
        """Put aside the logs that have grown too large."""
        for log in self._logs.glob("*.log"):
            if log.stat().st_size > LOG_BYTES_MAX:
                # The child holds the file open, so it is emptied rather than moved. A line that is written between
                # the two steps is lost; every one after them goes to the new end, because the file is appended to.
                shutil.copyfile(log, log.with_name(log.name + ".1"))
                with log.open("r+b") as file:
                    file.truncate()

    def log(self, child: Child) -> Path:
        """Where a child's output goes."""
        return self._logs / f"{child.name.replace(' ', '-')}.log"

    async def _start(self, child: Child, stage: list[Kept]) -> None:
        process = await bring_up(child, self.log(child), self._keep_open)
        kept = Kept(child, process, time.monotonic())
        stage.append(kept)
        kept.keeper = asyncio.create_task(self._keep(kept))
        kept.keeper.add_done_callback(self._keeper_ended)

    async def _stop(self, kept: Kept, within_s: float) -> None:
        if not await stop(kept.child, kept.process, within_s):
            self._say(f"{kept.child.name} did not end in time and was killed.")

    async def _keep(self, kept: Kept) -> None:
        while True:
            await kept.process.wait()
            # What it started and did not take along would hold its port, or serve with old code beside its successor.
            await kill(kept.process)
            await asyncio.sleep(self._mourn(kept))
            await self._start_again(kept)

    def _keeper_ended(self, keeper: asyncio.Task[None]) -> None:
        if not keeper.cancelled() and (error := keeper.exception()) and not self.broken.done():
            self.broken.set_exception(error)

    def _mourn(self, kept: Kept) -> float:
        """Say that a child died; returns how long to wait before it is started again."""
        if time.monotonic() - kept.since >= STEADY_AFTER_S:
            kept.deaths_in_a_row = 0
        kept.deaths_in_a_row += 1
        wait_s = backoff_s(kept.deaths_in_a_row)
        how = describe_exit(kept.process.returncode or 0)
        self._say(f"{kept.child.name} {how}; it is started again in {wait_s:g} s.")
        if kept.deaths_in_a_row >= DEATHS_BEFORE_LOG:
            log = self.log(kept.child)
            self._say("\n".join([f"{kept.child.name} keeps dying; {log} ends in:", *_indented(log_tail(log))]))
        return wait_s

    async def _start_again(self, kept: Kept) -> None:
        log = self.log(kept.child)
        try:
            kept.process = await spawn(kept.child, log, self._keep_open)
            kept.since = time.monotonic()
            await become_ready(kept.child, kept.process, log)
            self._say(f"{kept.child.name} is back.")
        except (Refusal, OSError):
            # It died again, took too long, or could not be started for want of memory. The keeper goes on as after any
            # other death, and ends it first if it still lives.
            kill_group(kept.process)


def backoff_s(deaths_in_a_row: int) -> float:
    """How long to wait before starting a child again."""
    return min(BACKOFF_FIRST_S * 2 ** min(deaths_in_a_row - 1, 30), BACKOFF_MAX_S)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
