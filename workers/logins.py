"""Logins: each is one chain of refresh tokens, of which exactly one is good at any moment.

A refresh token is 256 random bits; only its SHA-256 is kept. Using it makes its successor and ends it. One that comes
again after that is in two hands, so the whole login ends, with one exception: an answer may be lost on its way, and its
client then asks again. Within REPEAT_WITHIN_S of the use, and only while the successor itself is unused, the same
successor is given once more. It is derived from the token, from a salt that only Postgres has, and from a key that only
workers have, so it is stored nowhere, and there is never a second chain: two clients that share a token end up with the
same one, and a thief and its owner are found out as soon as one of them uses what both have.
"""

import base64
import re
import secrets
from hashlib import blake2b, sha256
from typing import Any, NamedTuple
from uuid import UUID

from contract.access_tokens import make_access_token
from contract.auth_keys import PrivateKeys
from contract.bus import BusCommand, new_command_id
from contract.settings import Settings
from sql import Connection
from workers.once import tell
from workers.service import Desk

REPEAT_WITHIN_S = 10.0
"""A client that got no answer asks again within its timeout; a thief needs longer to find what he has stolen."""
MIGRATE_AFTER_S = 5.0
"""The gateway asks for the guest's cart at once; this is for when it died before it could."""
TOKEN_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


class Tokens(NamedTuple):
    """What a login hands out: the access token, the refresh token, and the seconds that the first is good for."""

    access: str
    refresh: str
    expires_in_s: int


async def begin(connection: Connection, desk: Desk, command: BusCommand, user: Any) -> Tokens:
    """Begin a login of a user, in the transaction of `connection`. The cart of the guest that he was follows him."""
    login_id, raw = UUID(new_command_id()), secrets.token_bytes(TOKEN_BYTES)
    await connection.execute(desk.queries["add_login"], login_id, user["id"], desk.settings.refresh_token_ttl_s)
    await connection.execute(desk.queries["add_refresh_token"], _digest(raw), login_id)
    if command.session_id:
        moving = BusCommand(
            id=new_command_id(),
            kind="migrate",
            user_id=user["id"],
            role=user["role"],
            session_id=command.session_id,
            request_id=command.request_id,
            trace=command.trace,
        )
        await tell(connection, "migration", moving, after_s=MIGRATE_AFTER_S)
    return _tokens(desk, user, str(login_id), raw)


async def renew(connection: Connection, desk: Desk, token: str) -> tuple[Any, Tokens] | None:
    """The user and the next tokens for a refresh token; None when it is no good, or when its login just ended for it.

    What it writes has to be committed in both cases.
    """
    raw = _parse(token)
    login = raw and await connection.fetchrow(desk.queries["lock_login"], _digest(raw))
    if not raw or not login or not login["good"]:
        return None
    # Read only now, so that it is what the one before us has left.
    found = await connection.fetchrow(desk.queries["find_refresh_token"], _digest(raw), REPEAT_WITHIN_S)
    if found["unused"]:
        salt = secrets.token_bytes(TOKEN_BYTES)
        successor = _successor(desk.tools.keys, raw, salt)
        await connection.execute(desk.queries["use_refresh_token"], _digest(raw), salt)
        await connection.execute(desk.queries["add_refresh_token"], _digest(successor), login["login_id"])
        return login, _tokens(desk, login, str(login["login_id"]), successor)
    successor = _successor(desk.tools.keys, raw, found["salt"])
    next_one = await connection.fetchrow(desk.queries["find_refresh_token"], _digest(successor), REPEAT_WITHIN_S)
    if found["repeatable"] and next_one and next_one["unused"]:
        return login, _tokens(desk, login, str(login["login_id"]), successor)
    await connection.execute(desk.queries["end_login"], login["login_id"], login["id"])
    desk.log.warning("a used refresh token came again, so its login has ended", login=str(login["login_id"]))
    return None


async def end(connection: Connection, desk: Desk, user_id: str, login_id: str, token: str) -> None:
    """End the login of a refresh token, and the login of a user that has this id; where there is none, nothing happens.

    Both, because a browser may send a cookie that is older than its access token. Empty stands for none.
    """
    raw = _parse(token)
    if raw:
        await connection.execute(desk.queries["end_login_of_token"], _digest(raw))
    if user_id and login_id:
        await connection.execute(desk.queries["end_login"], UUID(login_id), user_id)


def _tokens(desk: Desk, user: Any, login_id: str, raw: bytes) -> Tokens:
    settings: Settings = desk.settings
    access = make_access_token(desk.tools.keys, user["id"], login_id, user["role"], settings.access_token_ttl_s)
    return Tokens(access, base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), settings.access_token_ttl_s)


def _parse(token: str) -> bytes | None:
    return base64.urlsafe_b64decode(token + "=") if _FORM.fullmatch(token) else None


def _digest(raw: bytes) -> bytes:
    return sha256(raw).digest()


def _successor(keys: PrivateKeys, raw: bytes, salt: bytes) -> bytes:
    return blake2b(raw + salt, key=keys.refresh, digest_size=TOKEN_BYTES).digest()
