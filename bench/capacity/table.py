"""The study as rows of text: once for the terminal, once for Markdown. The first row is the header."""

from bench.capacity.arithmetic import NEEDS, figure, in_numbers
from bench.capacity.ceilings import limits
from bench.capacity.inputs import NAMES, values
from bench.capacity.spread import hottest
from bench.capacity.stock import expected_stranded
from bench.capacity.study import DEMANDS, OVERLOADS, Study, Trip

Rows = list[tuple[str, ...]]


def input_rows(study: Study) -> Rows:
    """Every figure that something is worked out from."""
    rows: Rows = [("name", "figure", "unit", "from", "what it is")]
    for name, value in values(study.inputs).items():
        said = NAMES[name]
        source = (said.extra or {})["source"]
        rows.append((name, figure(value), said.title or "", source, said.description or ""))
    return rows


def need_rows(study: Study) -> Rows:
    """What each rate needs."""
    rows: Rows = [("needed", "unit", *(f"{scale.rate:,.0f}/s" for scale in study.scales))]
    for formula in NEEDS:
        found = [figure(scale.needs[formula.name]) for scale in study.scales]
        rows.append((f"{formula.name}: {formula.says}", formula.unit, *found))
    return rows


def arithmetic_lines(study: Study) -> list[str]:
    """The formulas, and each with the figures of the highest rate."""
    scale = study.scales[-1]
    known = values(study.inputs) | scale.needs | {"rate": scale.rate}
    lines = [f"rate = {figure(scale.rate)}"]
    for formula in NEEDS:
        lines += [
            "",
            f"{formula.name} = {formula.text}",
            f"    = {in_numbers(formula.text, known)}",
            f"    = {figure(scale.needs[formula.name])} {formula.unit}",
        ]
    return lines


def ceiling_rows(study: Study) -> Rows:
    """How far one of each thing goes, the lowest first, and how many times each rate is beyond it."""
    rates = [scale.rate for scale in study.scales]
    rows: Rows = [("one of this", "orders/s", *(f"{rate:,.0f}/s is" for rate in rates), "formula", "then")]
    for ceiling, carries in limits(study.inputs):
        times = [f"{rate / carries:.1f} times" if rate > carries else "within" for rate in rates]
        thing = ceiling.thing if ceiling.kind == "more" else f"**{ceiling.thing}**"
        rows.append((thing, figure(carries), *times, f"`{ceiling.text}`", ceiling.then))
    return rows


def token_rows(study: Study) -> Rows:
    """The token bucket in lanes against one for all."""
    rows: Rows = [("orders/s", "lanes", "spread", "fullest lane", *(f"{times:g}x" for times in OVERLOADS))]
    for scale in study.scales:
        for tokens in scale.tokens:
            one = scale.tokens[0].entries
            found = [
                f"{entry.granted / whole.granted:.1%}, {_seconds(entry.wait_p50_s)}, {_seconds(entry.wait_p99_s)}"
                for entry, whole in zip(tokens.entries, one, strict=True)
            ]
            lanes = len(tokens.shares)
            rows.append((f"{scale.rate:,.0f}", str(lanes), tokens.spread, f"{hottest(tokens.shares):.2f}", *found))
    return rows


def ride_rows(study: Study) -> Rows:
    """Batches and latency at every load, and what makes them better."""
    rows: Rows = [
        (
            "made for",
            "offered",
            "processes",
            "lanes",
            "processes at a lane",
            "orders in a batch",
            "batches in a turn",
            "lane busy",
            "p50 ms",
            "p99 ms",
        )
    ]
    for scale in study.scales:
        rows += [_ride_row(scale.rate, "", trip) for trip in scale.rides]
        rows += [_ride_row(scale.rate, f", {name}", trip) for name, trip in scale.others]
    return rows


def ending_rows(study: Study) -> Rows:
    """What is stranded in slow lanes, by how many buyers came for each unit."""
    rows: Rows = [("stock", "lanes", "expected at 1x", *(f"{demand:g}x buyers" for demand in DEMANDS))]
    found: dict[tuple[int, int], list[str]] = {}
    for ending in study.endings:
        text = f"{ending.stranded:,} ({ending.stranded / ending.stock:.1%})"
        found.setdefault((ending.stock, ending.lanes), []).append(text)
    for (stock, lanes), stranded in found.items():
        rows.append((f"{stock:,}", str(lanes), f"{expected_stranded(stock, lanes):,.0f}", *stranded))
    return rows


def _ride_row(rate: float, name: str, trip: Trip) -> tuple[str, ...]:
    plant, found = trip.plant, trip.found
    return (
        f"{rate:,.0f}{name}",
        f"{trip.load:.0%}",
        str(plant.processes),
        str(len(plant.shares)),
        str(plant.processes // plant.cells),
        f"{found.batch:.1f}",
        f"{found.batches_per_turn:.1f}",
        f"{min(1.0, found.lane_busy):.0%}",
        f"{found.p50_ms:.1f}",
        f"{found.p99_ms:.1f}",
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if 0 < seconds < 9.95 else f"{seconds:.0f} s"
