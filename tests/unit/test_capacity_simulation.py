"""The simulation of lanes: nothing is made or lost in it, it agrees with what can be worked out, and it repeats."""

import random
from pathlib import Path

import pytest

from bench.capacity.bucket import SECOND_US, Bucket
from bench.capacity.crowd import ARRIVE_S, let_in, poisson
from bench.capacity.page import write_page
from bench.capacity.pictures import draw_pictures
from bench.capacity.ride import Plant, ride
from bench.capacity.spread import by_buyer, by_product, hot_split, hottest, zipf
from bench.capacity.stock import expected_stranded, sell
from bench.capacity.study import study
from gateway.admission import BATCH_MAX
from tests.unit.test_capacity import inputs

SEED = 7
POPULARITY = zipf(1_000)


def plant(**given: object) -> Plant:
    usual = {"processes": 1, "shares": [1.0], "gateway_us": 50, "batch_us": 100, "order_us": 20, "fsync_us": 300}
    return Plant(**(usual | {"hop_us": 40} | given))  # type: ignore[arg-type]


def test_a_bucket_gives_its_capacity_at_once_and_its_rate_from_then_on():
    bucket = Bucket(50, 10)
    assert bucket.take(0, 100) == 10
    assert bucket.wait_us(0) == 20_000
    assert bucket.take(19_999, 1) == 0
    assert bucket.take(20_000, 5) == 1
    assert bucket.take(SECOND_US, 100) == 10


@pytest.mark.parametrize("spread", [by_buyer(8), by_product(8, POPULARITY), hot_split(8, POPULARITY)])
@pytest.mark.parametrize("overload", [0.5, 1.0, 2.0, 10.0])
def test_no_lane_grants_more_than_its_rate_and_burst_and_nobody_gets_two_tokens(spread: list[float], overload: float):
    rate, burst, lanes = 8_000, 4_000, 8
    entry = let_in(rate, burst, spread, overload, SEED)
    assert sum(entry.by_lane) == entry.granted <= entry.came
    assert all(granted <= rate / lanes * ARRIVE_S + burst // lanes for granted in entry.by_lane)


def test_a_crowd_that_is_always_too_large_leaves_no_token_lying():
    entry = let_in(8_000, 8_000, by_product(8, POPULARITY), 20, SEED)
    # But for those of the last step, which nobody has asked for yet.
    assert min(entry.by_lane) >= 1_000 * ARRIVE_S + 1_000 - 1_000 * 0.02 - 1


def test_below_the_rate_nobody_waits_and_above_it_people_wait_for_the_backlog():
    calm, full = let_in(1_000, 1_000, [1.0], 0.5, SEED), let_in(1_000, 100, [1.0], 3, SEED)
    assert (calm.granted, calm.wait_p99_s) == (calm.came, 0)
    # Three times as many as there are tokens for: the last is in after three times the time.
    assert 2 * ARRIVE_S < full.wait_p99_s <= 3 * ARRIVE_S
    assert full.wait_p50_s < full.wait_p99_s


def test_a_poisson_count_has_its_mean_below_and_above_where_it_is_drawn_as_a_normal_one():
    draw = random.Random(SEED)
    for mean in (0.0, 0.7, 12.0, 200.0):
        counts = [poisson(draw, mean) for _ in range(4_000)]
        assert sum(counts) / len(counts) == pytest.approx(mean, abs=0.06 * mean + 1e-9)


@pytest.mark.parametrize("lanes", [2, 7, 41, 64])
def test_every_spread_gives_everybody_a_lane_and_splitting_evens_it(lanes: int):
    spreads = by_buyer(lanes), hot_split(lanes, POPULARITY), by_product(lanes, POPULARITY)
    assert all(sum(shares) == pytest.approx(1) for shares in spreads)
    assert hottest(spreads[0]) == pytest.approx(1)
    assert hottest(spreads[1]) < hottest(spreads[2])


def test_one_order_takes_the_time_of_its_parts():
    alone = ride(plant(), 1.0, 50, SEED)
    assert alone.p50_ms == pytest.approx((50 + 40 + 300 + 100 + 20 + 40) / 1000)
    assert (alone.batch, alone.batches_per_turn) == (1, 1)


@pytest.mark.parametrize("cells", [1, 2, 4])
@pytest.mark.parametrize("rate", [1_000, 20_000, 200_000])
def test_every_order_is_answered_once_whatever_the_load(cells: int, rate: int):
    found = ride(plant(processes=4, shares=by_buyer(8), cells=cells), rate, 3_000, SEED)
    assert found.answered == 3_000
    assert 1 <= found.batch <= BATCH_MAX
    assert 1 <= found.batches_per_turn <= 4


def test_batches_grow_to_what_comes_in_one_turn():
    rate = 8_000
    found = ride(plant(fsync_us=2_000), rate, 30_000, SEED)
    # What comes while a batch is away: b = rate * (fixed + each * b).
    away_s, each_s = (2_000 + 100 + 2 * 40) / 1e6, 20 / 1e6
    assert found.batch == pytest.approx(rate * away_s / (1 - rate * each_s), rel=0.1)


def test_cells_make_batches_larger_and_latency_smaller():
    many = {"processes": 32, "shares": by_buyer(16)}
    all_to_all, cells = (ride(plant(**many, cells=cells), 150_000, 30_000, SEED) for cells in (1, 4))
    assert cells.batch > 1.2 * all_to_all.batch
    assert cells.p99_ms < 0.7 * all_to_all.p99_ms


@pytest.mark.parametrize("stock", [1, 10, 100, 9_999])
@pytest.mark.parametrize("lanes", [1, 4, 64])
@pytest.mark.parametrize("demand", [0.5, 1.0, 3.0])
def test_every_unit_is_sold_or_stranded_and_nobody_is_turned_away_for_more(stock: int, lanes: int, demand: float):
    ending = sell(stock, lanes, demand, SEED)
    assert ending.sold + ending.stranded == stock
    assert ending.sold <= ending.buyers
    assert ending.turned_away <= ending.stranded
    if lanes == 1:
        assert ending.sold == min(stock, ending.buyers)


def test_what_is_stranded_is_what_chance_strands():
    stranded = [sell(10_000, 16, 1.0, seed).stranded for seed in range(100)]
    assert sum(stranded) / len(stranded) == pytest.approx(expected_stranded(10_000, 16), rel=0.1)


@pytest.mark.slow
def test_the_same_figures_give_the_same_page_and_pictures(tmp_path: Path):
    written: list[list[bytes]] = []
    for name in ("first", "second"):
        found = study(inputs(), "256 connections, today", (12_000.0,), lambda _: None)
        drawn = draw_pictures(found, tmp_path / name / "pictures")
        write_page(found, drawn, tmp_path / name / "capacity.md")
        written.append([path.read_bytes() for path in (tmp_path / name / "capacity.md", *drawn.values())])
    assert written[0] == written[1]
    page = written[0][0].decode()
    assert "12,000/s" in page
    for path in drawn.values():
        assert f"pictures/{path.name}" in page
