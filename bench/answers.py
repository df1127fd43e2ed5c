"""What an answer is to a run: the one that it is about, or another."""

from collections.abc import Iterable
from typing import Literal, Protocol

Wanted = Literal["accepted", "sold_out", "diverted"]
OK, SUCCESS = 200, b'"success"'
SOLD_OUT = (409,)
# To the waiting room, or told when to come back.
DIVERTED = (302, 429)


class Answered(Protocol):
    """Anything with the status of an answer; 0 is an unknown outcome."""

    @property
    def status(self) -> int:
        """As HTTP has it."""
        ...


def is_right(status: int, body: bytes, wanted: Wanted) -> bool:
    """Whether an answer is the one that a run is about."""
    if wanted == "accepted":
        return status == OK and SUCCESS in body
    return status in (SOLD_OUT if wanted == "sold_out" else DIVERTED)


def count_statuses(answers: Iterable[Answered]) -> dict[str, int]:
    """How many answers of each status came."""
    counts: dict[str, int] = {}
    for answer in answers:
        counts[str(answer.status)] = counts.get(str(answer.status), 0) + 1
    return dict(sorted(counts.items()))
