"""The verdict of the bench: what was reached, what was missed, and what was not measured at all."""

import msgspec
import pytest

from bench.latency import Latency, latency
from bench.page import page
from bench.proof import Proof
from bench.proof_table import proof_rows, verdict
from bench.report import Drain, Open, Report, Run, Scale
from bench.sections import sections
from bench.table import cpu_rows, limit_rows
from bench.verdict import Finding, findings, needed_cores

PROVEN = Proof(product="phone", stock=9, requests=9, accepted=9, stored=9, unknown=0, oversold=0, lost=0, duplicated=0)
LOST = msgspec.structs.replace(PROVEN, lost=1, faults=("accepted, but not in Postgres: 1",))


def run(subject: str, per_s: float, *, gateway: float = 40.0, connections: int = 256, **more: object) -> Run:
    plain = Run(
        subject=subject,
        connections=connections,
        round=0,
        seconds=1.0,
        per_s=per_s,
        latency=latency([0.001]),
        wrong=0,
        statuses={"200": 1},
        cpu_us={"gateway": gateway, "valkey": 20.0, "worker": 20.0, "postgres": 10.0, "rest": 1.0},
        generator_us=20.0,
        generator_share=0.2,
        proof=PROVEN,
    )
    return msgspec.structs.replace(plain, **more)


def opened(accepted: float, refused: float, *, accepts: Latency | None = None, **more: object) -> Open:
    times = accepts or latency([0.001])
    plain = Open(
        offered_per_s=20_000.0,
        arrivals="poisson",
        share=2.0,
        round=0,
        seconds=1.0,
        connections=256,
        bucket_per_s=10_000.0,
        accepted_per_s=accepted,
        refused_per_s=refused,
        accepts=times,
        refusals=times,
        accepts_sent=times,
        refusals_sent=times,
        late=latency([0.0001]),
        generator_share=0.5,
        priority="ordinary priority",
        statuses={},
        proof=PROVEN,
    )
    return msgspec.structs.replace(plain, **more)


def report(**more: object) -> Report:
    return msgspec.structs.replace(Report(began="", machine={"CPU": "one"}, placement="Nothing was pinned."), **more)


def of(found: Report, target: str, words: str) -> Finding:
    (finding,) = (finding for finding in findings(found) if finding.target.startswith(target) and words in finding.aim)
    return finding


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert {finding.met for finding in findings(report())} == {None}
    assert {finding.target[0] for finding in findings(report())} == set("123456")


@pytest.mark.parametrize(("per_s", "met"), [(5500.0, True), (5400.0, False)])
def test_accepts_are_held_against_bare_granian(per_s: float, met: bool):
    found = report(limit=[run("ours", per_s), run("bare", 10_000.0)])
    assert of(found, "1", "bare Granian at 256").met is met
    assert of(found, "1", "bare Granian at 64").met is None


def test_the_front_is_gateway_and_valkey_and_nothing_else():
    assert of(report(limit=[run("ours", 1.0, gateway=45.0)]), "1", "us of CPU").met is True
    assert of(report(limit=[run("ours", 1.0, gateway=45.1)]), "1", "us of CPU").met is False


def test_refusals_that_are_something_else_do_not_count_as_refusals():
    fast = [run("sold_out", 9500.0), run("bare", 10_000.0)]
    assert of(report(limit=fast), "2", "sold out, 256").met is True
    fast[0] = msgspec.structs.replace(fast[0], wrong=3)
    finding = of(report(limit=fast), "2", "sold out, 256")
    assert finding.met is False
    assert "3 other answers" in finding.measured


def test_a_round_trip_for_every_batch_is_a_round_trip():
    assert of(report(limit=[run("sold_out", 1.0, redis_commands=0.002)]), "2", "trip, sold out").met is True
    assert of(report(limit=[run("sold_out", 1.0, redis_commands=0.04)]), "2", "trip, sold out").met is False
    # None at all is the best of results, and not a missing one.
    assert of(report(limit=[run("sold_out", 1.0)]), "2", "trip, sold out").met is True
    assert of(report(limit=[run("ours", 1.0)]), "2", "trip, sold out").met is None


def test_the_cost_is_held_against_the_first_version_at_the_same_number_of_connections():
    assert of(report(limit=[run("ours", 1.0, gateway=40.0)]), "3", "CPU, all processes, 256").met is True
    assert of(report(limit=[run("ours", 1.0, gateway=41.0)]), "3", "CPU, all processes, 256").met is False
    assert of(report(limit=[run("ours", 1.0, gateway=76.0, connections=64)]), "3", "processes, 64").met is True


def test_latency_is_what_lies_over_the_noise_of_the_same_round():
    slow, noise = latency([0.030]), latency([0.021])
    assert of(report(half=[opened(1, 0, accepts=slow)], idle=[noise]), "4", "p99 of").met is True
    quiet = report(half=[opened(1, 0, accepts=slow)], idle=[latency([0.001])])
    assert of(quiet, "4", "p99 of").met is False
    assert of(quiet, "4", "p99.9").met is False


def test_overload_must_keep_the_accepts_and_answer_the_others_soon():
    fine = report(overload=[opened(9000, 8000)])
    assert (of(fine, "4", "keep").met, of(fine, "4", "refusals").met) == (True, True)
    assert of(report(overload=[opened(8900, 8000)]), "4", "keep").met is False
    assert of(report(overload=[opened(9000, 0, accepts=latency([0.051]))]), "4", "refusals").met is False


def test_a_round_without_refusals_is_no_proof_that_they_are_fast():
    silent = opened(9000, 0, refusals=latency([]))
    assert of(report(overload=[silent]), "4", "refusals").met is None
    slow = opened(9000, 1, refusals=latency([0.051]))
    assert of(report(overload=[silent, silent, slow]), "4", "refusals").met is False


def test_what_overload_asks_of_the_core_is_worked_out_from_what_answers_cost():
    runs = [run("ours", 1.0, gateway=45.0), run("empty_bucket", 1.0, gateway=20.0)]
    # 9,000 accepts at 65 us and 11,000 refusals at 40 us.
    assert needed_cores(report(limit=runs, overload=[opened(1, 1)])) == pytest.approx(1.025)
    assert needed_cores(report(limit=runs)) == 0


def test_where_an_accept_spends_its_time_is_told_from_what_was_measured():
    runs = [run("bare", 1.0, gateway=35.0), run("ours", 1.0, gateway=60.0)]
    said = next(section.says for section in sections(report(limit=runs)) if section.name == "cpu")
    assert "Of the 80 us" in said
    assert "35 are what bare Granian takes" in said
    assert "20 are Valkey's" in said
    assert "25 are Python's" in said
    assert "would leave 15 us" in said


def test_a_drain_is_judged_by_its_seconds_and_by_its_cores():
    drain = Drain(
        round=0, orders=100_000, burst_s=8.0, drain_s=5.1, backlog=9, cpu_us={"gateway": 30.0, "worker": 20.0},
        timeline=[(0.0, 1, 0), (9.0, 9, 9)], proof=PROVEN,
    )  # fmt: skip
    assert of(report(drains=[drain]), "5", "burst of 100,000").met is False
    assert of(report(drains=[drain]), "5", "core").met is True
    at_once = msgspec.structs.replace(drain, drain_s=0.0)
    assert of(report(drains=[at_once]), "5", "burst").met is True


def test_cost_at_scale_is_held_against_the_plain_one():
    runs = [
        run("1 product", 1.0, gateway=49.0),
        run("9 products", 1.0, gateway=58.0),
        run("9 records", 1.0, gateway=60.0),
    ]
    found = report(scale=Scale(flat=["1 product", "9 products", "9 records"], runs=runs))
    assert of(found, "6", "9 products").met is True
    assert of(found, "6", "9 records").met is False


def test_a_fault_of_the_books_is_the_verdict():
    found = report(limit=[run("ours", 9000.0)])
    assert verdict(found).startswith("The proof holds")
    assert verdict(msgspec.structs.replace(found, reconciled=["the books do not balance"])).startswith(
        "THE PROOF FAILED"
    )
    assert verdict(report(limit=[run("ours", 9000.0, proof=LOST)])).startswith("THE PROOF FAILED")


def test_an_order_that_an_earlier_version_lost_is_told_and_is_no_fault_of_this_one():
    found = report(limit=[run("base", 9000.0, proof=LOST)])
    assert found.faults == []
    assert proof_rows(found)[1][-1] == "1"


def test_every_table_is_as_wide_as_its_head_and_stands_on_the_page():
    runs = [run("ours", 9000.0), run("bare", 20_000.0, proof=None), run("baseline", 3000.0), run("sold_out", 1.0)]
    found = report(
        limit=runs, half=[opened(1, 0)], idle=[latency([0.001])], curve=[opened(1, 0)], overload=[opened(1, 1)]
    )
    assert {len({len(row) for row in section.rows}) for section in sections(found)} == {1}
    text = page(found, {"load": "pictures/bench-load.svg"})
    assert all(f"## {section.title}" in text and section.says in text for section in sections(found))
    assert "![Throughput and latency against offered load](pictures/bench-load.svg)" in text


def test_the_tables_hold_us_against_the_others():
    found = report(limit=[run("ours", 9000.0), run("bare", 18_000.0), run("baseline", 3000.0, gateway=160.0)])
    ours = next(row for row in limit_rows(found) if row[0] == "Flux-Gate")
    assert ours[-3:] == ("0.50", "3.00", "")
    other = next(row for row in cpu_rows(found) if row[0] == "one call per request")
    assert "3.00" in other


def test_a_generator_that_was_late_is_named():
    late = opened(1, 0, late=latency([0.004]))
    (section,) = (section for section in sections(report(curve=[late])) if section.name == "curve")
    assert "LATE" in section.rows[1][-2]
    assert "the generator itself was late" in section.says
