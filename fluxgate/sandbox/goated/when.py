"""Moments as the routes of the sandbox have them: RFC 3339 in UTC."""

from datetime import UTC, datetime

from fluxgate.sandbox.goated.clock import EARLIEST, LATEST
from fluxgate.sandbox.replies import Refused


def instant(at: int) -> str:
    """A moment of Unix time, in words."""
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def read_instant(said: str) -> int:
    """The Unix time of a moment in words. Raises Refused."""
    try:
        then = datetime.fromisoformat(said)
    except ValueError:
        raise Refused(400, "", "A moment is written as 2026-11-30T23:59:00Z.") from None
    return int((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp())


def require_reachable(at: int) -> int:
    """The same moment, if the clock can stand at it. Raises Refused."""
    if EARLIEST <= at <= LATEST:
        return at
    raise Refused(400, "", f"The clock can be from {instant(EARLIEST)} to {instant(LATEST)}.")
