"""Order ids: UUIDs of version 7 that say where their record is.

    tttttttt-tttt-7lll-vddd-dddddddddddd
    t  48 bits  milliseconds since 1970, when the order was asked for
    l  12 bits  lane
    d  62 bits  keyed digest of the idempotency key (v holds two of them beside the variant)

The digest names the order record, so one record answers both "has this key ordered?" and "what became of this
order?". It is keyed with a secret of the installation: whoever knows a weak key cannot compute the order's id, and
the id is what allows to look at an order and to cancel it.
"""

import re
from functools import lru_cache
from hashlib import blake2b

LANES_MAX = 4096
_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def key_digest(idempotency_key: str, secret: bytes) -> str:
    """16 hex digits that stand for an idempotency key; the first is 8, 9, a or b."""
    hashing = _keyed(secret).copy()
    hashing.update(idempotency_key.encode())
    digest = hashing.hexdigest()
    return _VARIANT[digest[0]] + digest[1:]


@lru_cache(1)
def _keyed(secret: bytes) -> blake2b:
    """The hash with its key taken in; a copy of it costs half of making it."""
    return blake2b(key=secret, digest_size=8)


def make_order_id(now_ms: int, lane: int, digest: str) -> str:
    """The id of an order asked for at `now_ms` in `lane` with the idempotency key of this digest."""
    return complete_id(open_id(now_ms, lane), digest)


def open_id(now_ms: int, lane: int) -> str:
    """The first half of an id, which orders of the same moment share."""
    time = f"{now_ms:012x}"
    return f"{time[:8]}-{time[8:]}-7{lane:03x}-"


def digest_of(order_id: str) -> str:
    """The digest in an order id of ours; of any other text, what stands in its place."""
    return order_id[19:23] + order_id[24:]


def complete_id(opening: str, digest: str) -> str:
    """The id that begins so, of an order whose idempotency key has this digest."""
    return f"{opening}{digest[:4]}-{digest[4:]}"


def parse_order_id(text: str) -> tuple[int, str] | None:
    """The lane and the digest that an order id holds; None when it is not an order id."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    return int(found[1], 16), found[2] + found[3]
