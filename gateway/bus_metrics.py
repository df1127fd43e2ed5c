"""The metrics of the command bus and of the cache: what one gateway process counts, and what Redis holds for all."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily

import lua


class BusTally(msgspec.Struct, frozen=True):
    """The counts of one process: commands awaited now, by worker; commands refused, by worker and limit; reads of the
    cache by what was found, and fills."""

    awaited: dict[str, int] = {}
    refused: list[tuple[str, str, int]] = []
    reads: dict[str, int] = {}
    fills: int = 0


class Deferred(msgspec.Struct, frozen=True):
    """What waits in the outbox of Postgres for one worker, as the reaper tells it: rows that are due, and due later;
    how late the oldest is, in seconds; rows that have been tried before."""

    worker: str
    due: int
    later: int
    late_s: float
    again: int


_deferred = msgspec.json.Decoder(list[Deferred])


def tally_families(tallies: Mapping[str, BusTally]) -> list[Any]:
    """The counts of processes, by their names, as metric families."""
    awaited = _gauge("fluxgate_replies_awaited", "Requests that wait for a worker.", "worker", "process")
    refused = _counter(
        "fluxgate_commands_refused",
        "Commands refused because too many were awaited here, or waited for their worker.",
        *("worker", "limit", "process"),
    )
    reads = _counter("fluxgate_cache_reads", "Reads of the cache, by what was found.", "found", "process")
    fills = _counter("fluxgate_cache_fills", "Answers that were asked of a worker for the cache.", "process")
    for process, tally in tallies.items():
        for worker, count in tally.awaited.items():
            awaited.add_metric([worker, process], count)
        for worker, limit, count in tally.refused:
            refused.add_metric([worker, limit, process], count)
        for found, count in tally.reads.items():
            reads.add_metric([found, process], count)
        fills.add_metric([process], tally.fills)
    return [awaited, refused, reads, fills]


def queue_families(queues: Iterable[lua.Queue], handled: Iterable[lua.Handled]) -> list[Any]:
    """What waits for each worker, and what each has handled; the same from every process."""
    waiting = _gauge("fluxgate_commands_waiting", "Commands that wait for a worker or are at work.", "worker")
    oldest = _gauge("fluxgate_commands_oldest_seconds", "Age of the oldest command that waits or is at work.", "worker")
    dead = _gauge("fluxgate_commands_dead", "Commands that their worker could not handle.", "worker")
    for queue in queues:
        waiting.add_metric([queue.worker], queue.waiting)
        oldest.add_metric([queue.worker], queue.oldest_s)
        dead.add_metric([queue.worker], queue.dead)
    labels = ("worker", "kind", "status")
    commands = _counter("fluxgate_commands", "Commands handled, by status, or by what else became of them.", *labels)
    seconds = _counter("fluxgate_command_seconds", "Time that workers took for commands.", *labels)
    for own in handled:
        of = [own.worker, own.kind, own.status]
        commands.add_metric(of, own.times, exemplar=_exemplar(own))
        seconds.add_metric(of, own.seconds)
    return [waiting, oldest, dead, commands, seconds]


def _exemplar(own: lua.Handled) -> Exemplar | None:
    """The latest command of a count, by which its log lines are found; formats that know no exemplars leave it out."""
    if not own.trace_id:
        return None
    return Exemplar({"trace_id": own.trace_id, "request_id": own.request_id}, 1.0)


def deferred_families(told: bytes | None, workers: Iterable[str]) -> list[Any]:
    """What waits in the outbox; no figure at all when nobody has looked lately, for that is not the figure 0."""
    if told is None:
        return []
    waiting = _gauge("fluxgate_deferred_commands", "Commands in the outbox, due now and later.", "worker", "due")
    late = _gauge("fluxgate_deferred_late_seconds", "How late the oldest command in the outbox is.", "worker")
    again = _gauge("fluxgate_deferred_retries", "Commands in the outbox that have failed before.", "worker")
    rows = {row.worker: row for row in _deferred.decode(told)}
    for worker in workers:
        row = rows.get(worker) or Deferred(worker, 0, 0, 0.0, 0)
        waiting.add_metric([worker, "now"], row.due)
        waiting.add_metric([worker, "later"], row.later)
        late.add_metric([worker], row.late_s)
        again.add_metric([worker], row.again)
    return [waiting, late, again]


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)
