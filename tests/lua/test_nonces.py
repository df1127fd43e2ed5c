"""Nonces: each belongs to the first message that it comes with, and for as long as it is told."""

import asyncio
from typing import Any

import lua
from lua.keys import nonce_key


async def test_a_nonce_belongs_to_the_first_message_that_it_comes_with(redis: Any) -> None:
    assert await lua.claim_nonces(redis, [b"n"], b"one", 60)
    assert not await lua.claim_nonces(redis, [b"n"], b"another", 60)
    assert await lua.claim_nonces(redis, [b"n"], b"one", 60)
    assert await lua.claim_nonces(redis, [b"m"], b"another", 60)


async def test_of_two_nonces_one_that_is_taken_is_enough(redis: Any) -> None:
    assert await lua.claim_nonces(redis, [b"a", b"b"], b"one", 60)
    assert not await lua.claim_nonces(redis, [b"c", b"b"], b"another", 60)
    assert not await lua.claim_nonces(redis, [b"a", b"d"], b"another", 60)


async def test_of_many_at_once_one_message_has_the_nonce(redis: Any) -> None:
    messages = [bytes([number]) for number in range(20)]
    taken = await asyncio.gather(*(lua.claim_nonces(redis, [b"n"], message, 60) for message in messages))
    assert sum(taken) == 1


async def test_repeating_a_message_makes_its_nonce_last_no_longer(redis: Any) -> None:
    await lua.claim_nonces(redis, [b"n"], b"one", 60)
    await redis.expire(nonce_key(b"n"), 20)
    await lua.claim_nonces(redis, [b"n"], b"one", 60)
    assert 0 < await redis.ttl(nonce_key(b"n")) <= 20
