"""What the load generator is asked to do, and what it hands back: plain data between two processes."""

from typing import Literal, NamedTuple

import msgspec

# The status of a row whose answer never came: the connection was cut or the time was up. The outcome is unknown.
UNKNOWN = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One bounded load on one product, or on several."""

    # closed: each connection sends its next request when its answer has come. open: requests leave at moments fixed
    # beforehand, whatever the answers do. idle: the moments of `open`, with nothing sent: the machine's own noise.
    kind: Literal["closed", "open", "idle"]
    # The URL of the gateway: http://127.0.0.1:<port>.
    url: str
    # What is ordered; with more `products` than one, the orders go to all of them in turn, by their numbers.
    product: str
    products: int = 1
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
    # The CPUs that the generator stays on; none: where it is.
    cpus: tuple[int, ...] = ()
    # Whether it goes before everything else on them.
    urgent: bool = False


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
    # Open model: how late the generator came to each order, in seconds; whether a connection was free then or not.
    late: list[float] = msgspec.field(default_factory=list[float])
    # Which priority the generator had.
    priority: str = ""
