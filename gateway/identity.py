"""Who asks: somebody who has logged in, or a guest with a session; found out without asking anybody.

The access token comes in `Authorization: Bearer` or in the cookie `session_token`, and the header counts where both
came. A guest session comes in `X-Session-Id` or in the cookie `guest_session`.
"""

import hmac
import re
import secrets
from typing import NamedTuple

from contract.access_tokens import BadAccessToken, Claims
from gateway.cookies import FORGET_GUEST, GUEST_SESSION, SESSION, read_cookies, set_guest
from gateway.cross_site import SAFE_METHODS, is_cross_site
from gateway.envelope import refuse
from gateway.gate import Call
from gateway.rsgi import Header, Headers

SESSION_HEADER = "x-session-id"
CROSS_SITE = "The request was made for a page of another site, which may not use the cookies of this one."
_GUEST_SESSION = re.compile(r"[0-9a-f]{32}")
_CHALLENGE: Header = ("www-authenticate", "Bearer")
_BAD_TOKEN: Header = ("www-authenticate", 'Bearer error="invalid_token"')


class Caller(NamedTuple):
    """Who a request comes from, as far as the gateway has verified it; empty texts where nothing is known.

    `login_id` is the login that the access token came of.
    """

    user_id: str = ""
    role: str = ""
    session_id: str = ""
    login_id: str = ""


GUEST = Caller()


class CrossSite(Exception):
    """A browser sends this for a page of another site, and it would change something."""


def caller(call: Call) -> Caller:
    """Whoever asks, a guest without a session too.

    Raises Refused: 401 for a token that is no good, 403 for a page of another site, 400 for no session of ours.
    """
    try:
        claims = signed_in(call)
    except BadAccessToken as error:
        refuse(call.request_id, 401, "INVALID_TOKEN", str(error), _BAD_TOKEN, action="refresh_token")
    except CrossSite:
        refuse(call.request_id, 403, "CROSS_SITE", CROSS_SITE)
    session_id = guest_session(call)
    return Caller(claims.sub, claims.role, session_id, claims.sid) if claims else Caller(session_id=session_id)


def person(call: Call) -> Caller:
    """Somebody who has logged in. Raises Refused: 401 for a guest, and as `caller` does."""
    who = caller(call)
    if not who.user_id:
        refuse(call.request_id, 401, "UNAUTHORIZED", "This route is for people who have logged in.", _CHALLENGE)
    return who


def admin(call: Call) -> Caller:
    """Somebody of the role ADMIN, or the operator. Raises Refused: 403 for others, and as `person` does."""
    if has_admin_key(call):
        return Caller(role="ADMIN")
    who = person(call)
    if who.role != "ADMIN":
        refuse(call.request_id, 403, "FORBIDDEN", "This route is for administrators.")
    return who


def has_admin_key(call: Call) -> bool:
    """Whether the operator's key came along; False where none is set."""
    wanted, given = call.gate.settings.admin_key, call.headers.get("x-admin-key") or ""
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode())


def signed_in(call: Call) -> Claims | None:
    """What the access token says; None where there is none. Raises BadAccessToken, CrossSite."""
    token = bearer(call.headers)
    if token is None:
        check_site(call)
        token = read_cookies(call.headers).get(SESSION)
    return call.gate.tokens.read(token) if token is not None else None


def check_site(call: Call) -> None:
    """Raises CrossSite when a page of another site wants to change something by means of a browser's cookies."""
    if call.scope.method not in SAFE_METHODS and is_cross_site(call.headers, call.gate.settings):
        raise CrossSite


def bearer(headers: Headers) -> str | None:
    """The token of the header Authorization; None where that has another scheme or was not sent."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def guest_session(call: Call) -> str:
    """The guest session that came along, or nothing. Raises Refused with 400 for one that we cannot have made."""
    given = call.headers.get(SESSION_HEADER)
    in_cookie = given is None
    if given is None:
        given = read_cookies(call.headers).get(GUEST_SESSION)
    if not given:
        return ""
    if not _GUEST_SESSION.fullmatch(given):
        message = "A guest session has 32 hexadecimal digits, and is made by this service."
        refuse(call.request_id, 400, "INVALID_SESSION", message, *((FORGET_GUEST,) if in_cookie else ()))
    return given


def guest_cookie(_call: Call, who: Caller) -> tuple[Caller, tuple[Header, ...]]:
    """The caller with a session: a guest who has none gets one, and the headers that tell of it."""
    if who.user_id or who.session_id:
        return who, ()
    session_id = secrets.token_hex(16)
    return who._replace(session_id=session_id), (set_guest(session_id), (SESSION_HEADER, session_id))
