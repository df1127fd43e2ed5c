"""A load generator as a process of its own: it reads its job from a file and writes its record to one.

A process of its own, so that it can stay on a CPU of its own and no progress bar disturbs its clock. Several of them
share one load when the machine has CPUs for it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.jobs import Job, Record
from bench.load import GRACE_S, run_job

# Room for starting Python, dialling and packing the record, besides the load itself.
OVERHEAD_S = 60.0
ROOT = Path(__file__).parent.parent


class GeneratorError(Exception):
    """The generator ended without a record."""


def generate(job: Job, processes: int = 1) -> Record:
    """Run a job in `processes` processes, each with its share of connections, rate and count; join their records."""
    with tempfile.TemporaryDirectory(prefix="fluxgate-bench-") as directory:
        children: list[tuple[subprocess.Popen[bytes], Path]] = []
        try:
            for number, part in enumerate(share_job(job, processes)):
                asked, record = Path(directory, f"job-{number}.json"), Path(directory, f"record-{number}.msgpack")
                asked.write_bytes(msgspec.json.encode(part))
                command = [sys.executable, "-m", "bench.generator", str(asked), str(record)]
                children.append((subprocess.Popen(command, cwd=ROOT), record))
            limit_s = job.warm_s + job.seconds + GRACE_S + OVERHEAD_S
            return join_records([_await_record(*child, limit_s) for child in children], job.count_max)
        finally:
            for child, _ in children:
                if child.poll() is None:
                    child.kill()
                    child.wait()


def share_job(job: Job, processes: int) -> list[Job]:
    """The parts of a job: equal shares, keys and schedules of their own."""
    return [
        msgspec.structs.replace(
            job,
            run=job.run + part,
            seed=job.seed + part,
            connections=max(1, job.connections // processes),
            rate_per_s=job.rate_per_s / processes,
            count_max=max(1, job.count_max // processes),
        )
        for part in range(processes)
    ]


def join_records(records: list[Record], count_max: int) -> Record:
    """One record of several generators that ran at the same time. Numbers are moved apart, part by part."""
    rows = [
        row if part == 0 else row._replace(number=row.number + part * count_max)
        for part, record in enumerate(records)
        for row in record.rows
    ]
    return Record(
        rows=rows,
        begin=max(record.begin for record in records),
        end=min(record.end for record in records),
        cpu_s=sum(record.cpu_s for record in records),
        lost=sum(record.lost for record in records),
    )


def _await_record(child: subprocess.Popen[bytes], record: Path, limit_s: float) -> Record:
    code = child.wait(limit_s)
    if code:
        raise GeneratorError(f"The load generator ended with code {code}; its reason is printed above.")
    return msgspec.msgpack.decode(record.read_bytes(), type=Record)


def main(asked: Path, record: Path) -> None:
    """Read a job from the file `asked`, run it, write what happened to the file `record`."""
    job = msgspec.json.decode(asked.read_bytes(), type=Job)
    if job.cpu >= 0:
        os.sched_setaffinity(0, {job.cpu})
    record.write_bytes(msgspec.msgpack.encode(run_job(job)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
