"""What the dashboard of Grafana shows: rows of panels, each with its question, its unit and its expressions.

Counts of one gateway process are summed; what every gateway tells alike, because Redis holds it, is taken once (`max`).
"""

from typing import NamedTuple

RATE = "[$__rate_interval]"


class Panel(NamedTuple):
    """One panel. `queries` are pairs of an expression and its legend; `worst` is the figure from which it is red."""

    title: str
    unit: str
    description: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "timeseries"
    worst: float | None = None


class Row(NamedTuple):
    """A row, and the question that it answers."""

    title: str
    question: str
    panels: tuple[Panel, ...]


def once(name: str, by: str = "") -> str:
    """How fast a count grows that every gateway tells alike."""
    rate = f"max without (instance) (rate({name}{RATE}))"
    return f"sum by ({by}) ({rate})" if by else f"sum({rate})"


def share(part: str, whole: str) -> str:
    """A share; nothing where there is nothing to have a share of."""
    return f"{part} / ({whole} > 0)"


def quantiles(name: str, matching: str = "", by: str = "") -> tuple[tuple[str, str], ...]:
    """The latencies that half, 99 % and 99.9 % stay below."""
    grouped = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    buckets = f"sum by ({grouped}) (rate({name}_bucket{matching}{RATE}))"
    return tuple((f"histogram_quantile({q}, {buckets})", f"{legend}p{100 * q:g}") for q in (0.5, 0.99, 0.999))


def _stat(title: str, description: str, expression: str) -> Panel:
    """A figure that has to be 0."""
    return Panel(title, "short", description, ((expression, title),), "stat", 1)


_ORDER = '{route="/order"}'
_HTTP = "fluxgate_http_requests_total"
SALE = Row(
    "The sale",
    "Does it sell, how much is left, does the worker keep up, and is every unit in exactly one place?",
    (
        _stat(
            "Books that do not balance",
            "Sales of which a unit is nowhere or in two places, by the latest proof. Empty: nobody has proven them.",
            "max(fluxgate_reconcile_unbalanced_sales)",
        ),
        _stat("Units lost", "By the latest proof.", "max(fluxgate_reconcile_lost_units)"),
        _stat("Units sold twice", "By the latest proof.", "max(fluxgate_reconcile_duplicated_units)"),
        _stat("Units oversold", "By the latest proof.", "max(fluxgate_reconcile_oversold_units)"),
        _stat("Dead letters", "Orders that no worker could handle.", "max(fluxgate_dead_letters)"),
        Panel(
            "Decisions",
            "reqps",
            "Orders by what was decided, per second. Diverted are sent to the waiting room, sold out are refused.",
            tuple(
                (once(f"fluxgate_orders_{name}_total"), name.replace("_", " "))
                for name in ("accepted", "diverted", "sold_out", "replayed", "cancelled")
            ),
        ),
        Panel(
            "Stock left",
            "short",
            "Units left of the twenty products that have the most.",
            (("topk(20, max by (product) (fluxgate_stock_left))", "{{product}}"),),
        ),
        Panel(
            "Rows of orders",
            "reqps",
            "Accepted orders that have become rows of Postgres, per second, and those that hit a fence there.",
            tuple((once(f"fluxgate_orders_{name}_total"), name) for name in ("persisted", "failed")),
        ),
        Panel(
            "Backlog",
            "short",
            "Accepted orders that are no rows yet. At FLUXGATE_BACKLOG_MAX new orders get 503.",
            (("max(fluxgate_outbox_backlog)", "orders"),),
            worst=20_000,
        ),
        Panel(
            "Oldest order that waits",
            "s",
            "How long the oldest accepted order has been no row.",
            (("max(fluxgate_outbox_oldest_seconds)", "age"),),
            worst=30,
        ),
    ),
)
REQUESTS = Row(
    "Requests",
    "How much is asked of which endpoint, how fast is it answered, and what goes wrong?",
    (
        Panel(
            "Time to decide an order",
            "s",
            "POST /order: what half of the buyers, 99 % and 99.9 % of them wait for at most.",
            quantiles("fluxgate_http_request_duration_seconds", _ORDER),
        ),
        Panel(
            "Slowest endpoints",
            "s",
            "The ten endpoints whose slowest 1 % takes longest.",
            (
                (
                    "topk(10, histogram_quantile(0.99, sum by (le, route)"
                    f" (rate(fluxgate_http_request_duration_seconds_bucket{RATE}))))",
                    "{{route}}",
                ),
            ),
        ),
        Panel(
            "Requests by endpoint",
            "reqps",
            "The fifteen endpoints that are asked most.",
            ((f"topk(15, sum by (route) (rate({_HTTP}{RATE})))", "{{route}}"),),
        ),
        Panel(
            "Answers by status",
            "reqps",
            "All endpoints together.",
            ((f"sum by (status) (rate({_HTTP}{RATE}))", "{{status}}"),),
        ),
        Panel(
            "Errors by endpoint",
            "percentunit",
            "The share of answers 5xx, by endpoint: 503 is a part that is away, 500 is a bug of ours.",
            (
                (
                    share(
                        f'sum by (route) (rate({_HTTP}{{status=~"5.."}}{RATE}))',
                        f"sum by (route) (rate({_HTTP}{RATE}))",
                    ),
                    "{{route}}",
                ),
            ),
            worst=0.01,
        ),
    ),
)
BUS = Row(
    "Workers",
    "Does each worker take its commands in time, and what does it answer?",
    (
        Panel(
            "Commands that wait",
            "short",
            "Commands that wait for a worker or are at work.",
            (("max by (worker) (fluxgate_commands_waiting)", "{{worker}}"),),
        ),
        Panel(
            "Oldest command",
            "s",
            "Beyond half a minute the worker does not keep up, or does not run.",
            (("max by (worker) (fluxgate_commands_oldest_seconds)", "{{worker}}"),),
            worst=30,
        ),
        Panel(
            "Commands handled",
            "ops",
            "By worker and status; words that are no status say what else became of them.",
            ((once("fluxgate_commands_total", "worker, status"), "{{worker}} {{status}}"),),
        ),
        Panel(
            "Time of a command",
            "s",
            "The mean, by worker and kind.",
            (
                (
                    share(
                        once("fluxgate_command_seconds_total", "worker, kind"),
                        once("fluxgate_commands_total", "worker, kind"),
                    ),
                    "{{worker}} {{kind}}",
                ),
            ),
        ),
        Panel(
            "Requests that wait for a reply",
            "short",
            "By worker, over all gateway processes.",
            (("sum by (worker) (fluxgate_replies_awaited)", "{{worker}}"),),
        ),
        Panel(
            "Commands refused",
            "ops",
            "Answered with 503, because too many were awaited here or waited for the worker.",
            ((f"sum by (worker, limit) (rate(fluxgate_commands_refused_total{RATE}))", "{{worker}} {{limit}}"),),
        ),
        Panel(
            "Dead commands",
            "short",
            "Commands that their worker could not handle.",
            (("max by (worker) (fluxgate_commands_dead)", "{{worker}}"),),
            worst=1,
        ),
    ),
)
