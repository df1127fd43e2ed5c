"""Keep a disk busy: threads that write and sync until the time is up.

    python -I -S disk_writers.py <directory> <threads> <seconds>

Prints a line when every thread has something on the disk, which is then as busy as it will be.
"""

import mmap
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

# So large that the disk has milliseconds of work with it, for which the small write of somebody else has to wait.
BLOCK_BYTES = 4 << 20
# What one thread has on the disk at most. It then begins its file anew, so that blocks always need new space, and each
# sync a commit of the file system's journal, behind which other syncs queue.
FILE_BYTES_MAX = 32 << 20


def main(directory: Path, threads: int, seconds: float) -> None:
    """Write with so many threads for so long."""
    deadline = time.monotonic() + seconds
    all_write = threading.Barrier(threads, lambda: print("busy", flush=True))
    writers = [
        threading.Thread(target=write, args=(nameless_file(directory), all_write, deadline)) for _ in range(threads)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


def nameless_file(directory: Path) -> int:
    """The descriptor of a new file without a name: whatever becomes of this process, nothing of it stays."""
    descriptor, name = tempfile.mkstemp(dir=directory)
    try:
        # Not through the kernel's cache, where the copying would keep the processors busy instead of the disk.
        return os.open(name, os.O_RDWR | getattr(os, "O_DIRECT", 0))
    except OSError:
        # A file system that has no such way is written to like any other.
        return os.dup(descriptor)
    finally:
        os.close(descriptor)
        Path(name).unlink()


def write(descriptor: int, all_write: threading.Barrier, deadline: float) -> None:
    """Write block after block, each on the disk before the next, until `deadline` of the monotonic clock."""
    try:
        # A map, because a direct write wants memory that begins with a page.
        block = mmap.mmap(-1, BLOCK_BYTES)
        block.write(os.urandom(BLOCK_BYTES))
        write_file(descriptor, block, BLOCK_BYTES)
        all_write.wait()
        while time.monotonic() < deadline:
            write_file(descriptor, block, FILE_BYTES_MAX)
    except OSError as error:
        print(f"The disk cannot be kept busy: {error}.", file=sys.stderr, flush=True)
        # At once and altogether, and not when the other threads have come to their end.
        os._exit(1)


def write_file(descriptor: int, block: mmap.mmap, size: int) -> None:
    """Write a file of `size` bytes from its beginning."""
    os.ftruncate(descriptor, 0)
    for at in range(0, size, BLOCK_BYTES):
        os.pwrite(descriptor, block, at)
        os.fsync(descriptor)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
