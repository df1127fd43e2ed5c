"""What a rate of accepted orders needs, as formulas. The text that is printed is the text that is worked out.

Names are those of `inputs.py`, `rate` (accepted orders per second), and the results of the lines above.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from bench.capacity.inputs import Inputs, values


class Formula(NamedTuple):
    """One line: the name of its result, the unit, the formula, and what it says."""

    name: str
    unit: str
    text: str
    says: str


NEEDS = (
    Formula(
        "gateways",
        "processes",
        "ceil(rate * (gateway_us + (asks_per_order - 1) * refusal_us) / 1e6 / busy_max)",
        "gateway processes, one core each: every order, and the refusals that come with it",
    ),
    Formula("lanes", "Redis nodes", "ceil(rate * valkey_us / 1e6 / busy_max)", "lanes, one core and one node each"),
    Formula("workers", "processes", "ceil(rate * worker_us / 1e6 / busy_max)", "order workers, one core each"),
    Formula("postgres_cores", "cores", "ceil(rate * postgres_us / 1e6 / busy_max)", "cores of Postgres"),
    Formula(
        "machines",
        "machines",
        "ceil((gateways + lanes + workers) / machine_cores) + ceil(postgres_cores / machine_cores)",
        "machines, Postgres apart",
    ),
    Formula(
        "asked_mb_s",
        "MB/s",
        "rate * asks_per_order * (request_bytes + header_bytes + 2 * packet_bytes) / 1e6",
        "network, buyers to gateways: a packet with the request, one that acknowledges",
    ),
    Formula(
        "answered_mb_s",
        "MB/s",
        "rate * (answer_bytes + (asks_per_order - 1) * refusal_bytes + asks_per_order * 2 * packet_bytes) / 1e6",
        "network, gateways to buyers",
    ),
    Formula(
        "network_cards",
        "cards",
        "ceil(max(asked_mb_s, answered_mb_s) / network_mb_s / busy_max)",
        "network cards for buyers",
    ),
    Formula("admission_mb_s", "MB/s", "rate * (admit_bytes + verdict_bytes) / 1e6", "network, gateways and lanes"),
    Formula("settling_mb_s", "MB/s", "rate * (take_bytes + settle_bytes) / 1e6", "network, lanes and workers"),
    Formula("rows_mb_s", "MB/s", "rate * (insert_bytes + returned_bytes) / 1e6", "network, workers and Postgres"),
    Formula("aof_mb_s", "MB/s", "rate * (admit_aof_bytes + settle_aof_bytes) / 1e6", "files of all lanes"),
    Formula("lane_aof_mb_s", "MB/s", "aof_mb_s / lanes", "file of one lane"),
    Formula(
        "lane_syncs",
        "per s",
        "min(rate / lanes, 1e6 / fsync_us)",
        "fsyncs of one lane: one for each turn, back to back at most",
    ),
    Formula("wal_mb_s", "MB/s", "rate * wal_bytes / 1e6", "log of Postgres"),
    Formula(
        "wal_worst_mb_s",
        "MB/s",
        "rate * (wal_bytes + page_bytes) / 1e6",
        "the same after a checkpoint, when the index of keys is large and each order touches another page of it",
    ),
    Formula("rows_gb", "GB", "rate * peak_s * row_bytes / 1e9", "table and indexes after the peak"),
    Formula("records_gb", "GB", "rate * record_s * record_bytes / 1e9", "memory of all lanes: live records"),
    Formula(
        "backlog_gb",
        "GB",
        "rate * peak_s * backlog_bytes / 1e9",
        "memory of all lanes if no worker ran for the whole peak",
    ),
    Formula("backlog_s", "s", "backlog_max / rate", "until FLUXGATE_BACKLOG_MAX is reached if no worker runs"),
    Formula("lane_gb", "GB", "(records_gb + backlog_gb) / lanes", "memory of one lane, both together"),
    Formula(
        "waiting_people",
        "people",
        "rate * (asks_per_order - 1) * peak_s",
        "in the waiting room after the peak, were every refused request a person who stays",
    ),
    Formula(
        "waiting_gateways",
        "processes",
        "ceil(waiting_people / ask_every_s * refusal_us / 1e6 / busy_max)",
        "gateway processes for what they ask, were it no dearer than a refusal and sent to gateways",
    ),
    Formula(
        "partitions",
        "partitions",
        "max(lanes, ceil(rate * take_bytes / 1e6 / partition_mb_s))",
        "Kafka, were the outbox relayed: a partition for each lane, more if their bytes need it",
    ),
    Formula("kafka_mb_s", "MB/s", "rate * take_bytes * replicas / 1e6", "Kafka, written over all its copies"),
)

FUNCTIONS = {"ceil": math.ceil, "max": max, "min": min}


def work_out(inputs: Inputs, rate: float) -> dict[str, float]:
    """The result of every line of NEEDS at this rate, by name."""
    known = values(inputs) | {"rate": rate}
    found: dict[str, float] = {}
    for formula in NEEDS:
        found[formula.name] = known[formula.name] = evaluate(formula.text, known)
    return found


def evaluate(text: str, known: Mapping[str, float]) -> float:
    """The value of a formula of ours."""
    return eval(text, {"__builtins__": {}}, FUNCTIONS | dict(known))


def in_numbers(text: str, known: Mapping[str, float]) -> str:
    """A formula with its figures in place of their names."""
    return re.sub(r"[a-z]\w*", lambda word: figure(known[word[0]]) if word[0] in known else word[0], text)


def figure(value: float) -> str:
    """A number as people write it: three digits that count, thousands apart."""
    if value >= 100 or value == round(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
