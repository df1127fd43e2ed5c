"""The servers that come as wheels: a real Valkey and a real Postgres, run from one directory, nothing to install.

`<data_dir>/valkey` and `<data_dir>/postgres` each hold a server's data, its `password` and its `url`. Only their owner
can read them, and whoever works with the same data directory finds the servers by them.
"""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from contract.settings import Settings
from fluxgate import postgres as postgres_server
from fluxgate import valkey as valkey_server
from fluxgate.process import running


def resolve(settings: Settings) -> Settings:
    """The settings, with the embedded servers of the data directory in place of URLs that are not set."""
    return msgspec.structs.replace(
        settings,
        redis_url=settings.redis_url or _stored_url(settings.data_dir / "valkey"),
        postgres_url=settings.postgres_url or _stored_url(settings.data_dir / "postgres"),
    )


def _stored_url(directory: Path) -> str:
    try:
        return (directory / "url").read_text(encoding="utf-8")
    except OSError:
        return ""


@contextlib.asynccontextmanager
async def valkey(directory: Path, port: int, *, durable: bool = True) -> AsyncGenerator[str]:
    """A Valkey that runs inside the block; gives its URL. One that is not durable is faster, and may lose a second."""
    server = valkey_server.prepare(directory, port, durable=durable)
    async with running(server.child, directory / "log"):
        yield server.url


@contextlib.asynccontextmanager
async def postgres(directory: Path, port: int, *, durable: bool = True) -> AsyncGenerator[str]:
    """A Postgres that runs inside the block; gives its URL. One that is not durable leaves its writes to the kernel."""
    server = await postgres_server.prepare(directory, port, durable=durable)
    async with running(server.child, directory / "log"):
        yield server.url
