"""Our own processes, as the tests start and stop them: real ones, by the real command line."""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bench.ports import free_port
from contract.settings import Settings, child_environ
from fluxgate.process import launched

ROOT = Path(__file__).parents[2]
UP_WITHIN_S = 20.0
STOP_WITHIN_S = 10.0


@contextlib.asynccontextmanager
async def running(settings: Settings, *command: str) -> AsyncIterator[Process]:
    """Run `fluxgate <command>` inside the block; its output goes to a log in the data directory."""
    log_path = settings.data_dir / f"{'-'.join(command)}.log"
    with log_path.open("ab") as log:
        # Tied to this process: a test run that is killed leaves nothing behind either.
        argv = launched([sys.executable, "-m", "fluxgate", *command], "same")
        environ = child_environ(settings)
        process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        yield process
    finally:
        await stop(process)


async def stop(process: Process) -> int:
    """End a process as an operator would; give its exit code."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    return process.returncode or 0


@contextlib.asynccontextmanager
async def running_gateway(settings: Settings) -> AsyncIterator[Settings]:
    """A gateway on a free port inside the block; gives its settings."""
    settings = msgspec.structs.replace(settings, port=free_port())
    async with running(settings, "gateway") as process:
        await listening(settings.port, process)
        yield settings


async def listening(port: int, process: Process | None = None) -> None:
    """Wait until something listens on a port of ours."""
    async with asyncio.timeout(UP_WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert process is None or process.returncode is None, "the process ended before it listened"
                # There is no event of another process's socket to wait for, so it is asked again.
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
