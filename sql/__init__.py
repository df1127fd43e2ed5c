"""Postgres as source: the schema, the named queries, and the only Python that opens a `.sql` file."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

FOLDER = Path(__file__).parent
CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30

# asyncpg ships no types; what comes out of it is checked by the schema.
Connection = Any
Pool = Any


class QueryError(Exception):
    """A query file that is not written as the house wants it. The message names the file and the query."""


@cache
def load_queries(worker: str) -> MappingProxyType[str, str]:
    """The queries of `queries/<worker>.sql` by name. Raises QueryError for a double or undescribed one."""
    queries: dict[str, str] = {}
    path = FOLDER / "queries" / f"{worker}.sql"
    for part in re.split(r"^-- name: ", path.read_text(), flags=re.M)[1:]:
        name, _, text = part.partition("\n")
        if name in queries:
            raise QueryError(f"{path.name} has two queries named {name}.")
        if not re.match(r"-- [^$]", text):
            raise QueryError(f"{path.name}: the query {name} has no description.")
        queries[name] = text.strip()
    return MappingProxyType(queries)


def schema_files() -> list[Path]:
    """The files of the schema in the order in which they are applied."""
    return sorted((FOLDER / "schema").glob("*.sql"))


async def open_pool(postgres_url: str, *, name: str, connections: int) -> Pool:
    """A pool of at most `connections`, opened when they are needed; `name` is what Postgres shows for them."""
    driver: Any = asyncpg
    return await driver.create_pool(
        postgres_url,
        min_size=0,
        max_size=connections,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": f"fluxgate {name}"},
    )


async def open_connection(postgres_url: str, *, name: str) -> Connection:
    """One connection outside of any pool, for whoever listens; `name` is what Postgres shows for it."""
    driver: Any = asyncpg
    return await driver.connect(
        postgres_url,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": f"fluxgate {name}"},
    )


async def apply_schema(postgres_url: str) -> list[str]:
    """Apply the schema files that have not been applied yet, all or none, and give their names.

    Safe to run from many processes at once. Raises OSError or asyncpg.PostgresError when Postgres is not reachable.
    """
    queries = load_queries("schema")
    async with _transaction(postgres_url) as connection:
        await connection.execute(queries["lock_schema"])
        await connection.execute(queries["create_versions"])
        new = await _missing(connection)
        for name in new:
            await connection.execute((FOLDER / "schema" / name).read_text())
            await connection.execute(queries["note_version"], name)
    return new


async def schema_missing(postgres_url: str) -> list[str]:
    """The names of schema files that have not been applied."""
    async with _transaction(postgres_url) as connection:
        return await _missing(connection)


@asynccontextmanager
async def _transaction(postgres_url: str) -> AsyncGenerator[Connection]:
    driver: Any = asyncpg
    connection: Connection = await driver.connect(postgres_url, timeout=CONNECT_TIMEOUT_S)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def _missing(connection: Connection) -> list[str]:
    queries = load_queries("schema")
    applied: set[str] = set()
    if await connection.fetchval(queries["find_versions"]):
        applied = {row["name"] for row in await connection.fetch(queries["read_versions"])}
    return [path.name for path in schema_files() if path.name not in applied]
