"""The load generator as a process of its own: it takes jobs one after another, and hands back a record of each.

A process of its own, so that it can stay on a CPU of its own and no progress bar disturbs its clock. One process for
all loads of a bench, because starting Python takes a fifth of the time that a short load does.
"""

import contextlib
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Generator as Yields
from pathlib import Path

import msgspec

from bench.jobs import Job, Record
from bench.load import GRACE_S, run_job
from bench.priority import urgent

# Room for starting Python, dialling, and packing the record, besides the load itself.
OVERHEAD_S = 60.0
# Before every message: how many bytes it has.
LENGTH = struct.Struct("<Q")
READ_BYTES = 1 << 20
ROOT = Path(__file__).parent.parent


class GeneratorError(Exception):
    """The generator ended, or hung, without a record."""


class Generator:
    """The running process; `run` is the whole use of it."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def run(self, job: Job) -> Record:
        """Run a job to its end. Raises GeneratorError."""
        assert self._child.stdin
        packed = msgspec.json.encode(job)
        deadline = time.monotonic() + job.warm_s + job.seconds + GRACE_S + OVERHEAD_S
        try:
            self._child.stdin.write(LENGTH.pack(len(packed)) + packed)
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        (length,) = LENGTH.unpack(self._read(LENGTH.size, deadline))
        return msgspec.msgpack.decode(self._read(length, deadline), type=Record)

    def _read(self, length: int, deadline: float) -> bytes:
        assert self._child.stdout
        source = self._child.stdout.fileno()
        data = bytearray()
        while len(data) < length:
            if not select.select([source], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise GeneratorError("The load generator took much too long over one load.")
            part = os.read(source, min(READ_BYTES, length - len(data)))
            if not part:
                raise self._ended()
            data += part
        return bytes(data)

    def _ended(self) -> GeneratorError:
        code = self._child.wait()
        return GeneratorError(f"The load generator ended with code {code}; its reason is printed above.")


@contextlib.contextmanager
def running_generator() -> Yields[Generator]:
    """A generator inside the block, gone after it. It ends by itself when this process does: its input ends then."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.generator"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the bench, which then ends this block.
        start_new_session=True,
    )
    try:
        yield Generator(child)
    finally:
        child.kill()
        with contextlib.suppress(BrokenPipeError):
            child.communicate()


def main() -> None:
    """Take jobs from standard input until it ends; write the record of each to standard output."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(LENGTH.size):
        job = msgspec.json.decode(source.read(LENGTH.unpack(head)[0]), type=Job)
        if job.cpus:
            os.sched_setaffinity(0, job.cpus)
        priority = urgent(job.urgent)
        record = run_job(job)
        record.priority = priority
        # What comes now is no load any more, and shall not keep the order worker from its core.
        urgent(False)
        packed = msgspec.msgpack.encode(record)
        sink.write(LENGTH.pack(len(packed)))
        sink.write(packed)
        sink.flush()


if __name__ == "__main__":
    main()
