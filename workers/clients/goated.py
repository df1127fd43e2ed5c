"""What the workers know of Goated: its leaderboard, which comes in one piece, and what can go wrong."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol


class Member(NamedTuple):
    """A person on the leaderboard, with what was wagered in each period."""

    uid: str
    name: str
    today: Decimal
    this_week: Decimal
    this_month: Decimal
    all_time: Decimal


class Leaderboard(NamedTuple):
    """The leaderboard. `bad` says of the first entries that cannot be read why, `bad_count` how many there were;
    `shape` is the form that it came in, `size` its bytes, `digest` their SHA-256."""

    members: Sequence[Member]
    bad: Sequence[str]
    bad_count: int
    shape: str
    etag: str
    size: int
    digest: bytes


Kind = Literal["temporary", "authentication", "resource", "permanent"]


class GoatedFault(Exception):
    """Something that Goated has not done. The message is for people, and holds no secret.

    temporary       no answer, a failure of Goated's, or an answer that says not what it should: it passes
    authentication  it does not take our token, and gave no other
    resource        too many requests, by its count or by ours; `after_s` until one may be made
    permanent       it does not know what we ask for: to repeat it changes nothing
    """

    def __init__(self, kind: Kind, code: str, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.code = code
        self.message = message
        self.after_s = after_s


class Goated(Protocol):
    """The client. Everything raises GoatedFault."""

    async def fetch(self, etag: str) -> Leaderboard | None:
        """The leaderboard; None when it is still the one of this ETag."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
