"""A pool of connections to the modelled Postgres, with the calls of asyncpg that we make; each is one message."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from tests.simulation.network import Link
from tests.simulation.postgres_model import PostgresModel, Session
from tests.simulation.postgres_queries import QUERIES


class Pool:
    """What stands in for `asyncpg.Pool`; every connection is a new one."""

    def __init__(self, model: PostgresModel, link: Link) -> None:
        self._model = model
        self._link = link
        self._open: dict[Connection, None] = {}

    def acquire(self) -> "Acquiring":
        return Acquiring(self)

    async def connect(self) -> "Connection":
        """A connection of its own."""
        session = await self._link.ask(self._model, lambda: Session(self._model, QUERIES))
        connection = Connection(self._model, self._link, session)
        self._open[connection] = None
        return connection

    def release(self, connection: "Connection") -> None:
        """Take a connection back."""
        self._open.pop(connection, None)
        connection.close()

    def die(self) -> None:
        """The process of this pool was killed."""
        for connection in list(self._open):
            connection.lose()


class Acquiring:
    """The block in which a connection is used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> "Connection":
        self._connection = await self._pool.connect()
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._pool.release(self._connection)


class Connection:
    """What stands in for `asyncpg.Connection`."""

    def __init__(self, model: PostgresModel, link: Link, session: Session) -> None:
        self._model = model
        self._link = link
        self._session = session
        self.broken = False

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        return await self.ask(lambda: self._session.run(query, arguments))

    async def execute(self, query: str, *arguments: Any) -> None:
        await self.ask(lambda: self._session.run(query, arguments))

    def transaction(self, isolation: str = "read_committed") -> "Block":
        return Block(self, self._session, isolation)

    async def ask(self, effect: Callable[[], Any]) -> Any:
        """One message on this connection; the first that is cut breaks it."""
        if self.broken:
            raise asyncpg.InterfaceError("connection is closed")
        try:
            return await self._link.ask(self._model, effect)
        except (asyncpg.PostgresConnectionError, OSError):
            self.lose()
            raise

    def lose(self) -> None:
        """The connection is cut; the server may notice only later."""
        if not self.broken:
            self.broken = True
            asyncio.get_running_loop().call_later(self._link.weather.linger_s(), self._session.close)

    def close(self) -> None:
        """Close it in order."""
        if not self.broken:
            self.broken = True
            self._session.close()


class Block:
    """The block of one transaction: committed at its end, rolled back when it ends by an exception."""

    def __init__(self, connection: Connection, session: Session, isolation: str) -> None:
        self._connection = connection
        self._session = session
        self._isolation = isolation

    async def __aenter__(self) -> None:
        await self._connection.ask(lambda: self._session.begin(self._isolation))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self._connection.ask(self._session.commit)
        elif not self._connection.broken:
            await self._connection.ask(self._session.rollback)
