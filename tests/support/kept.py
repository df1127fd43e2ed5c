"""All that is kept anywhere, to be searched for what must not be there: in Valkey, in Postgres, in logs."""

from pathlib import Path
from typing import Any

import asyncpg

from contract.settings import Settings
from contract.transport import open_redis


async def in_valkey(settings: Settings) -> dict[str, bytes]:
    """All that Valkey holds, by its keys."""
    redis: Any = open_redis(settings)
    found: dict[str, bytes] = {}
    async for key in redis.scan_iter():
        match await redis.type(key):
            case b"string":
                content: Any = await redis.get(key)
            case b"hash":
                content = await redis.hgetall(key)
            case b"stream":
                content = await redis.xrange(key)
            case b"set":
                content = await redis.smembers(key)
            case other:
                raise AssertionError(f"{key} is a {other}, which nobody looks into here")
        found[f"Valkey {key.decode()}"] = repr(content).encode()
    await redis.aclose()
    return found


async def in_postgres(settings: Settings) -> dict[str, bytes]:
    """All that Postgres holds, by its tables."""
    driver: Any = asyncpg
    connection = await driver.connect(settings.postgres_url)
    # Else what is kept as bytes would be shown as digits, in which no text is found.
    await connection.execute("SET bytea_output = 'escape'")
    tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    found: dict[str, bytes] = {}
    for table in tables:
        rows = await connection.fetch(f'SELECT own::text AS row FROM "{table["name"]}" AS own')
        found[f"Postgres {table['name']}"] = "\n".join([row["row"] for row in rows]).encode()
    await connection.close()
    return found


def in_logs(directory: Path) -> dict[str, bytes]:
    """All that our processes have written down."""
    return {f"log {path.name}": path.read_bytes() for path in directory.glob("*.log")}
