"""Cookies: read strictly by RFC 6265, and set so that no script, no other site and no plain connection gets them."""

import re
from typing import Literal

from gateway.rsgi import Header, Headers

SESSION = "session_token"
REFRESH = "refresh_token"
GUEST_SESSION = "guest_session"
REFRESH_PATH = "/api/auth"
"""The only routes that a browser sends the refresh token to."""
GUEST_TTL_S = 30 * 86_400
"""A cart that nobody has looked at for a month is forgotten by its owner too."""

# The server bounds the head of a request, so what is read here has an end.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r'"([!#-+\x2d-:<-\[\]-~]*)"|([!#-+\x2d-:<-\[\]-~]*)')


def read_cookies(headers: Headers) -> dict[str, str]:
    """The cookies of a request by their names. A pair that is none is passed over, and takes no other with it.

    Of two with one name the first counts, as with most servers: a browser sends the one with the longer path first.
    """
    cookies: dict[str, str] = {}
    for line in headers.get_all("cookie"):
        for pair in line.split(";"):
            name, equals, value = pair.partition("=")
            name, found = name.strip(" \t"), _VALUE.fullmatch(value.strip(" \t"))
            if equals and found and _NAME.fullmatch(name):
                cookies.setdefault(name, found[1] or found[2] or "")
    return cookies


def set_session(token: str, max_age_s: int) -> Header:
    """The access token. Lax: whoever follows a link to the shop is logged in there."""
    return _cookie(SESSION, token, max_age_s, "Lax", "/")


def set_refresh(token: str, max_age_s: int) -> Header:
    """The refresh token, for the routes that renew it and for no other."""
    return _cookie(REFRESH, token, max_age_s, "Strict", REFRESH_PATH)


def set_guest(session_id: str, max_age_s: int = GUEST_TTL_S) -> Header:
    """The session of somebody who has not logged in."""
    return _cookie(GUEST_SESSION, session_id, max_age_s, "Lax", "/")


def _cookie(name: str, value: str, max_age_s: int, same_site: Literal["Lax", "Strict"], path: str) -> Header:
    return ("set-cookie", f"{name}={value}; Max-Age={max_age_s}; Path={path}; HttpOnly; Secure; SameSite={same_site}")


FORGET_SESSION = set_session("", 0)
FORGET_REFRESH = set_refresh("", 0)
FORGET_GUEST = set_guest("", 0)
"""What makes a browser forget them."""
