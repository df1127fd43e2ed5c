"""Writes `docs/capacity.md`: every sentence with a figure in it is made from the study."""

from pathlib import Path

from bench.capacity.arithmetic import figure
from bench.capacity.ceilings import exceeded, limits
from bench.capacity.spread import PRODUCTS, count_split, hottest, zipf
from bench.capacity.stock import expected_stranded
from bench.capacity.study import CELL_LANES, LOADS, RIDE_S, Scale, Study
from bench.capacity.table import (
    Rows,
    arithmetic_lines,
    ceiling_rows,
    ending_rows,
    input_rows,
    need_rows,
    ride_rows,
    token_rows,
)


def write_page(study: Study, pictures: dict[str, Path], path: Path) -> None:
    """Write the page and its links to the pictures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    links = {name: str(drawn.relative_to(path.parent)) for name, drawn in pictures.items()}
    path.write_text("\n\n".join(part.strip() for part in _parts(study, links) if part.strip()) + "\n", encoding="utf-8")


def _parts(study: Study, links: dict[str, str]) -> list[str]:
    rates = ", ".join(f"{scale.rate:,.0f}" for scale in study.scales)
    return [
        "# What would a larger sale need, and where would it break first?",
        f"Worked out for {rates} accepted orders per second; 583,000 is what Tmall reported as its peak of 11 "
        f"November 2020. CPU per order is from `make bench` ({study.measured_at}); bytes, memory and fsyncs were "
        "measured by `python -m bench.capacity`, which also wrote this page. Nothing here was run at these rates: it "
        "is arithmetic and simulation on the costs of one small machine, and every figure can be replaced by your own "
        "(last section). TLS, new connections and replicas of Valkey and Postgres are not counted.",
        "## In short",
        _first_of_all(study),
        "\n".join(f"- {_verdict(study, scale)}" for scale in study.scales),
        "Two things that these answers use are not built. A product has one lane today, so splitting it over lanes is "
        "the next step and not a setting. The outbox is read by the order worker itself, so the Kafka lines say what a "
        "relay would meet.",
        "## What does each rate need?",
        _table(need_rows(study)),
        "## Where does it break first?",
        "How many orders per second one of each thing carries, the lowest first. Of what is printed plainly, another "
        "one helps. What is **bold** is one by design: beyond it the design has to change.",
        _table(ceiling_rows(study)),
        *_tokens(study, links),
        *_rides(study, links),
        *_waiting(study),
        *_endings(study),
        "## The arithmetic",
        f"With the figures of {study.scales[-1].rate:,.0f} orders per second:",
        "```\n" + "\n".join(arithmetic_lines(study)) + "\n```",
        "## The figures",
        _table(input_rows(study)),
        "## With your own figures",
        "```\npython -m bench.capacity --rate 50000 --rate 250000 --set gateway_us=60 --set fsync_us=80\n```",
        "`--rate` replaces the rates, `--set` any figure of the table above by its name; `--publish` writes this page "
        "anew. Same figures, same page: the simulation has a fixed seed.",
    ]


def _first_of_all(study: Study) -> str:
    ceiling, carries = limits(study.inputs)[0]
    asks = study.inputs[2].asks_per_order
    return (
        f"With one of everything and {asks:g} requests for each order that is accepted, {ceiling.thing} ends first, at "
        f"{carries:,.0f} orders/s. What helps: {ceiling.then}. With enough of all that can be multiplied:"
    )


def _verdict(study: Study, scale: Scale) -> str:
    needs = scale.needs
    first = exceeded(study.inputs, scale.rate)
    text = (
        f"**{scale.rate:,.0f}/s**: {needs['gateways']:,.0f} gateway processes, {needs['lanes']:,.0f} "
        f"{_plural('lane', needs['lanes'])}, {needs['workers']:,.0f} {_plural('worker', needs['workers'])}, "
        f"{needs['postgres_cores']:,.0f} {_plural('core', needs['postgres_cores'])} of Postgres, "
        f"{needs['machines']:,.0f} machines. "
    )
    if not first:
        nearest, carries = next(pair for pair in limits(study.inputs) if pair[0].kind == "one")
        return text + f"The design holds; its nearest end is {nearest.thing}, at {carries:,.0f} orders/s."
    (ceiling, carries), *others = first
    text += (
        f"Breaks first: {ceiling.thing}, at {carries:,.0f} orders/s ({scale.rate / carries:.1f} times too much). "
        f"Then: {ceiling.then}."
    )
    if others:
        text += " After that: " + "; ".join(f"{other.thing} ({limit:,.0f}/s)" for other, limit in others) + "."
    return text


def _tokens(study: Study, links: dict[str, str]) -> list[str]:
    scale = study.scales[-1]
    parts = [
        "## Is a token bucket for each lane fair?",
        "Every lane gains its share of the rate and knows nothing of the others. A crowd of 1, 2 and 10 times the rate "
        "comes for ten seconds; who finds no token waits. Each cell: the tokens granted in these ten seconds against "
        "one bucket for all, then the wait of half the people and of 99 in 100. "
        f"There are {PRODUCTS:,} products, the n-th sells 1/n of the first; *fullest lane* is its demand over a fair "
        "share. The buckets are those of `lua/include/token_bucket.lua` to the last nano-token, which a test holds "
        "against `lua/admit.lua` on a real Valkey.",
        _table(token_rows(study)),
    ]
    if len(scale.tokens) > 1:
        by_product, split = scale.tokens[1], scale.tokens[2]
        one, worst = scale.tokens[0].entries[0], by_product.entries[0]
        lanes = len(by_product.shares)
        parts += [
            f"![Demand by lane](pictures/{Path(links['lanes']).name})",
            f"By product the fullest of {lanes} lanes has {hottest(by_product.shares):.1f} times its share, and at "
            f"just the rate {1 - worst.granted / one.granted:.0%} of the tokens are left lying in other lanes while "
            f"people wait up to {worst.wait_p99_s:.0f} s for that one. Splitting {count_split(lanes, zipf(PRODUCTS))} "
            f"products of {PRODUCTS:,} brings that to {1 - split.entries[0].granted / one.granted:.0%} and "
            f"{split.entries[0].wait_p99_s:.1f} s. The heavier the overload, the less it matters: at "
            "ten times the rate every lane is always asked for more than it has, and no token is left lying. Unfair it "
            "stays, because the wait is decided by the product.",
        ]
    return parts


def _rides(study: Study, links: dict[str, str]) -> list[str]:
    scale = study.scales[-1]
    trip = scale.rides[-1]
    parts = [
        "## Do batches still form with many processes and many lanes?",
        "Each process has one batch in flight for each lane. A lane takes all batches that have come, syncs its file "
        f"once and answers them: one turn. Simulated event by event for {RIDE_S:g} s and more, with arrivals at "
        f"{', '.join(f'{load:.0%}' for load in LOADS)} of the rate that the processes and lanes are made for. *A fast "
        f"disk* replaces the fsync of {study.inputs[1].fsync_us:,.0f} us measured here by one of "
        f"{study.inputs[2].fast_fsync_us:,.0f} us; *cells* are groups of processes that each serve {CELL_LANES} lanes.",
        _table(ride_rows(study)),
        f"![Batches and latency by load](pictures/{Path(links['batches']).name})",
        f"At {scale.rate:,.0f}/s each of {trip.plant.processes} processes spreads its orders over "
        f"{len(trip.plant.shares)} lanes, so a batch holds {trip.found.batch:.1f} orders and a turn "
        f"{trip.found.batches_per_turn:.0f} batches. A busy lane makes its clients wait and their batches grow, so it "
        f"slows down instead of falling over; the price is latency, p99 {trip.found.p99_ms:.0f} ms, and CPU: in such "
        f"batches an order costs a lane {_lane_us(study, trip.found.batch):.0f} us instead of the "
        f"{study.inputs[0].valkey_us:.0f} us that the lanes were counted with.",
    ]
    parts[-1] += (
        f" What a batch costs a lane beside its orders ({study.inputs[1].batch_us:,.0f} us) was measured with "
        "one client that wakes Valkey for each; among a hundred in one turn it is less, so these latencies are the "
        "upper end."
    )
    cells = [(name, found) for name, found in scale.others if name.endswith("cells")]
    for name, found in cells:
        parts[-1] += (
            f" In {name} a batch holds {found.found.batch:.1f} orders and the p99 is {found.found.p99_ms:.0f} ms: the "
            "load balancer has to choose the cell by product or buyer."
        )
    return parts


def _lane_us(study: Study, batch: float) -> float:
    """CPU of Valkey for one order in batches of this size."""
    costs = study.inputs[1]
    return costs.batch_us / batch + costs.batched_us + costs.settle_us


def _waiting(study: Study) -> list[str]:
    ask_every_s = study.inputs[2].ask_every_s
    asks = [
        f"{figure(scale.needs['waiting_people'] / 1e6)} million people after a peak of {scale.rate:,.0f} orders/s, "
        f"{scale.needs['waiting_gateways']:,.0f} gateway processes for their questions"
        for scale in study.scales
    ]
    return [
        "## And those who wait?",
        "The page itself comes from a CDN and costs nothing here. Its questions do: a gateway that has no room says "
        f"*ask again in a second* to everybody, however many they are, and a page that is looked at does so every "
        f"{ask_every_s:g} s (a hidden tab once a minute). If every refused request were a person who stays: "
        + "; ".join(asks)
        + ". So before a crowd of millions, either `GET /admission` has to say a time that grows with those who wait "
        "(people over tokens per second, which also tells them honestly how long it takes), or its answer has to be a "
        "small file that a CDN fetches once a second. Until then a page that asks less often is the only brake.",
    ]


def _endings(study: Study) -> list[str]:
    largest = study.endings[-1]
    return [
        "## What is left over when a split product ends?",
        "Each lane has an equal share of the stock, and buyers fall onto lanes by chance, one unit each. Units "
        "stranded in lanes that sold slowly, while other lanes say *sold out*:",
        _table(ending_rows(study)),
        "With exactly as many buyers as units it is sqrt(stock * (lanes - 1) / 2 pi) on average, so "
        f"{expected_stranded(largest.stock, largest.lanes) / largest.stock:.1%} of {largest.stock:,} units on "
        f"{largest.lanes} lanes, and more than a quarter of 100. Every stranded unit is a buyer who was turned away. "
        "It ends by itself once more buyers come, as long as there are many units for each lane. So: split only what "
        "is hotter than a lane, over as few lanes as carry it; and when a lane sells out, let the reaper move what the "
        "others have into one lane, in a cancel-like step of each (take units in one lane, add them to the other, "
        "with an entry in both outboxes, so that the books can prove it).",
    ]


def _table(rows: Rows) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    lines.extend("| " + " | ".join(row) + " |" for row in rows[1:])
    return "\n".join(lines)


def _plural(word: str, count: float) -> str:
    return word if count == 1 else word + "s"
