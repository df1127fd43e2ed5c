"""The arithmetic of comparisons: medians over rounds, and ratios within one round."""

from collections.abc import Callable, Collection, Sequence

from bench.report import Run

# The roles that share the measured core.
FRONT = ("gateway", "valkey")
# Every role that takes part in an order.
ALL = (*FRONT, "worker", "postgres", "rest")


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle; 0 of none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def runs_of(runs: Sequence[Run], subject: str, connections: int) -> list[Run]:
    """The runs of one subject, by their rounds."""
    found = [run for run in runs if (run.subject, run.connections) == (subject, connections)]
    return sorted(found, key=lambda run: run.round)


def rates(runs: Sequence[Run], subject: str, connections: int) -> list[float]:
    """Right answers per second of every round."""
    return [run.per_s for run in runs_of(runs, subject, connections)]


def rate_ratio(runs: Sequence[Run], subject: str, over: str, connections: int) -> float:
    """How many times as many answers per second as another: the median of the ratios within a round; 0 of none.

    Within a round, because a machine that is shared is now fast and now slow, for both of them alike.
    """
    return _ratio(runs, subject, over, connections, lambda run: run.per_s)


def cost(run: Run, roles: Collection[str] = ALL) -> float:
    """CPU microseconds per right answer of some roles together."""
    return sum(used for role, used in run.cpu_us.items() if role in roles)


def median_cost(runs: Sequence[Run], subject: str, connections: int, roles: Collection[str] = ALL) -> float:
    """The median of what some roles cost together."""
    return median([cost(run, roles) for run in runs_of(runs, subject, connections)])


def cost_ratio(runs: Sequence[Run], subject: str, over: str, connections: int, roles: Collection[str] = ALL) -> float:
    """How many times as much CPU as another: the median of the ratios within a round; 0 of none."""
    return _ratio(runs, subject, over, connections, lambda run: cost(run, roles))


def cpu_medians(runs: Sequence[Run], subject: str, connections: int) -> dict[str, float]:
    """CPU microseconds per right answer by process, median over rounds."""
    found = runs_of(runs, subject, connections)
    roles = dict.fromkeys(role for run in found for role in run.cpu_us)
    return {role: median([run.cpu_us.get(role, 0.0) for run in found]) for role in roles}


def subjects(runs: Sequence[Run]) -> list[tuple[str, int]]:
    """Every subject with its number of connections, in the order in which they first ran."""
    return list(dict.fromkeys((run.subject, run.connections) for run in sorted(runs, key=lambda run: run.connections)))


def connections_of(runs: Sequence[Run]) -> list[int]:
    """The numbers of connections, rising."""
    return sorted({run.connections for run in runs})


def best_limit(runs: Sequence[Run]) -> float:
    """The highest median of accepted orders per second, over the numbers of connections."""
    return max((median(rates(runs, "ours", connections)) for connections in connections_of(runs)), default=0.0)


def _ratio(runs: Sequence[Run], subject: str, over: str, connections: int, figure: Callable[[Run], float]) -> float:
    others = {run.round: figure(run) for run in runs_of(runs, over, connections)}
    pairs = [(figure(run), others.get(run.round, 0.0)) for run in runs_of(runs, subject, connections)]
    return median([own / other for own, other in pairs if other])
