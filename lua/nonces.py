"""Who has used a nonce: it belongs to the first message that it comes with."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, cast

from lua.keys import nonce_key
from lua.scripts import Client

DIGEST_BYTES = 16


async def claim_nonces(client: Client, nonces: Sequence[bytes], message: bytes, ttl_s: int) -> bool:
    """Keep nonces for this message, for so many seconds; False when one of them belongs to another message.

    The same message may come again: it may not have been done when it came first. One transaction, and what is there
    stays as it is, so of two messages at once one has the nonce.
    """
    digest = blake2b(message, digest_size=DIGEST_BYTES).digest()
    async with cast(Any, client).pipeline(transaction=True) as pipe:
        for nonce in nonces:
            pipe.set(nonce_key(nonce), digest, nx=True, get=True, ex=ttl_s)
        before: list[bytes | None] = await pipe.execute()
    return all(theirs in (None, digest) for theirs in before)
