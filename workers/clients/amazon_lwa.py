"""Login with Amazon: refresh tokens for access tokens, and the consent of a seller for a refresh token.

Access tokens live an hour, and are kept in the memory of one process alone. However many ask for one at once, it is
fetched once. No token and no secret stands in a message or in a log.
"""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, cast

from contract.telemetry import get_logger
from workers.clients.amazon import Account, AmazonFault, Grant, Kind
from workers.clients.http import Answer, Request, Unanswered, Upstream

KEPT_MAX = 1_000
"""Access tokens that are kept: those of as many sellers as one process ever syncs within an hour."""
EARLY_S = 60.0
"""How long before its end a token is renewed, but never more than half of its life: as long as a call may take."""
LIFE_MAX_S = 3_600.0
"""How long a token is believed to live: Amazon's live an hour. One that says nothing is used for this call alone."""
TOKEN_MAX = 4_096
"""Characters of a token. Amazon's have some 400."""
THROTTLED_S = 1.0
"""How long to leave it alone after a 429 that does not say so."""
OPERATOR = (
    "Amazon does not let this application in ({word}): FLUXGATE_AMAZON_CLIENT_ID and FLUXGATE_AMAZON_CLIENT_SECRET "
    "must be those of an application that is allowed to do this."
)
_KINDS: Mapping[str, Kind] = {
    "invalid_grant": "revoked",
    "access_denied": "denied",
    "invalid_client": "denied",
    "invalid_scope": "denied",
    "unauthorized_client": "denied",
    "server_error": "away",
    "temporarily_unavailable": "away",
}
_WORD = re.compile(r"[a-z_]{1,40}")
_REVOKED = "Amazon no longer accepts the connection, or never has: the seller has to connect the account again."

Keep = Callable[[Account, str], Awaitable[None]]
"""Keeps another refresh token for an account."""


class _Access(NamedTuple):
    token: str
    renew_at: float


class Tokens:
    """Access tokens for accounts. `keep` is told where Amazon gives an account another refresh token."""

    def __init__(
        self,
        upstream: Upstream,
        client_id: str,
        client_secret: str,
        keep: Keep | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._keep = keep
        self._clock = clock
        self._kept: OrderedDict[bytes, _Access] = OrderedDict()
        self._fetching: dict[bytes, asyncio.Task[str]] = {}
        self._log = get_logger()

    async def of(self, account: Account) -> str:
        """An access token that is good for a while. Raises AmazonFault."""
        own = _digest(account.refresh_token)
        kept = self._kept.get(own)
        if kept is not None and self._clock() < kept.renew_at:
            self._kept.move_to_end(own)
            return kept.token
        task = self._fetching.get(own)
        if task is None:
            task = asyncio.create_task(self._fetch(own, account))
            self._fetching[own] = task
            task.add_done_callback(lambda done: self._fetched(own, done))
        # Whoever stops waiting for it leaves it to the others.
        return await asyncio.shield(task)

    def forget(self, account: Account, token: str) -> None:
        """Do not use an access token again. Another one, which was fetched meanwhile, is kept."""
        own = _digest(account.refresh_token)
        kept = self._kept.get(own)
        if kept is not None and kept.token == token:
            del self._kept[own]

    async def exchange(self, code: str, redirect_uri: str) -> Grant:
        """The refresh token that the consent of a seller is worth. Raises AmazonFault."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        answer = await self._ask("exchange", form)
        return Grant(_token(answer, "refresh_token"))

    async def close(self) -> None:
        """Fetch nothing any more, and close the connections."""
        for task in self._fetching.values():
            task.cancel()
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)
        await self._upstream.close()

    async def _fetch(self, own: bytes, account: Account) -> str:
        asked_at = self._clock()
        answer = await self._ask("token", {"grant_type": "refresh_token", "refresh_token": account.refresh_token})
        token = _token(answer, "access_token")
        life_s = _life_s(answer.get("expires_in"))
        access = _Access(token, asked_at + life_s - min(EARLY_S, life_s / 2))
        self._put(own, access)
        another = answer.get("refresh_token")
        if isinstance(another, str) and another and another != account.refresh_token:
            # Whoever comes with the new one has the same access: to fetch it with that would end the new one, too.
            self._put(_digest(another), access)
            await self._rotate(account, another)
        return token

    def _put(self, own: bytes, access: _Access) -> None:
        self._kept[own] = access
        self._kept.move_to_end(own)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    def _fetched(self, own: bytes, done: asyncio.Task[str]) -> None:
        del self._fetching[own]
        if not done.cancelled():
            # Whoever waits hears of a fault; where nobody does any more, it is no news.
            done.exception()

    async def _rotate(self, account: Account, another: str) -> None:
        if self._keep is None:
            self._log.error("Amazon has given another refresh token, and nobody keeps it", user=account.user_id)
            return
        try:
            await self._keep(account, another)
        except Exception as error:
            # The access token is good all the same.
            self._log.error("another refresh token is not kept", user=account.user_id, error=type(error).__name__)

    async def _ask(self, call: str, form: Mapping[str, str]) -> dict[str, Any]:
        request = Request(call, "POST", "", form={**form, **self._client})
        try:
            answer = await self._upstream.send(request)
        except Unanswered as none:
            raise AmazonFault("away", f"Login with Amazon {none}.", none.after_s) from None
        if answer.status == 200 and isinstance(answer.data, dict):
            return cast(dict[str, Any], answer.data)
        raise _fault(answer)


def _fault(answer: Answer) -> AmazonFault:
    told = cast(dict[str, Any], answer.data) if isinstance(answer.data, dict) else {}
    error = told.get("error")
    word = error if isinstance(error, str) and _WORD.fullmatch(error) else ""
    if answer.status == 429:
        return AmazonFault("throttled", "Login with Amazon is asked too often.", answer.after_s or THROTTLED_S)
    if answer.status >= 500 or not answer.is_json or answer.status < 400:
        return AmazonFault("away", f"Login with Amazon has answered {answer.status}, and no token.", answer.after_s)
    kind = _KINDS.get(word, "refused")
    if kind == "revoked":
        return AmazonFault(kind, _REVOKED)
    if kind == "denied":
        return AmazonFault(kind, OPERATOR.format(word=word))
    said = f"{answer.status} ({word})" if word else f"{answer.status}"
    return AmazonFault(kind, f"Login with Amazon has answered {said}.", answer.after_s)


def _token(answer: dict[str, Any], name: str) -> str:
    """A token that an answer tells. Raises AmazonFault."""
    token = answer.get(name)
    # It becomes the value of a header.
    if isinstance(token, str) and 0 < len(token) <= TOKEN_MAX and token.isascii() and token.isprintable():
        return token
    raise AmazonFault("unreadable", "Login with Amazon has answered with no token that can be used.")


def _life_s(told: Any) -> float:
    """How long a token lives, in seconds; 0 where nothing is told that can be believed."""
    try:
        life_s = float(told)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(LIFE_MAX_S, life_s) if life_s > 0 else 0.0


def _digest(refresh_token: str) -> bytes:
    return hashlib.sha256(refresh_token.encode()).digest()
