"""What the load generator is asked to do, and what it hands back: plain data between two processes."""

from typing import Literal, NamedTuple

import msgspec

# The status of a row whose answer never came: the connection was cut or the time was up. The outcome is unknown.
UNKNOWN = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One bounded load on one product."""

    # closed: each connection sends its next request when its answer has come. open: requests leave at moments fixed
    # beforehand, whatever the answers do. idle: the moments of `open`, with nothing sent: the machine's own noise.
    kind: Literal["closed", "open", "idle"]
    # The URL of the gateway: http://127.0.0.1:<port>.
    url: str
    product: str
    # Keeps the idempotency keys of runs and processes apart; below 2**32.
    run: int
    connections: int
    # Seconds before the window that is measured, and the seconds of that window.
    warm_s: float
    seconds: float
    # No more requests than this, whatever the time says.
    count_max: int
    # Requests per second of the open model.
    rate_per_s: float = 0.0
    # Open model: exponential gaps (as buyers come who do not know of each other), or equal ones.
    arrivals: Literal["poisson", "uniform"] = "poisson"
    seed: int = 1
    # The CPU that the generator stays on; -1: any.
    cpu: int = -1


class Row(NamedTuple):
    """One request. Times are seconds of the monotonic clock; latency is `done - due`."""

    number: int
    status: int
    due: float
    sent: float
    done: float
    body: bytes


class Record(msgspec.Struct):
    """Everything that happened in one load."""

    rows: list[Row]
    # The measured window, in seconds of the monotonic clock.
    begin: float
    end: float
    # CPU of the generator itself, in seconds, over the whole load.
    cpu_s: float
    # Connections that ended before their time.
    lost: int = 0
