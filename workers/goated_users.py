"""People: members of the affiliate program at Goated, and users of ours, who are the same where that is verified.

Consumes  search_users, read_user, read_user_stats, batch_users and patch_user, as commands of the worker `goated`
Calls     nothing
Writes    users: what somebody says of himself
Emits     a reply to each
Fails     with 404 for whom nobody knows, with 403 for who changes somebody else, with 400 for what is no profile

A profile is for everybody. It never has an e-mail address in it, nor what one begins with, which is what an account is
called whose owner has chosen nothing.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET

from contract.bus import BusCommand
from contract.goated import FOUND_MAX, OneUser, ProfileChange, UserBatch, UserId, UserSearch
from sql import Connection, load_queries
from workers.accounts import check_name
from workers.goated_board import freshness_of
from workers.goated_prizes import prizes_of
from workers.goated_races import told
from workers.once import once
from workers.service import Desk, Ending, Handler, Refuse, Replied, replied

QUERIES = load_queries("goated_users")
PROFILES = "user:goated:*"
"""The caches of everything that shows a profile."""
PIECE_MIN = 3
"""Characters from which on a text is looked for in the midst of names: the index knows them in threes."""
FIGURES = ("today", "this_week", "this_month", "all_time")
PERIODS = ("today", "weekly", "monthly", "all_time")
_URL = re.compile(r"https?://[!-~]+", re.I)
Row = Mapping[str, Any]


class PatchUser(msgspec.Struct, frozen=True):
    """Who is changed, and what of him."""

    id: UserId
    change: ProfileChange


_searches = msgspec.json.Decoder(UserSearch)
_ones = msgspec.json.Decoder(OneUser)
_batches = msgspec.json.Decoder(UserBatch)
_patches = msgspec.json.Decoder(PatchUser)


async def search_users(desk: Desk, command: BusCommand) -> Ending:
    """A page of the people whose name at Goated has a text in it, and how many there are, counted up to FOUND_MAX.

    A text of fewer characters than PIECE_MIN finds names that begin with it.
    """
    wanted = _searches.decode(command.body)
    way = "piece" if len(wanted.q) >= PIECE_MIN else "prefix"
    async with (
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(QUERIES["plan_for_these_values"])
        before = (wanted.page - 1) * wanted.limit
        rows = await connection.fetch(QUERIES[f"search_by_{way}"], wanted.q, wanted.limit, before)
        total: int = await connection.fetchval(QUERIES[f"count_by_{way}"], wanted.q, FOUND_MAX)
    pages = -(-total // wanted.limit)
    pagination = {"page": wanted.page, "limit": wanted.limit, "total": total, "pages": pages}
    return replied({"results": [_profile(row) for row in rows], "pagination": pagination})


async def read_user(desk: Desk, command: BusCommand) -> Ending:
    """The profile of one person. 404 where nobody has this id."""
    return replied(_profile(await _find(desk.pool, _ones.decode(command.body).id)))


async def batch_users(desk: Desk, command: BusCommand) -> Ending:
    """The profiles of several people in the order of their ids, and the ids that nobody has; each id once."""
    ids = list(dict.fromkeys(_batches.decode(command.body).ids))
    rows = await desk.pool.fetch(QUERIES["find_people"], ids)
    found = {row["asked"] for row in rows}
    return replied({"users": [_profile(row) for row in rows], "missing": [own for own in ids if own not in found]})


async def read_user_stats(desk: Desk, command: BusCommand) -> Ending:
    """What a person has wagered, and his positions on the leaderboard and in the race; null where it is without him.

    404 where nobody has this id, and for a user of ours who is not verified as anybody at Goated.
    """
    asked = _ones.decode(command.body).id
    async with (
        desk.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute(QUERIES["plan_for_these_values"])
        person = await _find(connection, asked)
        if person["uid"] is None:
            message = "This user has not been verified as anybody at Goated, so nobody knows his figures."
            raise Refuse(404, "USER_NOT_FOUND", message)
        wagers = await connection.fetchrow(QUERIES["find_wagers"], person["uid"])
        board = await connection.fetchrow(QUERIES["read_board"])
        race = await connection.fetchrow(QUERIES["find_race"])
        figures = [wagers[figure] for figure in FIGURES]
        ahead: Row | None = None
        if None not in figures:
            ahead = await connection.fetchrow(QUERIES["count_ahead"], wagers["uid"], *figures)
    last_updated, stale = freshness_of(board)
    positions = {period: ahead[period] + 1 if ahead else None for period in PERIODS}
    return replied(
        {
            "uid": wagers["uid"],
            "name": wagers["name"],
            "wagered": dict(zip(FIGURES, figures, strict=True)),
            "positions": positions,
            "race": _in_race(race, ahead["monthly"] + 1, wagers["this_month"]) if race and ahead else None,
            "lastUpdated": last_updated and told(last_updated),
            "stale": stale,
        }
    )


async def patch_user(desk: Desk, command: BusCommand) -> Ending:
    """Change a profile: one's own, or as an administrator anybody's. Gives the profile. 400, 403, 404."""
    wanted = _patches.decode(command.body)
    found = await desk.pool.fetch(QUERIES["find_people"], [wanted.id])
    user_id: str | None = found[0]["id"] if found else None
    if command.role != "ADMIN" and user_id != command.user_id:
        raise Refuse(403, "FORBIDDEN", "Only an administrator may change the profile of somebody else.")
    if user_id is None:
        raise _nobody()

    async def work(connection: Connection) -> Replied:
        kept = await connection.fetchrow(QUERIES["lock_profile"], user_id)
        if kept is None:
            raise _nobody()
        await connection.execute(QUERIES["change_user"], user_id, *_changed(kept, wanted.change))
        return replied(_profile(await _find(connection, wanted.id)), stale=(PROFILES,))

    return await once(desk, command, work)


async def _find(connection: Connection, asked: str) -> Row:
    """The person of an id. Raises Refuse with 404."""
    rows: Sequence[Row] = await connection.fetch(QUERIES["find_people"], [asked])
    if not rows:
        raise _nobody()
    return rows[0]


def _profile(row: Row) -> dict[str, Any]:
    """A person as everybody may see him."""
    is_shown = row["nickname"] is not None and not _tells(row["nickname"], row["email"])
    return {
        "id": row["id"],
        "uid": row["uid"],
        "name": row["name"],
        "nickname": row["nickname"] if is_shown else None,
        "avatar": row["avatar"],
        "isVerified": row["is_verified"],
        "memberSince": told(row["member_since"]),
    }


def _in_race(race: Row, position: int, wagered: Decimal) -> dict[str, Any]:
    prizes = prizes_of(race["prize_pool"], race["shares"])
    is_paid = wagered > 0 and position <= len(prizes)
    prize = prizes[position - 1] if is_paid else Decimal(0)
    return {"id": race["id"], "position": position, "wagered": wagered, "prize": prize}


def _changed(kept: Row, change: ProfileChange) -> tuple[str, str | None, str | None, str | None]:
    """Nickname, first name, last name and avatar as they are to be. Raises Refuse with 400 for what they cannot be."""
    nickname: str | None = kept["nickname"]
    first_name, last_name, avatar = kept["first_name"], kept["last_name"], kept["avatar"]
    if change.nickname is not UNSET:
        nickname = check_name(change.nickname, "nickname")
        if nickname is None or _tells(nickname, kept["email"]):
            message = "The nickname must not be empty, nor the e-mail address or what that begins with."
            raise Refuse(400, "INVALID_NAME", message, action="correct_request")
    if change.first_name is not UNSET:
        first_name = check_name(change.first_name, "first name")
    if change.last_name is not UNSET:
        last_name = check_name(change.last_name, "last name")
    if change.avatar is not UNSET:
        avatar = change.avatar and _check_avatar(change.avatar)
    return nickname or kept["nickname"], first_name, last_name, avatar


def _tells(nickname: str, email: str) -> bool:
    """Whether a nickname tells an e-mail address, or what it begins with."""
    folded = nickname.strip().lower()
    return email in folded or folded == email.partition("@")[0]


def _check_avatar(text: str) -> str:
    try:
        if _URL.fullmatch(text) and (at := urlsplit(text)).hostname and "@" not in at.netloc:
            return text
    except ValueError:
        pass
    message = "The avatar must be a whole URL such as https://images.example/ann.png, of http or https."
    raise Refuse(400, "INVALID_AVATAR", message, action="correct_request") from None


def _nobody() -> Refuse:
    return Refuse(404, "USER_NOT_FOUND", "There is no user of this id, neither here nor at Goated.")


HANDLERS: dict[str, Handler] = {
    "search_users": search_users,
    "read_user": read_user,
    "read_user_stats": read_user_stats,
    "batch_users": batch_users,
    "patch_user": patch_user,
}
