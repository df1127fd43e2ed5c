"""Which request goes wrong, and how."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fluxgate.sandbox.replies import ok
from fluxgate.sandbox.serving import Reply, Request

# Of one control document.
FAULTS_MAX = 50
HTML = b"<!DOCTYPE html><title>Maintenance</title><h1>We will be back soon.</h1>"
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Text = Annotated[str, Meta(max_length=200)]
Refuse = Callable[[int, str], Reply]
"""What an API answers with a status and a code; without a code, the usual one for the status."""


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What goes wrong with the requests that match. Of several, the first counts that is not used up."""

    # Method and path, where `*` stands for any letters: "POST /contract/orders", "GET /v1/*", "*".
    match: Text
    # error: answers `status`. hang: says nothing. drop: closes the connection unanswered. half: breaks off within the
    # answer. truncate: JSON that ends too early, in a response that is whole. html, junk, empty: 200, with a page, with
    # other JSON, with nothing. slow: nothing but `latency_ms`.
    do: Literal["error", "hang", "drop", "half", "truncate", "html", "junk", "empty", "slow"] = "error"
    status: Annotated[int, Meta(ge=300, le=599)] = 500
    # The code in the body; empty: what belongs to the status.
    code: Text = ""
    # Retry-After, in seconds, as a number or as a date; null: none.
    retry_after: Annotated[int, Meta(ge=0, le=86_400)] | None = None
    retry_after_as: Literal["seconds", "date"] = "seconds"
    # Whether what was asked for is done all the same.
    when: Literal["before", "after"] = "before"
    latency_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    # Requests that match and are let through before it begins; how many it then spoils, null: all of them.
    skip: Count = 0
    times: Annotated[int, Meta(ge=1, le=1_000_000)] | None = 1


class Faults:
    """The faults in force, and how often each has matched."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults
        self._matched = [0] * len(faults)

    def strike(self, request: Request) -> Fault | None:
        """The fault that this request meets, which is thereby used once."""
        asked = f"{request.method} {request.path}"
        for number, fault in enumerate(self._faults):
            if not fnmatchcase(asked, fault.match):
                continue
            before = self._matched[number] - fault.skip
            if fault.times is not None and before >= fault.times:
                continue
            self._matched[number] += 1
            if before >= 0:
                return fault
        return None


async def meet(faults: Faults, latency_ms: int, request: Request) -> Fault | None:
    """The fault that a request meets, after the time that every answer takes and that this fault adds."""
    fault = faults.strike(request)
    latency_ms += fault.latency_ms if fault else 0
    if latency_ms:
        await asyncio.sleep(latency_ms / 1000)
    return fault


async def answer(fault: Fault | None, right: Callable[[], Awaitable[Reply]], refuse: Refuse) -> Reply:
    """The answer, with whatever is to go wrong with it; the right one is made where the work is done all the same."""
    if fault is None:
        return await right()
    return _spoiled(fault, await right() if _does_the_work(fault) else Reply(0), refuse)


def _spoiled(fault: Fault, right: Reply, refuse: Refuse) -> Reply:
    """What is answered instead of the right answer, which is empty where the work was not done."""
    match fault.do:
        case "error":
            return _error(fault, refuse(fault.status, fault.code))
        case "hang":
            return Reply(0, sent="hang")
        case "drop":
            return Reply(0, sent="none")
        case "html":
            return Reply(200, HTML, content_type="text/html; charset=utf-8")
        case "junk":
            return ok({"hello": ["world"]})
        case "empty":
            return Reply(200)
        case "half":
            return right._replace(sent="half")
        case "truncate":
            return right._replace(body=right.body[: len(right.body) // 2])
        case "slow":
            return right


def _does_the_work(fault: Fault) -> bool:
    """Whether the right answer has to be made, because it is done all the same or a part of it is sent."""
    return fault.when == "after" or fault.do in ("half", "truncate", "slow")


def _error(fault: Fault, reply: Reply) -> Reply:
    if fault.retry_after is None:
        return reply
    is_date = fault.retry_after_as == "date"
    value = formatdate(time.time() + fault.retry_after, usegmt=True) if is_date else str(fault.retry_after)
    return reply._replace(headers=(("retry-after", value),))
