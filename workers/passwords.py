"""Passwords: hashed by argon2id in a few threads of their own, and old bcrypt hashes verified and renewed.

Hashing costs much on purpose, so it never runs on the event loop and never inside a transaction, and no more of it is
taken on than is done before those who wait have gone.
"""

import asyncio
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from workers.service import Refuse

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
"""What OWASP asks of argon2id at least: 19 MiB, two passes, one lane; about 50 ms of one core."""
THREADS = 2
"""Each takes a core and 19 MiB while it hashes; other workers want cores too."""
WAITING_MAX = 48
"""What two threads hash in a good second, so that an answer comes while somebody waits for it."""
BCRYPT_BYTES = 72
"""Bcrypt reads no further. Older libraries left the rest away without a word; ours refuses it."""

_argon2 = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
_bcrypt = BcryptHasher()
# Verified where there is no account, so that the answer takes as long as where there is one.
_NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"


class Verdict(NamedTuple):
    """Whether a password is the right one, and the hash to keep from now on where the old one is out of date."""

    right: bool
    renewed: str | None = None


class Passwords:
    """The threads that hash. Its methods raise Refuse (503, retryable) when too many wait already."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hashing")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The hash to keep of a new password."""
        with self._place():
            return await asyncio.get_running_loop().run_in_executor(self._threads, hash_password, password)

    async def verify(self, password: str, kept: str | None) -> Verdict:
        """Whether a password fits a hash; without a hash it takes as long, and none does."""
        with self._place():
            return await asyncio.get_running_loop().run_in_executor(self._threads, verify_password, password, kept)

    def close(self) -> None:
        """End the threads; what waits is not begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def _place(self) -> Generator[None]:
        if self._waiting >= WAITING_MAX:
            raise Refuse(503, "OVERLOADED", "Too many log in at this moment.", retryable=True, action="retry_later")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


def hash_password(password: str) -> str:
    """The hash to keep of a new password; takes about 50 ms."""
    return _argon2.hash(password)


def verify_password(password: str, kept: str | None) -> Verdict:
    """Whether a password fits the hash that is kept of it; without one it takes as long, and none does."""
    if kept is None:
        _argon2.verify(password, _NOBODY)
        return Verdict(False)
    if _bcrypt.identify(kept):
        return Verdict(True, hash_password(password)) if _fits_bcrypt(password, kept) else Verdict(False)
    if not _argon2.verify(password, kept):
        return Verdict(False)
    return Verdict(True, hash_password(password) if _argon2.check_needs_rehash(kept) else None)


def _fits_bcrypt(password: str, kept: str) -> bool:
    raw = password.encode()[:BCRYPT_BYTES]
    # A zero byte ends a password for some versions of bcrypt, and nobody can say any more what was hashed then.
    return b"\0" not in raw and _bcrypt.verify(raw, kept)
