"""The bearer token that Goated is asked with, and a new one when it has expired.

It lives in the memory of one process. However many ask for a new one at once, it is fetched once. No token stands in a
message or in a log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from contract.telemetry import get_logger
from workers.clients.goated import GoatedFault
from workers.clients.http import Answer, Request, Unanswered, Upstream

TOKEN_MAX = 8_192
"""Characters of a token: it becomes a header, and those have 16 KB at most."""
NAMES = ("token", "accessToken", "access_token")
REFRESH_NAMES = ("refreshToken", "refresh_token")
"""What a new token may stand under, at the top of an answer or in its `data`."""
OPERATOR = "Goated does not take the token, and {why}: FLUXGATE_GOATED_TOKEN must be a token that is good."

Turn = Callable[[], Awaitable[None]]
"""Waits until a request may be made."""


class Tokens:
    """The token. `upstream` is where new ones are had; None: nowhere."""

    def __init__(self, upstream: Upstream | None, token: str, refresh_token: str) -> None:
        self._upstream = upstream
        self._token = token
        self._refresh_token = refresh_token
        self._renewing: asyncio.Task[None] | None = None
        self._log = get_logger()

    @property
    def token(self) -> str:
        """The token that is good, as far as we know; "" where there is none."""
        return self._token

    async def renew(self, refused: str, turn: Turn) -> None:
        """Get another token than one that was refused, unless there is another already. Raises GoatedFault, and what
        `turn` raises."""
        if refused != self._token:
            return
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(turn))
            self._renewing.add_done_callback(self._renewed)
        # Whoever stops waiting for it leaves it to the others.
        await asyncio.shield(self._renewing)

    async def close(self) -> None:
        """Fetch nothing any more, and close the connections."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        if self._upstream is not None:
            await self._upstream.close()

    async def _renew(self, turn: Turn) -> None:
        if self._upstream is None:
            raise GoatedFault("authentication", "API_AUTH_FAILED", OPERATOR.format(why="there is no other"))
        await turn()
        request = Request("refresh", "POST", "", body={"refreshToken": self._refresh_token})
        try:
            answer = await self._upstream.send(request)
        except Unanswered as none:
            code = "API_TIMEOUT" if none.why == "timeout" else "API_UNAVAILABLE"
            message = f"Goated has no new token for us: it {none}."
            raise GoatedFault("temporary", code, message, none.after_s) from None
        told = _told(answer)
        token = _first(told, NAMES)
        if not token:
            message = "Goated has answered with no token that can be used."
            raise GoatedFault("temporary", "API_BAD_ANSWER", message)
        self._token = token
        another = _first(told, REFRESH_NAMES)
        if another and another != self._refresh_token:
            self._refresh_token = another
            self._log.warning("Goated has given another refresh token, which lasts as long as this process")

    def _renewed(self, done: asyncio.Task[None]) -> None:
        self._renewing = None
        if not done.cancelled():
            # Whoever waits hears of a fault; where nobody does any more, it is no news.
            done.exception()


def _told(answer: Answer) -> Mapping[str, Any]:
    """What an answer to a refresh token tells. Raises GoatedFault."""
    status = answer.status
    if status == 429:
        message = "Goated is asked too often for new tokens."
        raise GoatedFault("resource", "API_RATE_LIMIT", message, answer.after_s)
    if 400 <= status < 500 and status not in (408, 425):
        why = f"gives no other for FLUXGATE_GOATED_REFRESH_TOKEN ({status})"
        raise GoatedFault("authentication", "API_AUTH_FAILED", OPERATOR.format(why=why))
    if answer.is_good and isinstance(answer.data, dict):
        told = cast(Mapping[str, Any], answer.data)
        inner = told.get("data")
        return {**told, **cast(Mapping[str, Any], inner)} if isinstance(inner, dict) else told
    code = "API_UNAVAILABLE" if status >= 500 else "API_BAD_ANSWER"
    raise GoatedFault("temporary", code, f"Goated has answered {status}, and no new token.", answer.after_s)


def _first(told: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these members that can be a token; "" where none can."""
    found = (told.get(name) for name in names)
    return next((one for one in found if isinstance(one, str) and is_token(one)), "")


def is_token(text: str) -> bool:
    """Whether a text can stand in a header as a token."""
    return 0 < len(text) <= TOKEN_MAX and text.isascii() and text.isprintable() and " " not in text
