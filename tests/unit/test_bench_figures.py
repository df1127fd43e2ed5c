"""The figures of the bench: percentiles, medians, ratios within a round, and who comes when."""

import pytest

from bench.figures import best_limit, cost_ratio, cpu_medians, median, median_cost, rate_ratio
from bench.latency import latency, percentile
from bench.placement import place
from bench.plan import FULL, QUICK
from bench.report import Run
from bench.targets import drain, limit, scale


def run(subject: str, per_s: float, round_number: int = 0, connections: int = 64) -> Run:
    return Run(
        subject=subject,
        connections=connections,
        round=round_number,
        seconds=1.0,
        per_s=per_s,
        latency=latency([0.001]),
        wrong=0,
        statuses={"200": 1},
        cpu_us={"gateway": per_s / 100, "worker": 1.0},
        generator_us=20.0,
        generator_share=0.2,
    )


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.1, 100), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float):
    assert percentile(list(range(1, 101)), percent) == value


def test_one_slow_request_in_a_thousand_shows_at_the_right_place():
    times = latency([0.001] * 999 + [1.0])
    assert (times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms) == (1.0, 1.0, 1.0, 1000.0)


def test_nothing_measured_is_zero_and_no_fault():
    assert latency([]).p99_ms == 0
    assert median([]) == 0
    assert rate_ratio([], "ours", "bare", 64) == 0
    assert best_limit([]) == 0


def test_a_ratio_is_taken_within_its_round_so_that_a_slow_machine_does_not_shift_it():
    rounds = [run("ours", 5000), run("bare", 10_000), run("ours", 600, 1), run("bare", 1000, 1)]
    rounds += [run("ours", 5500, 2), run("bare", 10_000, 2)]
    assert rate_ratio(rounds, "ours", "bare", 64) == pytest.approx(0.55)
    assert rate_ratio(rounds, "ours", "bare", 256) == 0


def test_a_round_in_which_the_other_did_not_run_is_left_out():
    rounds = [run("ours", 5000), run("bare", 10_000), run("ours", 1, 1)]
    assert rate_ratio(rounds, "ours", "bare", 64) == 0.5


def test_cpu_is_the_median_of_the_rounds():
    rounds = [run("ours", 100), run("ours", 300, 1), run("ours", 200, 2)]
    assert cpu_medians(rounds, "ours", 64) == {"gateway": 2.0, "worker": 1.0}
    assert median_cost(rounds, "ours", 64) == 3.0
    assert median_cost(rounds, "ours", 64, ["worker"]) == 1.0


def test_a_cost_ratio_looks_at_the_processes_that_it_is_asked_about():
    rounds = [run("ours", 100), run("baseline", 300)]
    assert cost_ratio(rounds, "baseline", "ours", 64, ["gateway"]) == 3.0
    assert cost_ratio(rounds, "baseline", "ours", 64, ["worker"]) == 1.0


def test_the_limit_is_the_best_median_of_accepts():
    rounds = [run("ours", 100), run("ours", 900, connections=256), run("bare", 5000)]
    assert best_limit(rounds) == 900


def test_everybody_has_a_turn_in_every_round_and_begins_as_often_as_others():
    subjects = FULL.subjects
    rounds = [limit.turns(subjects, number) for number in range(len(subjects))]
    assert all(sorted(order) == sorted(subjects) for order in rounds)
    assert {order[0] for order in rounds} == set(subjects)
    # Nobody always follows the same one.
    assert len({order[order.index("ours") - 1] for order in rounds}) > 1


def test_every_plan_compares_ours_with_bare_granian_and_with_one_call_per_request():
    for plan in (FULL, QUICK):
        assert {"ours", "bare", "baseline"} <= set(plan.subjects)


def test_the_first_of_each_group_of_scale_is_the_plain_one():
    flat, wide = scale.flat_subjects(FULL), scale.wide_subjects(FULL)
    assert (flat[0].products, flat[0].records) == (1, 0)
    assert (wide[0].gateways, wide[0].lanes) == (1, 1)
    assert len({subject.name for subject in flat + wide}) == len(flat + wide)


def test_the_timeline_of_a_burst_tells_what_was_accepted_and_what_was_stored():
    points = drain.timeline([1.0, 2.0, 3.0], [(0.5, 0), (1.5, 0), (2.5, 1), (4.0, 3)])
    assert points == [(0.5, 1, 0), (1.5, 2, 1), (3.0, 3, 3)]
    assert drain.timeline([], [(1.0, 0)]) == []


def test_gateway_and_generator_never_share_a_cpu():
    assert place([0]).front == ()
    assert place([2, 5]).front == (2,)
    assert place([2, 5]).generator == place([2, 5]).back == (5,)
    assert place([0, 1, 2, 3]).back == (2, 3)
    assert place([0, 1], front=2).front == ()
    assert place([0, 1, 2], front=2).generator == (2,)
