"""The auth worker: who somebody is, and the tokens that say so.

Consumes register, login, refresh, logout and me from the gateway, mail from the outbox.
Calls the mail server, for mail only.
Writes users, logins and refresh_tokens in Postgres.
Emits mail for itself, and migrate for the worker that carries a guest's cart over, both by the outbox.
Fails with 400, 401, 409 or 503 in the words of the contract; a password that is wrong and an address that nobody has
are told alike, and take the same time. Passwords and tokens come and go sealed, also where a reply is kept.
"""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from contract.auth_keys import PrivateKeys, private_keys
from contract.bus import BusCommand, Problem, encode, is_command_id, new_command_id
from contract.sealing import Sealed, Unopened, open_body, seal_reply
from contract.settings import Settings
from sql import Connection
from workers import logins
from workers.accounts import check_email, check_name, check_password, is_too_long, nickname_of
from workers.mail import MailServer, mail_server, send_mail
from workers.once import once, tell
from workers.passwords import Passwords
from workers.service import Desk, Ending, Refuse, Replied, Service, replied

_NO_LOGIN = Problem("INVALID_TOKEN", "This login has ended. Log in again.", False, "log_in")


class Tools(NamedTuple):
    """What the handlers share: the keys, the threads that hash, and where mail goes, if anywhere."""

    keys: PrivateKeys
    passwords: Passwords
    mail: MailServer | None


class Registration(msgspec.Struct, frozen=True, rename="camel"):
    """What somebody says of himself."""

    email: str
    password: str
    nickname: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Credentials(msgspec.Struct, frozen=True):
    """Who somebody claims to be, and the proof."""

    email: str
    password: str


class Renewal(msgspec.Struct, frozen=True, rename="camel"):
    """The token that asks for the next ones."""

    refresh_token: str


class Farewell(msgspec.Struct, frozen=True, rename="camel"):
    """The login that is to end: by a refresh token of it, or by its id, as the access token has it."""

    refresh_token: str = ""
    sid: str = ""


class WhichLogin(msgspec.Struct, frozen=True):
    """The login that an access token came of."""

    sid: str


class UserView(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A user as everybody may see it who logs in as him."""

    id: str
    email: str
    nickname: str
    role: str
    first_name: str | None = None
    last_name: str | None = None
    avatar: str | None = None


class AuthResponse(msgspec.Struct, frozen=True, rename="camel"):
    """What a login gives; `expires_in` is how many seconds the access token is good for."""

    user: UserView
    token: str
    refresh_token: str
    expires_in: int


_registrations = msgspec.json.Decoder(Registration)
_credentials = msgspec.json.Decoder(Credentials)
_renewals = msgspec.json.Decoder(Renewal)
_farewells = msgspec.json.Decoder(Farewell)
_which_login = msgspec.json.Decoder(WhichLogin)


async def register(desk: Desk, command: BusCommand) -> Ending:
    """Make an account, and log in. 201; 400 for what no account may have, 409 when the address has one."""
    plain, reply_key = _opened(desk, command)
    form = _registrations.decode(plain)
    email = check_email(form.email)
    names = (
        nickname_of(form.nickname, email),
        check_name(form.first_name, "first name"),
        check_name(form.last_name, "last name"),
    )
    hashed = await desk.tools.passwords.hash(check_password(form.password, email))

    async def work(connection: Connection) -> Replied:
        row = (new_command_id(), email, hashed, *names, "USER")
        user = await connection.fetchrow(desk.queries["add_user"], *row)
        if user is None:
            raise Refuse(409, "USER_EXISTS", "There is an account with this e-mail address.", action="log_in")
        if desk.tools.mail:
            await tell(connection, AUTH.name, _welcome(command, user["id"]))
        tokens = await logins.begin(connection, desk, command, user)
        return _sealed(reply_key, user, tokens, status=201)

    return await once(desk, command, work)


async def login(desk: Desk, command: BusCommand) -> Ending:
    """Prove who somebody is, and log in. 200; 401 whatever of the two was wrong."""
    plain, reply_key = _opened(desk, command)
    given = _credentials.decode(plain)
    too_long = is_too_long(given.password)
    user = await desk.pool.fetchrow(desk.queries["find_user"], given.email.strip().lower())
    kept: str | None = user["password_hash"] if user and not too_long else None
    verdict = await desk.tools.passwords.verify("" if too_long else given.password, kept)
    if not verdict.right:
        raise Refuse(401, "INVALID_CREDENTIALS", "The e-mail address or the password is wrong.", action="log_in")

    async def work(connection: Connection) -> Replied:
        if verdict.renewed:
            await connection.execute(desk.queries["renew_password_hash"], user["id"], kept, verdict.renewed)
        return _sealed(reply_key, user, await logins.begin(connection, desk, command, user))

    return await once(desk, command, work)


async def refresh(desk: Desk, command: BusCommand) -> Ending:
    """Exchange a refresh token for the next tokens. 200; 401 when it is no good, or is used again."""
    plain, reply_key = _opened(desk, command)
    token = _renewals.decode(plain).refresh_token

    async def work(connection: Connection) -> Replied:
        renewed = await logins.renew(connection, desk, token)
        # No Refuse: that would roll back the end of a login whose token came twice.
        return _sealed(reply_key, *renewed) if renewed else Replied(401, problem=_NO_LOGIN)

    return await once(desk, command, work)


async def logout(desk: Desk, command: BusCommand) -> Ending:
    """End a login and all tokens of it. 200, also when there is nothing left to end."""
    plain, _ = _opened(desk, command)
    form = _farewells.decode(plain)

    async def work(connection: Connection) -> Replied:
        login_id = form.sid if is_command_id(form.sid) else ""
        await logins.end(connection, desk, command.user_id, login_id, form.refresh_token)
        return replied({"loggedOut": True})

    return await once(desk, command, work)


async def me(desk: Desk, command: BusCommand) -> Ending:
    """The user of an access token, and what he has to spend. 200; 401 when its login has ended since."""
    sid = _which_login.decode(command.body).sid
    user = None
    if is_command_id(sid):
        user = await desk.pool.fetchrow(desk.queries["find_user_of_login"], UUID(sid), command.user_id)
    if user is None:
        return Replied(401, problem=_NO_LOGIN)
    return replied({"user": _view(user), "balance": user["balance"]})


def _opened(desk: Desk, command: BusCommand) -> tuple[bytes, bytes]:
    try:
        return open_body(desk.tools.keys, command.body)
    except Unopened:
        desk.log.error("a body was sealed for another key: see FLUXGATE_AUTH_PUBLIC of the gateways")
        raise Refuse(503, "KEYS_DIFFER", "Nobody can log in until the keys are put right.", retryable=True) from None


def _welcome(command: BusCommand, user_id: str) -> BusCommand:
    body = msgspec.Raw(encode({"template": "welcome"}))
    return BusCommand(
        id=new_command_id(),
        kind="mail",
        body=body,
        user_id=user_id,
        request_id=command.request_id,
        trace=command.trace,
    )


def _sealed(reply_key: bytes, user: Any, tokens: logins.Tokens, status: int = 200) -> Replied:
    answer = AuthResponse(_view(user), tokens.access, tokens.refresh, tokens.expires_in_s)
    sealed: Sealed = seal_reply(reply_key, answer)
    return replied(sealed, status=status)


def _view(user: Any) -> UserView:
    return UserView(**{field: user[field] for field in UserView.__struct_fields__})


def open_tools(settings: Settings) -> Tools:
    """The tools of the worker. Raises SettingsError where a setting does not let it work."""
    return Tools(private_keys(settings), Passwords(), mail_server(settings))


async def close_tools(tools: Tools) -> None:
    """End the threads that hash."""
    tools.passwords.close()


AUTH = Service(
    "auth",
    {"register": register, "login": login, "refresh": refresh, "logout": logout, "me": me, "mail": send_mail},
    open_tools,
    close_tools,
)
