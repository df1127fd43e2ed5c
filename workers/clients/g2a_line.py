"""What both APIs of G2A have in common: turns of the rate, reads that are repeated, changes that are not, and what
every failure of HTTP means for whoever asked."""

import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar, cast

from workers.clients.g2a import PATIENCE_S, Code, G2AFault
from workers.clients.http import Answer, Request, Unanswered, Upstream, repeated
from workers.clients.rate import Rate, TooBusy

SAID_MAX = 200
"""Characters of what G2A says about a failure that are passed on."""
# Whatever looks like the key of a game: groups of letters and digits with hyphens between.
_KEY = re.compile(r"\b[A-Z0-9]{4,}(?:-[A-Z0-9]{4,})+\b", re.I)
_WORD = re.compile(r"[A-Za-z0-9_]{1,32}")
CODES: Mapping[int, Code] = {
    400: "G2A_API_ERROR",
    401: "G2A_AUTH_FAILED",
    402: "G2A_OUT_OF_STOCK",
    403: "G2A_AUTH_FAILED",
    404: "G2A_PRODUCT_NOT_FOUND",
    408: "G2A_TIMEOUT",
    429: "G2A_RATE_LIMIT",
    504: "G2A_TIMEOUT",
}
"""What the statuses mean; every other one is G2A_API_ERROR."""
PASSING = {408, 425, 429}
"""Statuses below 500 that say nothing about the request itself."""
STATUSES: dict[str, Literal["pending", "completed", "failed"]] = {
    "completed": "completed",
    "complete": "completed",
    "failed": "failed",
    "cancelled": "failed",
    "canceled": "failed",
}
"""What the words for the state of an order mean; with any other one it is still on its way."""
KNOWN_SAFE = 429
"""A status that tells that nothing was done, whatever the body is."""

Result = TypeVar("Result")


class Moving(ValueError):
    """An answer contradicts itself, or what was asked for: it may have been made while its subject changed."""


Read = Callable[[Any], Result]
"""Makes what is wanted out of the document of an answer. Raises ValueError where it is not in it, Moving where it may
be the next time."""


class Meaning(NamedTuple):
    """What a code of G2A means: ours, and whether it passes."""

    code: Code
    is_passing: bool = False


class Line:
    """The way to one of the APIs. `meanings` says what its own codes mean, where the status does not say it."""

    def __init__(
        self,
        upstream: Upstream,
        rate: Rate,
        meanings: Mapping[str, Meaning],
        secrets: tuple[str, ...],
        close: Callable[[], Awaitable[Any]],
    ) -> None:
        self._close = close
        self._upstream = upstream
        self._rate = rate
        self._meanings = meanings
        self._secrets = tuple(secret for secret in secrets if secret)

    async def take_turn(self, share: float = 1.0, patience_s: float = PATIENCE_S) -> None:
        """Wait until a request may be made. Raises G2AFault, G2A_RATE_LIMIT."""
        try:
            await self._rate.take(share, patience_s)
        except TooBusy as busy:
            message = "So many requests wait for G2A that this one was not made."
            raise G2AFault("G2A_RATE_LIMIT", message, is_passing=True, after_s=busy.after_s) from None

    async def read(
        self, request: Request, read: Read[Result], share: float = 1.0, patience_s: float = PATIENCE_S
    ) -> Result:
        """Ask, and again where a fault passes. Raises G2AFault, the last one where there was more than one."""
        give_up = time.monotonic() + patience_s
        last: G2AFault | None = None

        async def ask() -> Result:
            await self.take_turn(share, give_up - time.monotonic())
            return await self._ask(request, read, is_change=False, within_s=give_up - time.monotonic())

        def after_s(fault: Exception) -> float | None:
            nonlocal last
            if not (isinstance(fault, G2AFault) and fault.is_passing):
                return None
            last = fault
            return fault.after_s

        try:
            return await repeated(ask, after_s, patience_s)
        except TimeoutError:
            late = G2AFault("G2A_TIMEOUT", f"G2A did not answer within {patience_s:.0f} s.", is_passing=True)
            raise last or late from None

    async def change(self, request: Request, read: Read[Result], *, is_free: bool = False) -> Result:
        """Ask once, with no turn of the rate. Raises G2AFault, with `is_unknown` where it may have been done.

        What `is_free` costs nothing, and may be asked for again: its outcome is never unknown."""
        return await self._ask(request, read, is_change=not is_free)

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()
        await self._close()

    async def _ask(
        self, request: Request, read: Read[Result], *, is_change: bool, within_s: float = math.inf
    ) -> Result:
        try:
            answer = await self._upstream.send(request, within_s)
        except Unanswered as none:
            is_unknown = is_change and none.was_sent
            raise G2AFault(
                "G2A_TIMEOUT" if none.why == "timeout" else "G2A_API_ERROR",
                f"G2A {none}.",
                is_passing=not is_unknown,
                after_s=none.after_s,
                is_unknown=is_unknown,
            ) from None
        if not answer.is_good:
            raise self._fault(answer, is_change)
        try:
            return read(answer.data)
        except ValueError as error:
            raise G2AFault(
                "G2A_API_ERROR",
                f"G2A has answered something else than was asked for: {error}.",
                status=answer.status,
                is_passing=isinstance(error, Moving) and not is_change,
                is_unknown=is_change,
            ) from None

    def _fault(self, answer: Answer, is_change: bool) -> G2AFault:
        """What an answer that is none means. A change was not made where G2A refuses it in so many words."""
        word, said = _said(answer.data)
        is_refused = answer.is_json and 400 <= answer.status < 500 and answer.status != 408
        is_unknown = is_change and not (is_refused or answer.status == KNOWN_SAFE)
        is_passing = answer.status in PASSING or answer.status >= 500 or 200 <= answer.status < 300
        meaning = Meaning(CODES.get(answer.status, "G2A_API_ERROR"), is_passing)
        if answer.status < 500:
            meaning = self._meanings.get(word, meaning)
        message = f"G2A has answered {answer.status}" + (f" ({word})" if word else "")
        message += f": {self._masked(said)}" if said else "" if answer.is_json else ", and no JSON"
        return G2AFault(
            meaning.code,
            message[: 2 * SAID_MAX],
            status=answer.status,
            is_passing=meaning.is_passing and not is_unknown,
            after_s=answer.after_s,
            is_unknown=is_unknown,
            word=word,
        )

    def _masked(self, said: str) -> str:
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return without_keys(said)


def without_keys(said: str) -> str:
    """A text of G2A, cut to what is passed on, with whatever looks like a key left out."""
    return _KEY.sub("***", said)[:SAID_MAX]


def _said(data: Any) -> tuple[str, str]:
    """The code and the message of a refusal, in either dialect; "" where they are not there."""
    told = cast(dict[str, Any], data) if isinstance(data, dict) else {}
    inner = told.get("error")
    if isinstance(inner, dict):
        told = cast(dict[str, Any], inner)
    code, message = told.get("code"), told.get("message")
    word = code if isinstance(code, str) and _WORD.fullmatch(code) else ""
    return word, " ".join(message.split()) if isinstance(message, str) else ""


def whole(document: dict[str, Any], name: str) -> int | None:
    """A count that an answer tells, perhaps as a text; None where it tells none."""
    value = document.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def document(data: Any) -> dict[str, Any]:
    """What is told, as an object. Raises ValueError where it is none."""
    if not isinstance(data, dict):
        raise ValueError("it is no object")
    return cast(dict[str, Any], data)


def listed(data: Any, name: str) -> list[Any]:
    """The list of this name. Raises ValueError where there is none."""
    documents = cast(dict[str, Any], data).get(name) if isinstance(data, dict) else None
    if not isinstance(documents, list):
        raise ValueError("there is no list in it")
    return cast(list[Any], documents)


def order_id(told: Any) -> str:
    """The id of an order, a text or a number. Raises ValueError for what cannot be one."""
    if isinstance(told, bool) or not isinstance(told, str | int) or not 1 <= len(str(told)) <= 64:
        raise ValueError("an order has no id")
    return str(told)


def amount(told: Any) -> Decimal | None:
    """An amount of money; None where it is no number."""
    return Decimal(told) if isinstance(told, int | Decimal) and not isinstance(told, bool) else None
