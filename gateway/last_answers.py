"""The last answers that a gateway process has seen, for the time when Redis is away: old is better than nothing.

Only answers that are the same for everybody are kept. Whoever has changed his cart must never see the one of before,
and this process does not hear of invalidations: of a person's things it says nothing, rather than something wrong. A
price or a title may be as old as its `Age` tells. What Redis itself no longer has is forgotten at the next look.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

FAMILIES = ("affiliate", "catalog", "game", "home", "race")
"""What is the same for everybody."""
ENTRIES_MAX = 1_000
"""The pages that most people look at; whoever reads all others can wait for Redis."""
BYTES_MAX = 8 << 20
"""Of all answers together, in one gateway process."""
AGE_MAX_S = 600.0
"""Beyond ten minutes a price is more likely wrong than right, and an error is the better answer."""


class Cached(NamedTuple):
    """An answer, and the whole seconds since it was filled, for the header `Age`."""

    value: bytes
    age_s: int


class LastAnswers:
    """The answers by name, those first that were not seen for longest: they are the first to go."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Each with the time of the clock at which it was filled, in seconds.
        self._answers: dict[str, tuple[bytes, float]] = {}
        self.bytes = 0

    @property
    def names(self) -> list[str]:
        """What is kept, the first to go first."""
        return list(self._answers)

    def remember(self, name: str, value: bytes, age_s: float) -> None:
        """Keep an answer in place of the one of before, if it is one for everybody."""
        if name.partition(":")[0] not in FAMILIES:
            return
        self.forget(name)
        self._answers[name] = value, self._clock() - age_s
        self.bytes += len(value)
        while self.bytes > BYTES_MAX or len(self._answers) > ENTRIES_MAX:
            self.forget(next(iter(self._answers)))

    def forget(self, name: str) -> None:
        """Drop an answer."""
        value, _ = self._answers.pop(name, (b"", 0.0))
        self.bytes -= len(value)

    def recall(self, name: str) -> Cached | None:
        """The last answer, unless it is older than AGE_MAX_S."""
        value, filled_at = self._answers.get(name, (None, 0.0))
        age_s = self._clock() - filled_at
        return None if value is None or age_s > AGE_MAX_S else Cached(value, int(age_s))
