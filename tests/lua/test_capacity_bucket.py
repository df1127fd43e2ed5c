"""The bucket of the capacity simulation against `admit.lua`: the same arrivals get the same grants."""

import random
from typing import Any

import pytest

import lua
from bench.capacity.bucket import Bucket
from bench.capacity.crowd import poisson
from lua import Status
from tests.lua.clocked import Clocked
from tests.lua.lane import WIDE, Lane, many

START_US = 1_795_000_000_000_000
STEPS, PEOPLE = 60, 6


@pytest.mark.parametrize("overload", [0.5, 1.0, 2.0, 10.0])
@pytest.mark.parametrize(("rate_per_s", "burst"), [(0.7, 1), (50, 50), (583_000 / 41, 20)])
async def test_the_simulated_bucket_grants_what_the_script_grants(
    redis: lua.Client, rate_per_s: float, burst: int, overload: float
) -> None:
    draw = random.Random(int(rate_per_s * overload))
    clocked: Any = Clocked(redis, START_US)
    lane = Lane(clocked, WIDE._replace(rate_per_s=rate_per_s, burst=burst))
    await lane.open(total=1_000_000)
    bucket = Bucket(rate_per_s, burst)
    granted = refused = 0
    for step in range(STEPS):
        wanted = poisson(draw, PEOPLE)
        if wanted:
            answers = await lane.admit(*many(wanted, f"step-{step}"))
            throttled = [detail for status, detail in answers if status == Status.THROTTLED]
            admitted = sum(status == Status.ACCEPTED for status, _ in answers)
            assert admitted + len(throttled) == wanted
            assert admitted == bucket.take(clocked.now_us, wanted)
            if throttled:
                assert throttled[-1] == bucket.wait_us(clocked.now_us)
            granted, refused = granted + admitted, refused + len(throttled)
        clocked.now_us += round(draw.expovariate(1.0) * PEOPLE / (rate_per_s * overload) * 1_000_000)
    assert granted
    assert refused or overload < 2
