"""Where the design ends: how many orders per second one of each thing carries, and what helps beyond.

Some things end where another one of them helps (`more`). The others are one by design (`one`): beyond them the design
has to change, and the lowest of those that a rate exceeds is where it breaks first.
"""

from typing import Literal, NamedTuple

from bench.capacity.arithmetic import evaluate
from bench.capacity.inputs import Inputs, values


class Ceiling(NamedTuple):
    """A thing that carries so many orders per second, by its formula, and what to do beyond."""

    thing: str
    kind: Literal["more", "one"]
    text: str
    then: str


CEILINGS = (
    Ceiling(
        "a gateway process",
        "more",
        "1e6 * busy_max / (gateway_us + (asks_per_order - 1) * refusal_us)",
        "more processes: they share nothing. Refuse at the edge what can be refused there: the waiting room and the "
        "answer of `GET /admission` from a CDN, so that the crowd never reaches a gateway",
    ),
    Ceiling(
        "a lane",
        "more",
        "1e6 * busy_max / valkey_us",
        "more lanes, each on a core and a disk of its own; a Redis Cluster spreads them by their hash tag",
    ),
    Ceiling(
        "the worker of a lane",
        "more",
        "1e6 / (worker_us + postgres_us)",
        "nothing is lost: orders wait in the outbox until FLUXGATE_BACKLOG_MAX. More workers in the group of the lane, "
        "or more lanes",
    ),
    Ceiling(
        "the network card of a gateway machine",
        "more",
        "network_mb_s * busy_max * 1e6 / (asks_per_order * (request_bytes + header_bytes + 2 * packet_bytes))",
        "more machines behind the load balancer",
    ),
    Ceiling(
        "a sale of one product, in its lane",
        "one",
        "1e6 * busy_max / valkey_us",
        "split the product: a share of its stock in each lane, and the buyer's digest chooses the lane, so that a "
        "retry meets its own record",
    ),
    Ceiling(
        "a sale of one product, its row in Postgres",
        "one",
        "1e6 / (worker_us + postgres_us)",
        "each transaction locks the row of its sale, so orders of one product are written one batch after the other. "
        "Until the peak is over the outbox holds them; a row for each lane of a split product ends the queue",
    ),
    Ceiling(
        "the processes that a lane serves in one turn",
        "one",
        "turn_max_us / batch_us * 1e6 * busy_max / (gateway_us + (asks_per_order - 1) * refusal_us)",
        "with every process at every lane batches dissolve. Put processes into cells, each with its own lanes, and let "
        "the load balancer choose the cell by product or buyer",
    ),
    Ceiling(
        "the number of lanes",
        "one",
        "lanes_max * 1e6 * busy_max / valkey_us",
        "several installations side by side, each with its products; their order ids do not meet",
    ),
    Ceiling(
        "the CPU of one Postgres",
        "one",
        "machine_cores * 1e6 * busy_max / postgres_us",
        "one Postgres for each group of lanes: an order never needs the rows of another lane",
    ),
    Ceiling(
        "the log of one Postgres",
        "one",
        "disk_mb_s * 1e6 * busy_max / wal_bytes",
        "one Postgres for each group of lanes",
    ),
    Ceiling(
        "the log of one Postgres after a checkpoint",
        "one",
        "disk_mb_s * 1e6 * busy_max / (wal_bytes + page_bytes)",
        "partition `orders` by lane and day, so that the index of keys that is written to stays small and its pages "
        "are logged once for many orders; checkpoints further apart, `wal_compression`; then one Postgres for each "
        "group of lanes",
    ),
)


def limits(inputs: Inputs) -> list[tuple[Ceiling, float]]:
    """Every ceiling with its orders per second, the lowest first."""
    known = values(inputs)
    found = [(ceiling, evaluate(ceiling.text, known)) for ceiling in CEILINGS]
    return sorted(found, key=lambda pair: pair[1])


def exceeded(inputs: Inputs, rate: float) -> list[tuple[Ceiling, float]]:
    """The ends of the design that lie below a rate, in the order in which they are met."""
    return [pair for pair in limits(inputs) if pair[0].kind == "one" and pair[1] < rate]
