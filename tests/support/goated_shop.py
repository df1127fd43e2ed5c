"""The leaderboard as a test wants it: a database of its own, the worker `goated` by hand, and a Goated that tells what
it is given."""

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from contract.bus import BusCommand, encode, new_command_id
from contract.settings import Settings
from contract.transport import open_redis
from sql import load_queries
from tests.support.desk import open_desk
from tests.support.http_stage import own_database
from tests.support.servers import Servers
from workers.clients.goated import Goated, GoatedFault, Leaderboard, Member
from workers.goated import HANDLERS, Tools
from workers.goated_prizes import read_shares
from workers.goated_races import read_zone
from workers.goated_sync import sync
from workers.goated_writing import Fetched, Terms, Written, write
from workers.service import Desk, Ending, Replied, Service

TABLES = (
    "goated_members, goated_wagers, goated_syncs, goated_races, goated_standings, goated_verifications,"
    " handled_commands, outbox"
)
NONE = Decimal(0)


def member(uid: str, month: Any = 0, all_time: Any = None, name: str = "", today: Any = 0, week: Any = 0) -> Member:
    """A person with these figures; what was wagered in all is that of the month, unless it is said."""
    figures = (today, week, month, month if all_time is None else all_time)
    return Member(uid, name or f"name of {uid}", *(Decimal(str(figure)) for figure in figures))


def leaderboard(members: Sequence[Member], **more: Any) -> Leaderboard:
    """What Goated would tell of these people."""
    digest = hashlib.sha256(repr([*members]).encode()).digest()
    told = Leaderboard(members, (), 0, "data", f'W/"{digest.hex()[:16]}"', 100 * len(members), digest)
    return told._replace(**more)


class Teller(Goated):
    """A Goated that tells `members`, once `fault` is None; it knows ETags."""

    def __init__(self) -> None:
        self.members: Sequence[Member] = ()
        self.fault: GoatedFault | None = None
        self.knows_etags = True
        self.asked: list[str] = []

    async def fetch(self, etag: str) -> Leaderboard | None:
        """What there is to tell."""
        self.asked.append(etag)
        if self.fault is not None:
            raise self.fault
        told = leaderboard(self.members)
        return None if self.knows_etags and etag == told.etag else told

    async def close(self) -> None:
        """Nothing is open."""


class Shop:
    """What stands there, and what a test does with it."""

    def __init__(self, desk: Desk, teller: Teller) -> None:
        self.desk = desk
        self.teller = teller

    async def clear(self) -> None:
        """Nothing is known of Goated any more."""
        await self.desk.pool.execute(f"TRUNCATE {TABLES} CASCADE")
        await self.desk.pool.execute("DELETE FROM goated_board")
        await self.desk.pool.execute("INSERT INTO goated_board DEFAULT VALUES")
        await self.desk.redis.flushall()
        self.teller.__init__()

    async def sync(self, *members: Member, **more: Any) -> Ending:
        """A sync of what Goated tells now; with people, of these."""
        self.teller.members = members or self.teller.members
        return await sync(self.desk, asked(**more))

    async def write(
        self, now: datetime, members: Sequence[Member] | None, took_s: float = 0.1, *, accept: bool = False
    ) -> Written:
        """Write what Goated tells at a time that the test says; None: the same as before."""
        told = None if members is None else leaderboard(members)
        async with self.desk.pool.acquire() as connection, connection.transaction():
            fetched = Fetched(told, timedelta(seconds=took_s), accept)
            return await write(connection, self.desk.tools.terms, fetched, now)

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """What stands in Postgres."""
        return [dict(row) for row in await self.desk.pool.fetch(query, *values)]

    async def races(self) -> list[tuple[str, str, str | None]]:
        """Every race with its status, and why it was completed."""
        return [
            (row["id"], row["status"], row["completed_by"])
            for row in await self.rows("SELECT * FROM goated_races ORDER BY id")
        ]

    async def board(self) -> dict[str, Any]:
        """What is known of the leaderboard as a whole."""
        return dict(await self.desk.pool.fetchrow(load_queries("goated_sync")["read_board"]))


def asked(*, accept: bool = False, **more: Any) -> BusCommand:
    """The command that a schedule leaves."""
    body = msgspec.Raw(encode({"accept": accept}))
    given: dict[str, Any] = {"id": new_command_id(), "role": "ADMIN"} | more
    return BusCommand(kind="sync", body=body, **given)


def told_by(ending: Ending) -> dict[str, Any]:
    """What a sync replied that went well."""
    assert isinstance(ending, Replied), ending
    assert ending.problem is None, ending.problem
    return msgspec.json.decode(ending.data)


def terms_of(settings: Settings) -> Terms:
    """What races are held by under these settings."""
    pool = Decimal(settings.goated_prize_pool)
    return Terms(read_zone(settings.goated_zone), read_shares(settings.goated_prizes), pool)


@contextlib.asynccontextmanager
async def open_goated_shop(servers: Servers, directory: Path, **more: Any) -> AsyncGenerator[Shop]:
    """A shop inside the block, that knows nothing of Goated yet; `more` are settings."""
    async with own_database(servers.postgres_url) as postgres_url:
        settings = Settings(redis_url=servers.redis_url, postgres_url=postgres_url, data_dir=directory, **more)
        redis = open_redis(settings)
        await redis.flushall()
        await redis.aclose()
        teller = Teller()

        def open_tools(own: Settings) -> Tools:
            return Tools(teller, terms_of(own))

        service = Service("goated", HANDLERS, open_tools, query_file="bus")
        async with open_desk(settings, service) as desk:
            yield Shop(desk, teller)
