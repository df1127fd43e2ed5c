"""The way to the Selling Partner API: a turn of its rate, a token, one request, and what every failure of it means."""

import asyncio
import datetime
import random
import re
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar, cast

from workers.clients.amazon import Account, AmazonFault
from workers.clients.amazon_lwa import Tokens
from workers.clients.amazon_pace import Paces
from workers.clients.http import Answer, Request, Unanswered, Upstream

BODY_MAX = 16 * 2**20
"""Bytes of one answer: Amazon's pages have 10 MB at most."""
ATTEMPTS_MAX = 2
"""Times that a page is asked for in one call: each costs a turn, and of orders there is one in a minute."""
PATIENCE_S = 1.5
PAUSE_S = 0.3
"""A second attempt begins within so many seconds, after half to all of this pause: a step of a worker has two seconds.
What takes longer is repeated by whoever has asked."""
AGAIN_S = 2.0
"""When to ask again with another access token, after one that Amazon did not know: not in the same call."""
CALL_S = 20.0
"""How long a call may take in all: shorter than a command may run (30 s), so that there is time to write it down."""
SAID_MAX = 200
"""Characters of what Amazon says about a failure that are passed on."""
USER_AGENT = f"Flux-Gate/1.0 (Language=Python/{sys.version_info.major}.{sys.version_info.minor})"
RATE_HEADER = "x-amzn-ratelimit-limit"
# Tokens and secrets as Amazon makes them.
_SECRET = re.compile(r"Atz[a-z]\|\S+|amzn1\.oa2-cs\.\S+")
_WORD = re.compile(r"[A-Za-z0-9_.]{1,64}")
EXPIRED = "token you provided has expired"
REVOKED = "revoked, malformed or invalid"
PASSING = {408, 425}
"""Statuses below 500 that say nothing about the request itself."""

Result = TypeVar("Result")
Read = Callable[[Any], Result]
"""Makes what is wanted out of the document of an answer. Raises ValueError where it is not in it."""


class _Said(NamedTuple):
    """What Amazon says about a failure: its code, and its words for people; "" where there are none."""

    code: str
    text: str


class Line:
    """The way there. `secrets` are left out of every message."""

    def __init__(
        self,
        upstream: Upstream,
        tokens: Tokens,
        paces: Paces,
        secrets: tuple[str, ...],
        close: Callable[[], Awaitable[Any]],
    ) -> None:
        self.tokens = tokens
        self.paces = paces
        self._upstream = upstream
        self._secrets = secrets
        self._close = close

    async def read(self, account: Account, request: Request, read: Read[Result], *, is_next: bool = False) -> Result:
        """Ask for a page, whose operation is `request.call`; `is_next` tells that it names the token of a page.
        Raises AmazonFault, and the errors of Redis."""
        give_up = time.monotonic() + PATIENCE_S
        try:
            async with asyncio.timeout(CALL_S):
                for _ in range(ATTEMPTS_MAX - 1):
                    try:
                        return await self._ask(account, request, read, is_next)
                    except AmazonFault as fault:
                        pause_s = max(fault.after_s, PAUSE_S * random.uniform(0.5, 1.0))
                        if fault.kind not in ("away", "unreadable") or time.monotonic() + pause_s > give_up:
                            raise
                    await asyncio.sleep(pause_s)
                return await self._ask(account, request, read, is_next)
        except TimeoutError:
            raise AmazonFault("away", f"Amazon did not answer within {CALL_S:.0f} s.") from None

    async def close(self) -> None:
        """Close the connections."""
        await self.tokens.close()
        await self._upstream.close()
        await self._close()

    async def _ask(self, account: Account, request: Request, read: Read[Result], is_next: bool) -> Result:
        token = await self.tokens.of(account)
        answer = await self._send(account, request, token)
        if _is_expired(answer):
            self.tokens.forget(account, token)
            token = await self.tokens.of(account)
            answer = await self._send(account, request, token)
        if answer.status == 429:
            turn_s = await self.paces.empty(account.seller_id, request.call)
            raise AmazonFault("throttled", f"Amazon is asked too often for {request.call}.", answer.after_s or turn_s)
        await self.paces.learn(account.seller_id, request.call, answer.headers.get(RATE_HEADER, ""))
        fault = _fault(answer, self._said(answer, account, token), is_next=is_next)
        if fault is not None and fault.kind == "revoked":
            fault = await self._unless_revoked(account, token)
        if fault is not None:
            raise fault
        try:
            return read(answer.data)
        except ValueError as error:
            message = f"Amazon has answered {request.call} with something else than was asked for: {error}."
            raise AmazonFault("unreadable", message) from None

    async def _unless_revoked(self, account: Account, token: str) -> AmazonFault:
        """What it means that Amazon does not know an access token. Login with Amazon alone knows whether the consent
        is at an end, which only the seller can mend. Raises AmazonFault, revoked, where it is."""
        self.tokens.forget(account, token)
        await self.tokens.of(account)
        return AmazonFault("away", "Amazon did not know the access token. There is another one now.", AGAIN_S)

    async def _send(self, account: Account, request: Request, token: str) -> Answer:
        await self.paces.take(account.seller_id, request.call)
        try:
            return await self._upstream.send(request._replace(headers={"x-amz-access-token": token}))
        except Unanswered as none:
            if not none.was_sent:
                await self.paces.give_back(account.seller_id, request.call)
            kind = "unreadable" if none.why == "too large" else "away"
            raise AmazonFault(kind, f"Amazon {none}.", none.after_s) from None

    def _said(self, answer: Answer, account: Account, token: str) -> _Said:
        """What Amazon says about a failure, without anything that is secret."""
        first = _first_error(answer.data)
        code, texts = first.get("code"), [first.get("message"), first.get("details")]
        text = " ".join(" ".join(text.split()) for text in texts if isinstance(text, str) and text)
        for secret in (token, account.refresh_token, *self._secrets):
            text = text.replace(secret, "***") if secret else text
        return _Said(
            code if isinstance(code, str) and _WORD.fullmatch(code) else "",
            _SECRET.sub("***", text)[:SAID_MAX],
        )


def sign() -> dict[str, str]:
    """The headers of every request, but for its token: who we are, and when it is."""
    now = datetime.datetime.now(datetime.UTC)
    return {"user-agent": USER_AGENT, "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}


def _is_expired(answer: Answer) -> bool:
    """Whether the access token was too old. Amazon says so in the details, or in the message."""
    if answer.status not in (401, 403):
        return False
    first = _first_error(answer.data)
    return any(EXPIRED in str(first.get(name)).lower() for name in ("details", "message"))


def _fault(answer: Answer, said: _Said, *, is_next: bool) -> AmazonFault | None:
    """What an answer that is none means; None where it is one."""
    status = answer.status
    text = _message(answer, said)
    if status >= 500 or status in PASSING:
        return AmazonFault("away", text, answer.after_s)
    if status < 400:
        is_good = answer.is_good and isinstance(answer.data, dict) and not cast(Any, answer.data).get("errors")
        return None if is_good else AmazonFault("unreadable", text, answer.after_s)
    if status in (401, 403):
        if _is_expired(answer):
            return AmazonFault("away", "Amazon takes a new access token for one that is too old.", AGAIN_S)
        return AmazonFault("revoked" if REVOKED in said.text.lower() else "denied", text)
    if status == 400 and is_next and said.code.lower() == "invalidinput":
        return AmazonFault("stale", text)
    return AmazonFault("refused", text)


def _message(answer: Answer, said: _Said) -> str:
    what = f"Amazon has answered {answer.status}" + (f" ({said.code})" if said.code else "")
    if answer.is_empty:
        return f"{what}, and nothing."
    if not answer.is_json:
        return f"{what}, and no JSON."
    return f"{what}: {said.text}" if said.text else f"{what}."


def _first_error(data: Any) -> dict[str, Any]:
    """The first of the errors of an answer; empty where there is none."""
    errors = cast(dict[str, Any], data).get("errors") if isinstance(data, dict) else None
    first = cast(list[Any], errors)[0] if isinstance(errors, list) and errors else None
    return cast(dict[str, Any], first) if isinstance(first, dict) else {}
