"""The way to Goated's leaderboard: a turn of the rate, a token, one request, and what every failure of it means."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from workers.clients.goated import GoatedFault, Leaderboard
from workers.clients.goated_forms import read_leaderboard
from workers.clients.goated_tokens import Tokens
from workers.clients.http import Answer, Request, Unanswered, Upstream, repeated
from workers.clients.rate import Rate, TooBusy

PATIENCE_S = 24.0
"""How long a fetch may take in all, with everything that is repeated: less than a command may run (30 s), so that there
is time to write it down."""
ETAG_MAX = 256
"""Characters of an ETag that are kept: those of Goated have some 40."""
INLINE_MAX = 2**18
"""Bytes of a body that is read at once. A larger one takes so long that others would wait, and is read in a thread."""
PASSING = {408, 425}
"""Statuses below 500 that say nothing about the request itself."""
LATE = {408, 504}
USER_AGENT = "Flux-Gate/1.0"


class Line:
    """The client. Satisfies `Goated`. Its calls raise the errors of Redis, too."""

    def __init__(
        self,
        upstream: Upstream,
        code: str,
        tokens: Tokens,
        rate: Rate,
        close: Callable[[], Awaitable[Any]],
    ) -> None:
        self._upstream = upstream
        self._path = f"/{quote(code, safe='')}"
        self._tokens = tokens
        self._rate = rate
        self._close = close

    async def fetch(self, etag: str) -> Leaderboard | None:
        """The leaderboard; None when it is still the one of this ETag. Raises GoatedFault, the last one where there was
        more than one: that no turn is left to ask again is none of Goated's."""
        give_up = time.monotonic() + PATIENCE_S
        last: GoatedFault | None = None

        def after_s(fault: Exception) -> float | None:
            nonlocal last
            if not isinstance(fault, GoatedFault) or fault.kind != "temporary":
                return None
            last = fault
            return fault.after_s

        try:
            return await repeated(lambda: self._ask(etag, give_up), after_s, PATIENCE_S)
        except TooBusy as busy:
            message = f"As many requests were made to Goated as we allow; the next in {busy.after_s:.0f} s."
            raise last or GoatedFault("resource", "API_RATE_LIMIT", message, busy.after_s) from None
        except TimeoutError:
            message = f"Goated did not answer within {PATIENCE_S:.0f} s."
            raise last or GoatedFault("temporary", "API_TIMEOUT", message) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._tokens.close()
        await self._upstream.close()
        await self._close()

    async def _ask(self, etag: str, give_up: float) -> Leaderboard | None:
        token = self._tokens.token
        answer = await self._send(etag, token, give_up)
        if answer.status == 401:
            await self._tokens.renew(token, lambda: self._take_turn(give_up))
            answer = await self._send(etag, self._tokens.token, give_up)
        if answer.status == 304 and etag:
            return None
        fault = _fault(answer)
        if fault is not None:
            raise fault
        told = answer.headers.get("etag", "")
        told = told if len(told) <= ETAG_MAX and told.isascii() and told.isprintable() else ""
        if len(answer.data) <= INLINE_MAX:
            return read_leaderboard(answer.data, told)
        return await asyncio.to_thread(read_leaderboard, answer.data, told)

    async def _send(self, etag: str, token: str, give_up: float) -> Answer:
        await self._take_turn(give_up)
        headers = {"if-none-match": etag} if etag else {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        try:
            request = Request("fetch", "GET", self._path, headers=headers)
            return await self._upstream.send(request, give_up - time.monotonic())
        except Unanswered as none:
            codes = {"timeout": "API_TIMEOUT", "too large": "API_BAD_ANSWER"}
            code = codes.get(none.why, "API_UNAVAILABLE")
            raise GoatedFault("temporary", code, f"Goated {none}.", none.after_s) from None

    async def _take_turn(self, give_up: float) -> None:
        """Wait until a request may be made. Raises TooBusy."""
        await self._rate.take(1.0, give_up - time.monotonic())


def sign() -> dict[str, str]:
    """The headers of every request, but for its token."""
    return {"user-agent": USER_AGENT}


def _fault(answer: Answer) -> GoatedFault | None:
    """What an answer that is none means; None where it may be one."""
    status, after_s = answer.status, answer.after_s
    message = f"Goated has answered {status}."
    if status in (401, 403):
        message = f"Goated does not let us in ({status}): FLUXGATE_GOATED_TOKEN must be a token of this affiliate."
        return GoatedFault("authentication", "API_AUTH_FAILED", message)
    if status == 429:
        return GoatedFault("resource", "API_RATE_LIMIT", "Goated is asked too often.", after_s)
    if status >= 500 or status in PASSING:
        return GoatedFault("temporary", "API_TIMEOUT" if status in LATE else "API_UNAVAILABLE", message, after_s)
    if status == 404:
        message = "Goated does not know this leaderboard (404): see FLUXGATE_GOATED_URL and FLUXGATE_GOATED_CODE."
    if status == 200 and not answer.is_json:
        message = f"Goated has answered with {'nothing' if answer.is_empty else 'no JSON'}."
    if status == 200:
        return None if answer.is_json else GoatedFault("temporary", "API_BAD_ANSWER", message, after_s)
    if status < 300 or status == 304:
        return GoatedFault("temporary", "API_BAD_ANSWER", message, after_s)
    return GoatedFault("permanent", "API_ERROR", message)
