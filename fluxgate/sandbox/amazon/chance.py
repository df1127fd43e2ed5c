"""What is by chance with a row, and is the same every time: so that a million of them take no memory."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

# One row is asked for its digest several times in a row; a page has up to a hundred rows.
DIGESTS_MAX = 4096
SEED = 1
"""Every sandbox has the same data, so that what was seen once is found again."""


@lru_cache(maxsize=DIGESTS_MAX)
def digest(seller: str, kind: str, number: int) -> bytes:
    """32 bytes that belong to this row of this seller."""
    return hashlib.blake2b(f"{SEED}:{seller}:{kind}:{number}".encode(), digest_size=32).digest()


def instant(at: int) -> str:
    """A moment in seconds of Unix time, as Amazon writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
