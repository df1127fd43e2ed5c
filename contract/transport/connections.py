"""Opens connections to Redis with the one configuration that is safe here."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError as RedisConnectionError

from contract.settings import Settings
from contract.transport.line import Line, Listener

_PACKER: Any = HiredisRespSerializer()


def open_redis(settings: Settings, *, connections: int = 4, block_s: float = 0) -> Redis:
    """A client with a pool of `connections` that waits for a free one instead of failing.

    No retries: the library would send a command again whose first sending may have counted. The protocol is pinned,
    so that replies keep one shape. `block_s` is the longest time that a blocking command may take by design.
    """
    pool: Any = BlockingConnectionPool.from_url(
        settings.redis_at,
        max_connections=connections,
        timeout=settings.redis_timeout_s,
        socket_timeout=settings.redis_timeout_s + block_s,
        socket_connect_timeout=settings.redis_timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        health_check_interval=0,
    )
    pool.connection_class = type("Connection", (_OurConnection, pool.connection_class), {})
    return Redis.from_pool(pool)


def open_line(settings: Settings, channel: str = "", listener: Listener | None = None) -> Redis | Line:
    """The way to run the scripts of the sale: a line, or a client where the URL asks for TLS or a socket file.

    Only a line listens; a listener that is never told of a beginning has to do without.
    """
    if settings.redis_at.startswith("redis://"):
        return Line(settings.redis_at, settings.redis_timeout_s, channel=channel, listener=listener)
    return open_redis(settings)


class _OurConnection:
    """Two things that redis-py's own connection does worse."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """Pack a command with hiredis, as redis-py does for synchronous commands alone."""
        return _PACKER.pack(*args)

    async def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        """Send a command, or raise redis-py's error of connection.

        uvloop refuses to write to a connection that was reset while nobody used it with a RuntimeError, which redis-py
        takes for a bug of ours.
        """
        sending: Any = super()
        try:
            await sending.send_packed_command(*args, **kwargs)
        except RuntimeError as error:
            raise RedisConnectionError(f"The connection was lost: {error}.") from error
