"""One upstream over HTTP: what every client of another party needs, and nothing of what any of them says.

A request is sent once, within a time, and its answer is read up to a size. Redirects are not followed, the environment
names no proxy, and neither headers nor bodies stand in a message: they hold secrets.
"""

import asyncio
import datetime
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, cast
from urllib.parse import urlencode

import httpx2
import msgspec
import stamina

from contract.telemetry import get_logger
from workers.clients.breaker import Breaker

BODY_MAX = 8 * 2**20
"""Bytes of one answer, unless its upstream has a limit of its own: a page of 100 products with the longest
descriptions seen has a third of it."""
CONNECTIONS_MAX = 16
"""Connections of one process: as many as a worker has commands at work."""
AFTER_MAX_S = 3_600.0
"""The longest Retry-After that is believed: more is a slip, and would stop us for days."""
ATTEMPTS_MAX = 5
"""Times that a read is made. With the pauses below the last one begins after some 6 s, if no answer takes long."""
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 5.0
JITTER_S = 0.5

Result = TypeVar("Result")
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


class Request(NamedTuple):
    """What to ask. `call` is the word of ours that it is counted under; `path` begins with a slash, or is empty. A
    `body` is sent as JSON, a `form` as a form; `headers` are of this request alone."""

    call: str
    method: str
    path: str
    params: Mapping[str, str] = {}
    body: Any = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Without headers and bodies, which may be secret."""
        return f"Request(call={self.call!r}, method={self.method!r}, path={self.path!r})"


class Answer(NamedTuple):
    """What was said: the status, the JSON of the body with its fractions as Decimal, and the seconds of Retry-After,
    0 where there are none. `is_json` tells whether the body was JSON; where it was not, `data` is None. `is_empty`
    tells that there was no body at all. The names of `headers` have no case."""

    status: int
    data: Any
    is_json: bool
    after_s: float
    is_empty: bool = False
    headers: Mapping[str, str] = {}

    @property
    def is_good(self) -> bool:
        """Whether it is a success that can be read."""
        return 200 <= self.status < 300 and self.is_json

    def __repr__(self) -> str:
        """Without the data, which may be secret."""
        return f"Answer(status={self.status}, is_json={self.is_json})"


Why = Literal["refused", "broken", "timeout", "too large", "paused"]
_WORDS: dict[Why, str] = {
    "refused": "cannot be reached",
    "broken": "has broken off",
    "timeout": "did not answer in time",
    "too large": "has answered with more than it may",
    "paused": "has failed so often that it is left alone for a while",
}


class Unanswered(Exception):
    """There is no answer. `was_sent` tells whether the request may have arrived; `after_s` when to ask again."""

    def __init__(self, why: Why, *, was_sent: bool, after_s: float = 0.0) -> None:
        super().__init__(_WORDS[why])
        self.why: Why = why
        self.was_sent = was_sent
        self.after_s = after_s


class Count(Protocol):
    """Counts one request: its call, what became of it, and the seconds that it took."""

    def __call__(self, call: str, outcome: str, seconds: float) -> Awaitable[None]:
        """Count it. Raises nothing: a count is worth no request."""
        ...


class Upstream:
    """One party that is spoken to over HTTP. `sign` gives the headers that every request needs, made anew for each;
    `body_max` is the bytes that an answer may have. `read` makes of a body the data of an answer, and raises ValueError
    where it is no JSON."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        sign: Callable[[], dict[str, str]],
        count: Count,
        breaker: Breaker,
        body_max: int = BODY_MAX,
        read: Callable[[bytearray], Any] | None = None,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._sign = sign
        self._count = count
        self._breaker = breaker
        self._body_max = body_max
        self._read = read or read_json
        self._log = get_logger()
        self._client = httpx2.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            # To read the certificates of the machine takes a tenth of a second, and only TLS has a use for them.
            verify=url.startswith("https:"),
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        )

    async def send(self, request: Request, within_s: float = math.inf) -> Answer:
        """Send a request once, and wait no longer than so many seconds. Raises Unanswered."""
        after_s = self._breaker.admit()
        if after_s > 0:
            await self._count(request.call, "paused", 0.0)
            raise Unanswered("paused", was_sent=False, after_s=after_s)
        began = time.perf_counter()
        try:
            answer = await self._exchange(request, min(within_s, self._timeout_s))
        except Unanswered as fault:
            # An answer that somebody could not wait for says nothing about the upstream.
            is_told = fault.why != "timeout" or within_s >= self._timeout_s
            await self._told(request.call, fault.why, began, is_fault=True if is_told else None)
            raise
        is_fault = answer.status >= 500 or (answer.status < 300 and not answer.is_json)
        outcome = f"{answer.status}" if answer.is_json or answer.status >= 300 else f"{answer.status} no JSON"
        await self._told(request.call, outcome, began, is_fault=is_fault)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _exchange(self, request: Request, within_s: float) -> Answer:
        sent = False

        async def trace(event: str, _: Any) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_headers.started")

        try:
            # The client's own timeouts are of each step; a body that drips would take for ever.
            async with asyncio.timeout(within_s), self._opened(request, trace) as response:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > self._body_max:
                        raise Unanswered("too large", was_sent=True)
        except (TimeoutError, httpx2.TimeoutException):
            raise Unanswered("timeout", was_sent=sent) from None
        except (httpx2.HTTPError, OSError):
            raise Unanswered("broken" if sent else "refused", was_sent=sent) from None
        after_s = _after_s(response.headers.get("retry-after", ""))
        try:
            data, is_json = self._read(body), True
        except ValueError:
            data, is_json = None, False
        return Answer(response.status_code, data, is_json, after_s, not body, response.headers)

    def _opened(self, request: Request, trace: Any) -> Any:
        # A body that is not compressed has the size that it says.
        headers = {"accept": "application/json", "accept-encoding": "identity", **self._sign(), **request.headers}
        body = None
        if request.body is not None:
            headers["content-type"] = "application/json"
            body = _encoder.encode(request.body)
        elif request.form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(request.form).encode()
        return self._client.stream(
            request.method,
            self._url + request.path,
            params=dict(request.params) or None,
            headers=headers,
            content=body,
            extensions={"trace": trace},
        )

    async def _told(self, call: str, outcome: str, began: float, *, is_fault: bool | None) -> None:
        """Log and count what became of a request, and let the breaker know what it says about the upstream; None:
        nothing."""
        seconds = time.perf_counter() - began
        before = self._breaker.state
        if is_fault:
            self._breaker.fail()
        elif is_fault is not None:
            self._breaker.succeed()
        told = self._log.debug if is_fault is False else self._log.warning
        told("upstream", call=call, outcome=outcome, ms=round(seconds * 1000, 1))
        if self._breaker.state != before:
            self._log.warning("the breaker of an upstream changes", before=before, state=self._breaker.state)
        await self._count(call, outcome, seconds)


async def repeated(
    work: Callable[[], Awaitable[Result]], after_s: Callable[[Exception], float | None], patience_s: float
) -> Result:
    """Do `work`, and again while it fails with a fault that passes, after pauses that double and vary.

    `after_s` tells of a fault None when it does not pass, else for how many seconds at least it lasts, 0 where nobody
    has said. A fault that lasts longer than the patience does is raised at once. Raises TimeoutError after patience_s.
    """
    give_up = time.monotonic() + patience_s

    def pause(fault: Exception) -> bool | float:
        lasts_s = after_s(fault)
        if lasts_s is None or time.monotonic() + lasts_s >= give_up:
            return False
        return lasts_s or True

    attempts = stamina.retry_context(
        pause,
        attempts=ATTEMPTS_MAX,
        timeout=None,
        wait_initial=PAUSE_FIRST_S,
        wait_max=PAUSE_MAX_S,
        wait_jitter=JITTER_S,
    )
    async with asyncio.timeout(patience_s):
        async for attempt in attempts:
            with attempt:
                return await work()
    raise AssertionError("Attempts end with a result or a fault.")


def read_json(body: bytes | bytearray) -> Any:
    """The document of a body, fractions as Decimal. Raises ValueError.

    The character NUL is left out of texts: no column of Postgres takes it.
    """
    try:
        data = _decoder.decode(body)
        return _without_nul(data) if rb"\u0000" in body else data
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"This is no JSON: {type(error).__name__}.") from None


def _without_nul(data: Any) -> Any:
    match data:
        case str():
            return data.replace("\0", "")
        case dict():
            members = cast(dict[str, Any], data).items()
            return {_without_nul(name): _without_nul(value) for name, value in members}
        case list():
            return [_without_nul(value) for value in cast(list[Any], data)]
        case _:
            return data


def _after_s(given: str) -> float:
    """The seconds of a Retry-After, which is a number of them or a date; 0 where it is neither."""
    given = given.strip()
    if re.fullmatch(r"\d{1,9}", given):
        return min(AFTER_MAX_S, float(given))
    try:
        then = parsedate_to_datetime(given)
    except ValueError:
        return 0.0
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.UTC)
    return min(AFTER_MAX_S, max(0.0, (then - datetime.datetime.now(datetime.UTC)).total_seconds()))
