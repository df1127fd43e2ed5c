"""A database of a test's own, on the Postgres that all tests share."""

import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from sql import apply_schema
from tests.support.servers import Servers


@pytest.fixture
async def empty_database(servers: Servers) -> AsyncIterator[str]:
    """The URL of a database without a schema."""
    name = f"test_{secrets.token_hex(6)}"
    driver: Any = asyncpg
    admin = await driver.connect(servers.postgres_url)
    await admin.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(servers.postgres_url)._replace(path=f"/{name}"))
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def connection(empty_database: str) -> AsyncIterator[Any]:
    """A connection to a database with the schema."""
    await apply_schema(empty_database)
    driver: Any = asyncpg
    opened = await driver.connect(empty_database)
    yield opened
    await opened.close()
