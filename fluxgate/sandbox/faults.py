"""Which request goes wrong, and how."""

import time
from email.utils import formatdate
from fnmatch import fnmatchcase

from fluxgate.sandbox.control import Fault
from fluxgate.sandbox.replies import ok, refused
from fluxgate.sandbox.serving import Reply, Request

HTML = b"<!DOCTYPE html><title>Maintenance</title><h1>We will be back soon.</h1>"


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


def spoiled(fault: Fault, request: Request, right: Reply) -> Reply:
    """What is answered instead of the right answer, which is empty where the work was not done."""
    match fault.do:
        case "error":
            return _error(fault, request)
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


def does_the_work(fault: Fault) -> bool:
    """Whether the right answer has to be made, because it is done all the same or a part of it is sent."""
    return fault.when == "after" or fault.do in ("half", "truncate", "slow")


def _error(fault: Fault, request: Request) -> Reply:
    reply = refused(request.path, fault.status, "The sandbox was told to refuse this.", fault.code)
    if fault.retry_after is None:
        return reply
    is_date = fault.retry_after_as == "date"
    value = formatdate(time.time() + fault.retry_after, usegmt=True) if is_date else str(fault.retry_after)
    return reply._replace(headers=(("retry-after", value),))
