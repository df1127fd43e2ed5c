"""The history of a sale: every request with its invocation and its outcome, one JSON object a line, by time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bench.history import Answer
from chaos.checker import NOT_SEEN, OK
from chaos.crowd import Crowd

Kind = Literal["ok", "refused", "unknown"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `sent` and `done` are seconds of a monotonic clock; `status` 0: no answer came."""

    request: Literal["order", "cancel"]
    # The idempotency key, or the id of the order to cancel.
    of: str
    sent: float
    done: float
    outcome: Kind
    status: int
    body: str


def write_history(crowd: Crowd, path: Path) -> None:
    """Write down everything that a crowd has asked and was told."""
    events = sorted(_events(crowd), key=lambda event: event.sent)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.Encoder().encode_lines(events))


def outcome_of(status: int) -> Kind:
    """What a status tells the client: it is done, it is refused, or nobody knows."""
    if status in NOT_SEEN:
        return "unknown"
    return "ok" if status == OK else "refused"


def _events(crowd: Crowd) -> Iterator[Event]:
    for outcome in crowd.outcomes:
        yield _event("order", outcome.order.key, Answer(*outcome[1:]))
    for order_id, answers in crowd.cancellings:
        for answer in answers:
            yield _event("cancel", order_id, answer)


def _event(request: Literal["order", "cancel"], of: str, answer: Answer) -> Event:
    return Event(
        request=request,
        of=of,
        sent=answer.sent,
        done=answer.done,
        outcome=outcome_of(answer.status),
        status=answer.status,
        body=answer.body.decode(errors="replace"),
    )
