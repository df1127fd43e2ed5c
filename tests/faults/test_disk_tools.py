"""What the fault suite does to a disk: it really is slow, it really is full, and afterwards it is as it was before."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from chaos.fault import Unavailable
from chaos.faults.disk import BUSY_SYNC_MS, busy_disk, sync_times
from chaos.faults.small_disk import WAYS, filled, seen_by, small_disk
from chaos.waiting import until

SYNCS = 25
# Waits until somebody closes its input.
WAITING = (sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()")
SMALL_BYTES = 1 << 20


@pytest.mark.slow
async def test_on_a_busy_disk_every_sync_takes_longer(tmp_path: Path) -> None:
    idle = sync_times(tmp_path, SYNCS)
    before = set(psutil.Process().children())
    try:
        async with busy_disk(tmp_path):
            busy = await asyncio.to_thread(sync_times, tmp_path, SYNCS)
            assert list(tmp_path.iterdir()) == [], "the files of the writers have names"
    except Unavailable as error:
        pytest.skip(str(error))
    assert busy.median_ms > max(idle.median_ms, BUSY_SYNC_MS)
    assert set(psutil.Process().children()) <= before, "the writers go on"


@pytest.mark.slow
async def test_a_disk_whose_syncs_cost_nothing_cannot_be_kept_busy() -> None:
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no file system in memory here")
    with pytest.raises(Unavailable, match="sync"):
        async with busy_disk(Path("/dev/shm")):
            pytest.fail("it is said to be busy")


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
async def test_a_small_disk_is_full_to_the_last_byte_and_then_free_again(tmp_path: Path, way: Sequence[str]) -> None:
    place = tmp_path / "data"
    try:
        prefix = await small_disk(place, SMALL_BYTES, [way])
    except Unavailable as error:
        pytest.skip(str(error))
    process = await asyncio.create_subprocess_exec(
        *prefix, *WAITING, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    await process.stdout.readline()
    inside = seen_by(process.pid, place)

    async def is_full() -> bool:
        return not os.statvfs(inside).f_bavail

    (inside / "file").write_bytes(b"before")
    assert os.statvfs(inside).f_frsize * os.statvfs(inside).f_blocks == SMALL_BYTES
    async with filled(inside):
        with pytest.raises(OSError, match="No space left"):
            (inside / "more").write_bytes(b"x")
        (inside / "more").unlink()
        # What somebody frees is taken at once.
        (inside / "file").unlink()
        await until(is_full)
    (inside / "file").write_bytes(bytes(SMALL_BYTES))
    assert list(place.iterdir()) == [], "the machine sees the disk too"
    process.stdin.close()
    assert await process.wait() == 0


async def test_where_no_mount_namespace_is_allowed_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="mount namespace"):
        await small_disk(tmp_path, SMALL_BYTES, [("--no-such-way",)])
