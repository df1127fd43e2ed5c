"""People of Goated as a sync would have left them, put into the tables by hand. Tests share these, so ids are fresh."""

import secrets
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from contract.bus import BusReply
from tests.support.buyers import add_buyer
from tests.support.desk import handled
from workers import goated_users, verification
from workers.service import Desk, Service

PEOPLE = Service("goated", {**goated_users.HANDLERS, **verification.HANDLERS}, query_file="bus")
FIGURES = ("today", "this_week", "this_month", "all_time")


class Person(NamedTuple):
    """Somebody who is logged in here."""

    desk: Desk
    user_id: str
    role: str = "USER"

    async def ask(self, kind: str, body: Any = None) -> BusReply:
        """What the worker replies."""
        return await handled(self.desk, PEOPLE, kind, body, user_id=self.user_id, role=self.role)

    async def data(self, kind: str, body: Any = None, status: int = 200) -> Any:
        """What the worker replies, where all is well."""
        reply = await self.ask(kind, body)
        assert reply.status == status, reply
        return msgspec.json.decode(reply.data)


async def add_person(desk: Desk, role: str = "USER") -> Person:
    """Somebody of ours."""
    return Person(desk, await add_buyer(desk), role)


def new_uid() -> str:
    """A uid that no other test has, in the form of Goated's."""
    return secrets.token_urlsafe(15)


async def add_member(desk: Desk, name: str = "", uid: str = "", **wagered: str) -> str:
    """Somebody on the leaderboard who has wagered so much, `today` to `all_time`; gives the uid."""
    uid = uid or new_uid()
    await desk.pool.execute("INSERT INTO goated_members (uid, name) VALUES ($1, $2)", uid, name or f"name of {uid}")
    figures = [Decimal(wagered.get(figure, "0")) for figure in FIGURES]
    await desk.pool.execute(
        "INSERT INTO goated_wagers (uid, today, this_week, this_month, all_time) VALUES ($1, $2, $3, $4, $5)",
        uid,
        *figures,
    )
    return uid


async def add_verified(desk: Desk, user_id: str, uid: str) -> None:
    """Have a user verified as somebody at Goated."""
    await desk.pool.execute(
        "INSERT INTO goated_verifications (id, user_id, uid, status, expires_at, decided_at)"
        " VALUES (gen_random_uuid(), $1, $2, 'verified', now(), now())",
        user_id,
        uid,
    )


async def clear_members(desk: Desk) -> None:
    """Have nobody on the leaderboard, and no race."""
    await desk.pool.execute("TRUNCATE goated_members, goated_races CASCADE")
    await desk.pool.execute("UPDATE goated_board SET fetched_at = NULL")


async def requested(person: Person, uid: str) -> str:
    """Ask to be verified as somebody; gives the id of the request."""
    return (await person.data("request_verification", {"goatedUid": uid}, 201))["requestId"]


async def statuses(desk: Desk) -> list[str]:
    """What became of all requests, in alphabetical order."""
    rows = await desk.pool.fetch("SELECT status FROM goated_verifications ORDER BY status")
    return [row["status"] for row in rows]


def problem(reply: BusReply, status: int) -> str:
    """The code of a refusal."""
    assert reply.status == status, reply
    assert reply.problem is not None
    return reply.problem.code
