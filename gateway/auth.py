"""People: POST /api/auth/register, login, refresh and logout, GET /api/auth/me.

Passwords and tokens go to the auth worker sealed, and come back sealed; what a login gives, a browser gets as cookies
too, which no script of a page can read.
"""

import asyncio
from typing import TypeVar

import msgspec

from contract.access_tokens import BadAccessToken
from contract.bus import BusReply, encode
from contract.errors import NotReady, Overloaded
from contract.sealing import Unopened, open_reply, parse_key, seal_body
from gateway.asking import answered, asked, asked_sealed
from gateway.body import decode, read_body
from gateway.cookies import (
    FORGET_GUEST,
    FORGET_REFRESH,
    FORGET_SESSION,
    REFRESH,
    read_cookies,
    set_refresh,
    set_session,
)
from gateway.envelope import enveloped, refuse, success
from gateway.gate import Call
from gateway.identity import CROSS_SITE, Caller, CrossSite, check_site, guest_session, person, signed_in
from gateway.replying import NO_STORE, Refused, Reply
from gateway.rsgi import Header
from gateway.throttle import admit_login, admit_registration

WORKER = "auth"
LOGIN_EXAMPLE = '{"email":"ann@shop.example","password":"correct horse battery"}'
REGISTER_EXAMPLE = LOGIN_EXAMPLE[:-1] + ',"nickname":"Ann"}'
REFRESH_EXAMPLE = '{"refreshToken":"..."}'
WRONG_PASSWORD = 401
FORGET_ALL = (FORGET_SESSION, FORGET_REFRESH, FORGET_GUEST)
MIGRATION_WAIT_S = 2.0
"""How long a login waits for the cart of the guest. The auth worker has left word of it in any case."""


class Registration(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/auth/register."""

    email: str
    password: str
    nickname: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /api/auth/login."""

    email: str
    password: str


class Renewal(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The body of POST /api/auth/refresh and logout, where a browser sends the cookie instead."""

    refresh_token: str = ""


class _Issued(msgspec.Struct, rename="camel"):
    token: str
    refresh_token: str
    expires_in: int


class _User(msgspec.Struct):
    id: str
    role: str


_registrations = msgspec.json.Decoder(Registration)
_credentials = msgspec.json.Decoder(Credentials)
_renewals = msgspec.json.Decoder(Renewal)
_issued = msgspec.json.Decoder(_Issued)
_users = msgspec.json.Decoder(_User)
_PENDING = msgspec.Raw(b'{"status":"pending"}')
T = TypeVar("T")


async def register(call: Call) -> Reply:
    """POST /api/auth/register: 201 with the tokens of a first login; 400, 409, 429."""
    form = await _read_form(call, _registrations, REGISTER_EXAMPLE)
    session_id = guest_session(call)
    await admit_registration(call, form.email)
    answer, plain = await asked_sealed(
        call, WORKER, "register", msgspec.to_builtins(form), Caller(session_id=session_id)
    )
    return await _welcome(call, answer, plain, session_id)


async def login(call: Call) -> Reply:
    """POST /api/auth/login: 200 with tokens; 400, 401, 429."""
    form = await _read_form(call, _credentials, LOGIN_EXAMPLE)
    session_id = guest_session(call)
    attempt = await admit_login(call, form.email)
    answer, plain = await asked_sealed(call, WORKER, "login", msgspec.to_builtins(form), Caller(session_id=session_id))
    if answer.problem is None:
        await attempt.succeeded()
    elif answer.status != WRONG_PASSWORD:
        await attempt.was_no_guess()
    return await _welcome(call, answer, plain, session_id)


async def refresh(call: Call) -> Reply:
    """POST /api/auth/refresh: 200 with the next tokens; 401 for a refresh token that is no good, or was used before."""
    token = await _read_refresh_token(call)
    if not token:
        message = f"Send the refresh token as a cookie, or as JSON such as {REFRESH_EXAMPLE}."
        refuse(call.request_id, 401, "UNAUTHORIZED", message, action="log_in")
    answer, plain = await asked_sealed(call, WORKER, "refresh", {"refreshToken": token}, Caller())
    return _issue(call, answer, plain)


async def logout(call: Call) -> Reply:
    """POST /api/auth/logout: 200, and the login has ended, by whichever of its tokens came along."""
    token = await _read_refresh_token(call)
    try:
        claims = signed_in(call)
    except BadAccessToken:
        claims = None
    who = Caller(claims.sub, claims.role) if claims else Caller()
    fields = {"refreshToken": token, "sid": claims.sid if claims else ""}
    sealed, _ = seal_body(call.gate.tokens.public, fields)
    try:
        answer = await asked(call, WORKER, "logout", sealed, who)
    except Refused as later:
        # It will be done, and whoever sits down at this browser next shall not be him until then.
        raise Refused(Reply(later.reply.status, (*later.reply.headers, *FORGET_ALL), later.reply.body)) from None
    return enveloped(call.request_id, answer, NO_STORE, *FORGET_ALL)


async def read_me(call: Call) -> Reply:
    """GET /api/auth/me: the user of the access token; 401 without one, and when its login has ended since."""
    who = person(call)
    return await answered(call, WORKER, "me", {"sid": who.login_id}, who, NO_STORE)


def open_late(call: Call, answer: BusReply, late_key: str) -> Reply:
    """The reply to a command that took too long, for whoever has the key that its URL ends with.

    It sets no cookies: it is only read, and a link to somebody else's login would log in whoever follows it.
    """
    if answer.problem is not None:
        return enveloped(call.request_id, answer)
    try:
        plain = open_reply(parse_key(late_key) or b"", answer.data)
    except (Unopened, ValueError, msgspec.ValidationError):
        refuse(call.request_id, 404, "COMMAND_NOT_FOUND", "There is no such command.")
    return success(msgspec.Raw(plain), status=answer.status)


async def _welcome(call: Call, answer: BusReply, plain: bytes, session_id: str) -> Reply:
    """The reply to who logs in; the cart of the guest that he was comes along."""
    if answer.problem is not None or not session_id:
        return _issue(call, answer, plain)
    document = msgspec.json.decode(plain, type=dict[str, msgspec.Raw])
    user = _users.decode(document["user"])
    moved = await _migrate(call, Caller(user.id, user.role, session_id))
    document["migration"] = _PENDING if moved is None else moved
    return _issue(call, answer, encode(document), *(() if moved is None else (FORGET_GUEST,)))


async def _migrate(call: Call, who: Caller) -> msgspec.Raw | None:
    """What moved from the guest's cart and wishlist to the user's; None when that is not known yet."""
    try:
        async with asyncio.timeout(MIGRATION_WAIT_S):
            answer = await asked(call, "migration", "migrate", {}, who)
    except (TimeoutError, Refused, NotReady, Overloaded):
        return None
    return answer.data if answer.problem is None else None


def _issue(call: Call, answer: BusReply, plain: bytes, *headers: Header) -> Reply:
    """The reply with tokens, in its body and as cookies."""
    if answer.problem is not None:
        return enveloped(call.request_id, answer)
    issued = _issued.decode(plain)
    cookies = (
        set_session(issued.token, issued.expires_in),
        set_refresh(issued.refresh_token, call.gate.settings.refresh_token_ttl_s),
    )
    return success(msgspec.Raw(plain), NO_STORE, *cookies, *headers, status=answer.status)


async def _read_form(call: Call, decoder: msgspec.json.Decoder[T], example: str) -> T:
    """The body of a request whose reply sets cookies, so only our own pages may send it."""
    _refuse_other_sites(call)
    return decode(call.headers, await read_body(call.headers, call.exchange, call.gate.patience), decoder, example)


async def _read_refresh_token(call: Call) -> str:
    """The refresh token of the body, or else that of the cookie, or nothing."""
    _refuse_other_sites(call)
    body = await read_body(call.headers, call.exchange, call.gate.patience)
    given = decode(call.headers, body, _renewals, REFRESH_EXAMPLE).refresh_token if body else ""
    return given or read_cookies(call.headers).get(REFRESH, "")


def _refuse_other_sites(call: Call) -> None:
    try:
        check_site(call)
    except CrossSite:
        refuse(call.request_id, 403, "CROSS_SITE", CROSS_SITE)
