"""The way back of the command bus: replies are kept for whoever asks late, and told to the process that asked."""

from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from contract.bus import FIELD

REPLY_FIELD = b"reply"
REPLY_TTL_S = 600
"""How long a reply is kept for whoever comes back for it."""
REPLIES_MAX = 10_000
"""Entries of one process's stream of replies; older ones have been read, or their process is gone."""
REPLIES_TTL_S = 60
"""How long the replies of a process are kept that does not read them any more."""


class Settled(NamedTuple):
    """One command that is done with: where it stood, and where its reply goes. Empty `replies`: nobody waits."""

    stream: str
    group: str
    entry_id: str
    reply_key: str
    replies: str


async def settle(client: Redis, place: Settled, reply: bytes) -> None:
    """Keep the reply, take the command off its stream, and tell who asked: in this order, so that a crash in between
    repeats the command and loses nothing."""
    async with cast(Any, client).pipeline(transaction=False) as pipe:
        if place.replies:
            pipe.set(place.reply_key, reply, ex=REPLY_TTL_S)
        pipe.xack(place.stream, place.group, place.entry_id)
        pipe.xdel(place.stream, place.entry_id)
        if place.replies and reply:
            pipe.xadd(place.replies, {REPLY_FIELD: reply}, maxlen=REPLIES_MAX, approximate=True)
            pipe.expire(place.replies, REPLIES_TTL_S)
        await pipe.execute()


async def bury(client: Redis, place: Settled, dead: str, command: bytes, reason: str, reply: bytes) -> None:
    """Move a command that cannot be handled to the stream `dead`, in one step, and tell who asked."""
    async with cast(Any, client).pipeline(transaction=True) as pipe:
        pipe.xadd(dead, {FIELD: command, "reason": reason})
        pipe.xack(place.stream, place.group, place.entry_id)
        pipe.xdel(place.stream, place.entry_id)
        await pipe.execute()
    if place.replies:
        await settle(client, place, reply)


async def find_reply(client: Redis, reply_key: str) -> bytes | None:
    """A reply that is kept; empty while the command still waits, None where nothing is known of it."""
    return await cast(Any, client).get(reply_key)
