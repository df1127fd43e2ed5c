"""What a rate needs: the formulas on known figures, where the design ends, and where the figures come from."""

import math
import re
from pathlib import Path

import msgspec
import pytest

from bench.capacity.arithmetic import NEEDS, evaluate, figure, in_numbers, work_out
from bench.capacity.ceilings import CEILINGS, exceeded, limits
from bench.capacity.costs import fit_line
from bench.capacity.inputs import NAMES, Assumed, Costs, Cpu, Inputs, read_cpu, replace, values
from fluxgate.refusal import Refusal

COSTS = dict.fromkeys(Costs.__struct_fields__, 100.0)


def inputs(**given: float) -> Inputs:
    """Costs of 100 of everything, but for what is given."""
    cpu = Cpu(gateway_us=100, valkey_us=50, worker_us=40, postgres_us=20, refusal_us=10)
    return replace((cpu, Costs(**COSTS), Assumed(busy_max=0.5, asks_per_order=11)), given)


def report(path: Path, **parts: object) -> Path:
    path.write_bytes(msgspec.json.encode({"began": "today", "machine": {}, **parts}))
    return path


def run(subject: str, connections: int, **cpu_us: float) -> dict[str, object]:
    return {"subject": subject, "connections": connections, "cpu_us": cpu_us, "per_s": 1.0}


def ours(gateway: float, connections: int = 256) -> dict[str, object]:
    return run("ours", connections, gateway=gateway, valkey=40.0, worker=30.0, postgres=20.0)


def test_cores_are_rate_times_cpu_over_how_busy_they_may_be():
    needs = work_out(inputs(), 10_000)
    # 10,000 orders of 100 us and 100,000 refusals of 10 us are two cores, at half of one each four processes.
    assert needs["gateways"] == 4
    assert (needs["lanes"], needs["workers"], needs["postgres_cores"]) == (1, 1, 1)
    assert work_out(inputs(), 10_001)["gateways"] == 5


def test_bytes_are_rate_times_bytes_per_order():
    needs = work_out(inputs(header_bytes=300, packet_bytes=50), 10_000)
    assert needs["asked_mb_s"] == 10_000 * 11 * (100 + 300 + 100) / 1e6 == 55
    assert needs["answered_mb_s"] == 10_000 * (100 + 10 * 100 + 11 * 100) / 1e6 == 22
    assert (needs["aof_mb_s"], needs["wal_mb_s"], needs["admission_mb_s"]) == (2, 1, 2)


def test_memory_counts_live_records_and_what_waits():
    needs = work_out(inputs(record_s=60, peak_s=30), 100_000)
    assert needs["records_gb"] == pytest.approx(0.6)
    assert needs["backlog_gb"] == pytest.approx(0.3)
    assert needs["lane_gb"] == pytest.approx(0.9 / needs["lanes"])
    assert needs["backlog_s"] == 2


def test_whoever_is_refused_and_stays_asks_until_there_is_room():
    needs = work_out(inputs(peak_s=10, ask_every_s=2), 1_000)
    assert needs["waiting_people"] == 100_000
    # 50,000 questions of 10 us a second on cores that are half busy.
    assert needs["waiting_gateways"] == 1
    assert work_out(inputs(peak_s=10, ask_every_s=1), 1_000)["waiting_gateways"] == 2


def test_ten_times_the_rate_needs_ten_times_of_what_is_not_rounded():
    once, often = work_out(inputs(), 10_000), work_out(inputs(), 100_000)
    for name in ("wal_mb_s", "kafka_mb_s", "rows_gb", "rows_mb_s", "settling_mb_s"):
        assert often[name] == pytest.approx(10 * once[name])


def test_the_formula_that_is_shown_is_the_one_that_is_worked_out():
    known = values(inputs()) | work_out(inputs(), 12_000) | {"rate": 12_000.0}
    for formula in NEEDS:
        shown = re.sub(r"(?<=\d),(?=\d)", "", in_numbers(formula.text, known))
        assert not re.search(r"_", shown), "a name without a figure"
        # Shown figures are rounded, and a process more or less may come of it.
        assert evaluate(shown, {}) == pytest.approx(evaluate(formula.text, known), rel=0.05, abs=1)


def test_every_figure_says_its_unit_and_where_it_is_from():
    for name, said in NAMES.items():
        assert said.description, name
        assert (said.extra or {})["source"], name
    assert set(NAMES) == set(values(inputs()))


@pytest.mark.parametrize(
    ("value", "text"), [(583_000, "583,000"), (86.04, "86.0"), (0.6, "0.60"), (2, "2"), (1e6, "1,000,000")]
)
def test_a_figure_is_written_as_people_do(value: float, text: str):
    assert figure(value) == text


def test_the_lowest_end_of_the_design_below_the_rate_is_where_it_breaks_first():
    given = inputs()
    carried = [carries for _, carries in limits(given)]
    assert carried == sorted(carried)
    assert len(carried) == len(CEILINGS)
    first, carries = exceeded(given, 1e9)[0]
    # 50 us at half a core.
    assert (first.thing, carries) == ("a sale of one product, in its lane", 10_000)
    assert exceeded(given, 10_000) == []
    assert len(exceeded(given, 1e12)) == sum(ceiling.kind == "one" for ceiling in CEILINGS)


def test_cheaper_orders_move_the_end_away():
    cheap = exceeded(inputs(valkey_us=1), 1e9)[0]
    assert cheap[0].thing != "a sale of one product, in its lane"


def test_cpu_is_the_median_over_the_rounds_with_the_most_connections(tmp_path: Path):
    rounds = [ours(90), ours(80), ours(100), ours(500, connections=64)]
    cpu, measured_at = read_cpu(report(tmp_path / "report.json", limit=[*rounds, run("sold_out", 256, gateway=33.0)]))
    assert (cpu.gateway_us, cpu.valkey_us, cpu.refusal_us) == (90, 40, 33)
    assert "256 connections" in measured_at


def test_a_refusal_that_was_not_measured_costs_what_bare_granian_does_or_an_order(tmp_path: Path):
    bare = report(tmp_path / "bare.json", limit=[ours(90), run("bare", 256, gateway=25.0)])
    none = report(tmp_path / "none.json", limit=[ours(90)])
    assert read_cpu(bare)[0].refusal_us == 25
    assert read_cpu(none)[0].refusal_us == 90


@pytest.mark.parametrize("text", ["", "{}", '{"began": "today", "limit": []}', '{"began": 1}'])
def test_without_a_report_of_the_bench_it_says_what_to_run(tmp_path: Path, text: str):
    (tmp_path / "report.json").write_text(text)
    for path in (tmp_path / "report.json", tmp_path / "none.json"):
        with pytest.raises(Refusal, match="run `make bench` first"):
            read_cpu(path)


@pytest.mark.parametrize("given", [{"gateway": 1.0}, {"gateway_us": 0.0}, {"gateway_us": -1.0}, {"rate": math.nan}])
def test_a_figure_that_is_none_is_refused_with_the_names_of_all(given: dict[str, float]):
    with pytest.raises(Refusal, match="gateway_us"):
        replace(inputs(), given)


def test_a_line_through_exact_points_is_found_exactly():
    fixed, each = fit_line([(size, 80 + 12 * size) for size in (1, 4, 16, 256)])
    assert (fixed, each) == (pytest.approx(80), pytest.approx(12))


def test_a_cost_is_never_below_nothing():
    assert fit_line([(1, 10.0), (10, 90.0), (100, 1000.0)])[0] >= 0
    assert fit_line([(1, 100.0), (10, 90.0), (100, 10.0)])[1] == 0
