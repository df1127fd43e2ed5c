"""Bearer tokens, and the refresh token that gives new ones. They live in memory only."""

import hmac
import secrets
import time
from collections import OrderedDict

from fluxgate.sandbox.goated.control import Control
from fluxgate.sandbox.replies import Refused

TOKENS_MAX = 1_000
"""Tokens that are known at once; the oldest go first."""


class Tokens:
    """Who is let in. The first token has no end but `expire`, which ends all that there are."""

    def __init__(self, control: Control, token: str, refresh_token: str) -> None:
        self._control = control
        # Until when each is good, on the monotonic clock.
        self._until: OrderedDict[str, float] = OrderedDict({token: float("inf")})
        self._refresh_token = refresh_token

    def check(self, authorization: str) -> None:
        """Let somebody in. Raises Refused."""
        if self._control.auth == "none":
            return
        scheme, _, token = authorization.partition(" ")
        if not authorization and self._control.auth == "optional":
            return
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "", "No token was given.")
        if self._until.get(token.strip(), 0.0) <= time.monotonic():
            raise Refused(401, "", "The token is invalid or has expired.")

    def refresh(self, refresh_token: str) -> dict[str, object]:
        """A new token, after which the ones before are not good any more. Raises Refused."""
        if not hmac.compare_digest(refresh_token.encode(), self._refresh_token.encode()):
            raise Refused(401, "", "The refresh token is invalid.")
        self.expire()
        token = "sandbox-token-" + secrets.token_urlsafe(32)
        self._until[token] = time.monotonic() + self._control.expires_in_s
        if len(self._until) > TOKENS_MAX:
            self._until.popitem(last=False)
        if self._control.rotates:
            self._refresh_token = "sandbox-refresh-" + secrets.token_urlsafe(32)
        expires_in_s = self._control.expires_in_s
        return {"token": token, "refreshToken": self._refresh_token, "expiresIn": expires_in_s}

    def expire(self) -> int:
        """End all tokens that were given out so far; how many there were."""
        count = sum(until > time.monotonic() for until in self._until.values())
        self._until = OrderedDict(dict.fromkeys(self._until, 0.0))
        return count
