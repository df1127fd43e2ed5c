"""Refresh tokens, access tokens, and codes of consent.

A refresh token says by itself whom it is of, so that it outlives the process, as an account outlives it that a seller
has connected. Access tokens and codes are gone with the process.
"""

import hmac
import secrets
import time
from collections import OrderedDict
from typing import NamedTuple

from contract.settings import Settings
from fluxgate.sandbox.amazon.control import SELLER, SELLERS_MAX, Control
from fluxgate.sandbox.amazon.refusals import DENIED
from fluxgate.sandbox.replies import Refused

# A code of consent is good for so long, and once.
CODE_S = 300.0
ACCESS_MAX = 10_000
CODES_MAX = 1_000
REFRESH_PREFIX = "Atzr|"
ACCESS_PREFIX = "Atza|"
EXPIRED = "The access token you provided has expired."
REVOKED = "The access token you provided is revoked, malformed or invalid."
MISSING = "Access token is missing in the request header."


class Access(NamedTuple):
    """Whom an access token is of, and until when it is good."""

    seller: str
    until: float


class Code(NamedTuple):
    """A seller's consent, before it was exchanged."""

    seller: str
    redirect_uri: str
    until: float


class Tokens:
    """Everything that was given out."""

    def __init__(self, settings: Settings, control: Control) -> None:
        self._settings = settings
        self._control = control
        self._access: OrderedDict[str, Access] = OrderedDict()
        self._codes: OrderedDict[str, Code] = OrderedDict()
        # How often a seller's refresh token was replaced; older ones are not good.
        self._generations: dict[str, int] = {}

    def refresh_token(self, seller: str) -> str:
        """The refresh token of a seller that is good now."""
        return self._refresh_token(seller, self._generations.get(seller, 0))

    def seller_of(self, refresh_token: str) -> str | None:
        """Whom a refresh token is of; None where it is not good."""
        if refresh_token and refresh_token == self._settings.amazon_refresh_token:
            is_good = SELLER not in self._control.revoked and not self._generations.get(SELLER)
            return SELLER if is_good else None
        seller, _, rest = refresh_token.removeprefix(REFRESH_PREFIX).partition(".")
        generation = rest.partition(".")[0]
        if not (generation.isascii() and generation.isdigit()):
            return None
        is_ours = hmac.compare_digest(refresh_token.encode(), self._refresh_token(seller, int(generation[:9])).encode())
        is_old = int(generation[:9]) < self._generations.get(seller, 0)
        return None if not is_ours or is_old or seller in self._control.revoked else seller

    def replace(self, seller: str) -> None:
        """End the refresh tokens that a seller has so far."""
        if len(self._generations) >= SELLERS_MAX and seller not in self._generations:
            raise Refused(503, "", f"The sandbox has {SELLERS_MAX} sellers; reset it.")
        self._generations[seller] = self._generations.get(seller, 0) + 1

    def make_access(self, seller: str) -> str:
        """An access token, good for as long as the control says."""
        token = ACCESS_PREFIX + secrets.token_urlsafe(96)
        self._access[token] = Access(seller, time.monotonic() + self._control.expires_in_s)
        if len(self._access) > ACCESS_MAX:
            self._access.popitem(last=False)
        return token

    def end_access(self, is_forgotten: bool) -> int:
        """Let all access tokens expire, or be as if they had never been; how many there were."""
        count = len(self._access)
        if is_forgotten:
            self._access.clear()
        for token, access in self._access.items():
            self._access[token] = access._replace(until=0.0)
        return count

    def check(self, token: str | None) -> str:
        """Whom an access token is of. Raises Refused, in the words of Amazon."""
        if not token:
            raise self._denied(MISSING)
        access = self._access.get(token)
        if access is None or access.seller in self._control.revoked:
            raise self._denied(REVOKED)
        if access.until <= time.monotonic():
            raise self._denied(EXPIRED)
        return access.seller

    def owner(self, token: str | None) -> str:
        """Whom an access token is of, whether it is good or not; "" where nobody knows."""
        access = self._access.get(token or "")
        return access.seller if access else ""

    def make_code(self, seller: str, redirect_uri: str) -> str:
        """A code that says that a seller has consented."""
        code = secrets.token_urlsafe(18)
        self._codes[code] = Code(seller, redirect_uri, time.monotonic() + CODE_S)
        if len(self._codes) > CODES_MAX:
            self._codes.popitem(last=False)
        return code

    def take_code(self, code: str, redirect_uri: str) -> str | None:
        """Who has consented; None where the code is not good, or not any more."""
        found = self._codes.pop(code, None)
        if found is None or found.until <= time.monotonic():
            return None
        return found.seller if redirect_uri in ("", found.redirect_uri) else None

    def _refresh_token(self, seller: str, generation: int) -> str:
        said = f"{seller}.{generation}"
        proof = hmac.digest(self._settings.amazon_client[1].encode(), said.encode(), "sha256").hex()
        return f"{REFRESH_PREFIX}{said}.{proof}"

    def _denied(self, text: str) -> Refused:
        is_in_details = self._control.denial_text_in == "details"
        return Refused(403, "Unauthorized", DENIED if is_in_details else text, text if is_in_details else "")
