"""Access tokens: made by the auth worker, checked by every gateway without asking anybody.

A token is a JWT of the type `at+jwt`, signed by Ed25519 and by nothing else: what its own header says of an algorithm
only decides whether it is refused. It says who somebody is, until when, and by which login.
"""

import re
import time
from functools import lru_cache
from typing import Any, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contract.auth_keys import PrivateKeys, PublicKeys
from contract.bus import new_command_id

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
ISSUER = "fluxgate auth"
AUDIENCE = "fluxgate gateway"
REQUIRED = ("exp", "iat", "sub", "aud", "iss", "jti", "role", "sid")
LEEWAY_S = 5
"""What the clocks of two hosts may differ by; it makes every token live so much longer."""
CHARACTERS_MAX = 1024
"""Ours have about 500. What is longer is refused unread, so that nobody pays for the parsing of a long one."""

Role = Literal["USER", "ADMIN"]
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class BadAccessToken(Exception):
    """A token that proves nothing. The message is the reason, and may be told to who sent it."""


class Claims(msgspec.Struct, frozen=True):
    """What a token says: whose it is, by which login, in which role; `exp` and `iat` in seconds since 1970."""

    sub: str
    sid: str
    role: Role
    jti: str
    iat: int
    exp: int


def make_access_token(keys: PrivateKeys, user_id: str, login_id: str, role: str, ttl_s: int) -> str:
    """A token for a user, good for `ttl_s` seconds from now."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "sid": login_id,
        "role": role,
        "jti": new_command_id(),
        "iat": now,
        "exp": now + ttl_s,
    }
    return jwt.encode(claims, _signing(keys.signing), algorithm=ALGORITHM, headers={"typ": TYPE})


def read_access_token(public: PublicKeys, token: str) -> Claims:
    """What a token says, once all of it has been checked. Raises BadAccessToken."""
    if len(token) > CHARACTERS_MAX:
        raise BadAccessToken("The access token is too long.")
    if not _FORM.fullmatch(token):
        raise BadAccessToken("The access token is not a JWT.")
    try:
        read: dict[str, Any] = jwt.decode_complete(
            token,
            _verifying(public.verify),
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY_S,
            options={"require": list(REQUIRED)},
        )
        if read["header"].get("typ") != TYPE:
            raise BadAccessToken("The token is no access token.")
        return msgspec.convert(read["payload"], Claims)
    except jwt.ExpiredSignatureError:
        raise BadAccessToken("The access token has expired.") from None
    # A header may be nested too deep for the parser, and a claim may have a type that we do not give it.
    except (jwt.PyJWTError, msgspec.ValidationError, RecursionError, ValueError):
        raise BadAccessToken("The access token is not valid.") from None


# A process has one key of each kind; making it from its bytes costs as much as using it.
@lru_cache(4)
def _signing(raw: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(raw)


@lru_cache(4)
def _verifying(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
