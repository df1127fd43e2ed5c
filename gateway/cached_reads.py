"""Reads by way of the cache: what a worker says is kept under a name, and answered with its age."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from contract.bus import BusCommand, BusReply
from contract.errors import NotReady
from gateway.asking import command_of
from gateway.caching import Fill
from gateway.envelope import enveloped, success
from gateway.gate import Call
from gateway.identity import Caller
from gateway.replies import Replies
from gateway.replying import NO_STORE, Reply
from gateway.rsgi import Header

FILL_WITHIN_S = 5.0
"""How long a worker may take, whatever this client prefers: others may wait for the same answer."""

_NOBODY = Caller()


class Terms(NamedTuple):
    """How long an answer is fresh, how old it may be while a new one is fetched, and what caches of others may do."""

    fresh_s: float
    stale_s: float
    cache_control: Header = NO_STORE


def for_everybody(fresh_s: int, stale_s: int) -> Terms:
    """Terms of what is the same for all clients, so that browsers and proxies may keep it too."""
    return Terms(fresh_s, stale_s, ("cache-control", f"public, max-age={fresh_s}, stale-while-revalidate={stale_s}"))


class NotFilled(Exception):
    """The worker refused; that is answered, and not kept."""

    def __init__(self, answer: BusReply) -> None:
        super().__init__(answer.status)
        self.answer = answer


async def read_cached(
    call: Call, name: str, worker: str, kind: str, body: Any, terms: Terms, who: Caller = _NOBODY
) -> Reply:
    """The answer `name`, or what the worker says. Whatever the answer depends on stands in the name."""
    gate = call.gate
    fill = fill_from(gate.replies, worker, lambda: command_of(call, kind, body, who), gate.settings.ask_timeout_s)
    try:
        cached = await gate.cache.read(name, fill, fresh_s=terms.fresh_s, stale_s=terms.stale_s)
    except NotFilled as refused:
        return enveloped(call.request_id, refused.answer)
    except TimeoutError:
        raise NotReady(f"the worker {worker} does not answer") from None
    age: tuple[Header, ...] = (("age", str(cached.age_s)),) if cached.age_s else ()
    return success(msgspec.Raw(cached.value), terms.cache_control, *age)


def fill_from(replies: Replies, worker: str, command: Callable[[], BusCommand], within_s: float) -> Fill:
    """What fills an answer with what a worker says to a command. It raises NotFilled where the worker refuses, and
    NotReady where it does not answer within FILL_WITHIN_S, or `within_s` where that is less."""

    async def fill() -> bytes:
        answer = await replies.ask(worker, command(), min(FILL_WITHIN_S, within_s))
        if answer is None:
            raise NotReady(f"the worker {worker} does not answer")
        if answer.problem is not None:
            raise NotFilled(answer)
        return bytes(answer.data)

    return fill
