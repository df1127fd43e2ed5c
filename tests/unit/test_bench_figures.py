"""The figures of the bench: percentiles, medians, ratios and the verdict on them."""

import pytest

from bench.figures import Closed, Report, cpu_medians, front_ratio, latency, median, percentile, ratio
from bench.placement import place
from bench.table import limit_rows, verdict


def closed(system: str, orders_per_s: float, round_number: int = 0) -> Closed:
    return Closed(
        system=system,
        connections=64,
        round=round_number,
        seconds=1.0,
        orders_per_s=orders_per_s,
        latency=latency([0.001]),
        statuses={"200": 1},
        cpu_us={"gateway": orders_per_s / 100},
        generator_us=20.0,
        generator_share=0.2,
    )


def report(*runs: Closed) -> Report:
    return Report(began="", machine={}, placement="", closed=list(runs))


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.1, 100), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float):
    assert percentile(list(range(1, 101)), percent) == value


def test_one_slow_request_in_a_thousand_shows_at_the_right_place():
    times = latency([0.001] * 999 + [1.0])
    assert (times.p50_ms, times.p99_ms, times.p999_ms, times.max_ms) == (1.0, 1.0, 1.0, 1000.0)


def test_nothing_measured_is_zero_and_no_fault():
    assert latency([]).p99_ms == 0
    assert median([]) == 0


def test_the_ratio_is_median_over_median():
    found = report(closed("ours", 9000), closed("ours", 100, 1), closed("ours", 9900, 2), closed("baseline", 3000))
    assert ratio(found, 64) == 3.0
    assert ratio(found, 256) == 0


def test_cpu_is_the_median_of_the_rounds():
    found = report(closed("ours", 100), closed("ours", 300, 1), closed("ours", 200, 2))
    assert cpu_medians(found, "ours", 64) == {"gateway": 2.0}


def test_the_front_ratio_is_what_an_order_costs_the_other_system():
    found = report(closed("ours", 100), closed("baseline", 300))
    assert front_ratio(found, 64) == 3.0
    assert front_ratio(report(), 64) == 0


def test_the_table_has_a_row_for_every_system():
    rows = limit_rows(report(closed("ours", 9000), closed("baseline", 3000)))
    assert [row[0] for row in rows] == ["system", "ours", "baseline"]
    assert rows[1][-1] == "3.00 times"
    assert {len(row) for row in rows} == {len(rows[0])}


def test_a_fault_of_the_books_is_the_verdict():
    found = report(closed("ours", 9000))
    assert verdict(found).startswith("The proof holds")
    found.reconciled.append("after the crowd: the books do not balance")
    assert verdict(found).startswith("THE PROOF FAILED")


def test_gateway_and_generator_never_share_a_cpu():
    assert place([0]).front == ()
    assert place([2, 5]).front == (2,)
    assert place([2, 5]).generator == place([2, 5]).back == (5,)
    assert place([0, 1, 2, 3]).back == (2, 3)
