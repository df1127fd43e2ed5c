"""A whole system of a test's own: `fluxgate up` on free ports, in a directory of its own, with all its processes."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.children import ROOT
from bench.ports import free_port
from chaos.waiting import until
from contract.settings import Settings, child_environ
from fluxgate.data_directory import is_held
from fluxgate.process import Identity, launched

UP_WITHIN_S = 60.0
# What the project promises: one ctrl-C stops everything within this.
STOP_WITHIN_S = 5.0


def own_settings(data_dir: Path) -> Settings:
    """Settings on which a system meets nobody else's."""
    return Settings(
        data_dir=data_dir,
        port=free_port(),
        waiting_room_port=free_port(),
        redis_port=free_port(),
        postgres_port=free_port(),
        g2a_sandbox_port=free_port(),
        amazon_sandbox_port=free_port(),
        goated_sandbox_port=free_port(),
    )


@dataclass
class System:
    """A running `fluxgate up`."""

    settings: Settings
    process: Process
    log: Path

    def says(self) -> str:
        """What it has printed."""
        return self.log.read_text()

    def child(self, words: str) -> psutil.Process | None:
        """The living child whose command line has these words."""
        children = [child for child in psutil.Process(self.process.pid).children() if lives(child)]
        return next((child for child in children if words in " ".join(child.cmdline())), None)

    def family(self) -> list[psutil.Process]:
        """All processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def ends(self, within_s: float = STOP_WITHIN_S) -> int:
        """Wait for its end and give its exit code."""
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def leaves_nothing(self, family: Sequence[psutil.Process], within_s: float = STOP_WITHIN_S) -> None:
        """Wait until of these processes none lives, and none that is unknown to us holds the data directory."""

        async def gone() -> bool:
            return not any(lives(process) for process in family) and not is_held(self.settings.data_dir)

        await until(gone, within_s)


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; one that is dead and has only not been buried by its new parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.asynccontextmanager
async def started(
    settings: Settings,
    *,
    command: Sequence[str] = ("up",),
    name: str = "up",
    identity: Identity = "same",
    prefix: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    source: Path = ROOT,
) -> AsyncGenerator[System]:
    """Start `fluxgate up` without waiting for anything; whatever is left of it at the end is killed.

    `prefix` is a program that turns itself into it, `environ` more of the environment, `source` the tree of its code.
    """
    log_path = settings.data_dir.parent / f"{name}.output"
    with log_path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *launched([*prefix, sys.executable, "-m", "fluxgate", *command], identity),
            cwd=source,
            env=child_environ(settings) | {"PYTHONPATH": str(source)} | dict(environ or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    system = System(settings, process, log_path)
    try:
        yield system
    finally:
        if process.returncode is None:
            family = system.family()
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()
            await system.leaves_nothing(family)


@contextlib.asynccontextmanager
async def running_system(settings: Settings, **how: Any) -> AsyncGenerator[System]:
    """A system that is up inside the block; `how` is for `started`."""
    async with started(settings, **how) as system:
        await up(system)
        yield system


async def up(system: System) -> None:
    """Wait until a system says that it is up."""

    async def says_so() -> bool:
        assert system.process.returncode is None, system.says()
        return "is up" in system.says()

    await until(says_so, UP_WITHIN_S)


async def refusal(settings: Settings, *command: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command that must refuse to work: exit code 2 and one sentence on standard error, which it gives."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fluxgate", *command),
        cwd=ROOT,
        env=child_environ(settings) | dict(environ or {}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(UP_WITHIN_S):
        output, errors = await process.communicate()
    sentence = errors.decode()
    assert (process.returncode, output) == (2, b""), sentence
    assert sentence.startswith("fluxgate: "), sentence
    assert sentence.count("\n") == 1, sentence
    return sentence


def on_other_ports(settings: Settings) -> Settings:
    """The same data directory, on ports of its own."""
    fresh = own_settings(settings.data_dir)
    return msgspec.structs.replace(settings, **{name: getattr(fresh, name) for name in PORTS})


PORTS = (
    "port",
    "waiting_room_port",
    "redis_port",
    "postgres_port",
    "g2a_sandbox_port",
    "amazon_sandbox_port",
    "goated_sandbox_port",
)
