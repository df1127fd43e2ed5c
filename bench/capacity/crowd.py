"""A crowd before the token buckets of the lanes: who gets in, how many tokens are left lying, how long people wait.

People arrive for ARRIVE_S seconds; who finds no token waits, and all that wait in a lane have the same chance at its
next tokens, because the waiting room has no line. Nobody gives up and nobody changes the lane. How often the page asks
comes on top of the waits.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from bench.capacity.bucket import SECOND_US, Bucket
from bench.capacity.spread import Shares

ARRIVE_S = 10
# One step; what arrives within it asks together.
STEP_US = 20_000
# Above this mean a Poisson count is drawn as a normal one: they differ by less than the picture could show.
NORMAL_FROM = 30.0
# So much of a waiting crowd survives a step in which everybody was admitted; its logarithm has to be a number.
NOBODY = math.exp(-60)


class Entry(NamedTuple):
    """What became of a crowd; waits in seconds, over everybody who came."""

    came: int
    # Admitted until the last had arrived, and by lane.
    granted: int
    by_lane: list[int]
    wait_p50_s: float
    wait_p99_s: float

    @property
    def unevenness(self) -> float:
        """The most that one lane granted over the least that another did."""
        return max(self.by_lane) / max(1, min(self.by_lane))


def let_in(rate_per_s: float, burst: int, shares: Shares, overload: float, seed: int) -> Entry:
    """Let a crowd of `overload` times the rate in by as many buckets as there are shares; each has its part of the
    rate and of the burst, as `Settings.lane_rate_per_s` and `lane_burst` have it."""
    draw = random.Random(seed)
    lanes = len(shares)
    came, granted, waits = 0, [0] * lanes, list[tuple[float, int]]()
    for lane, share in enumerate(shares):
        bucket = Bucket(rate_per_s / lanes, max(1, burst // lanes))
        arrived, admitted = _steps(draw, bucket, rate_per_s * overload * share)
        came += sum(arrived)
        granted[lane] = sum(admitted)
        waits += _waits(draw, arrived, admitted, rate_per_s / lanes)
    waits.sort()
    return Entry(came, sum(granted), granted, _share(waits, 0.5), _share(waits, 0.99))


def poisson(draw: random.Random, mean: float) -> int:
    """How many of very many independent people do a thing that `mean` of them do on average."""
    if mean > NORMAL_FROM:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    count, left, end = 0, draw.random(), math.exp(-mean)
    while left > end:
        count += 1
        left *= draw.random()
    return count


def _steps(draw: random.Random, bucket: Bucket, arrivals_per_s: float) -> tuple[list[int], list[int]]:
    """How many come in every step, and how many are admitted in it."""
    waiting = 0
    arrived: list[int] = []
    admitted: list[int] = []
    for now_us in range(0, ARRIVE_S * SECOND_US, STEP_US):
        arrived.append(poisson(draw, arrivals_per_s * STEP_US / SECOND_US))
        waiting += arrived[-1]
        admitted.append(bucket.take(now_us, waiting))
        waiting -= admitted[-1]
    return arrived, admitted


def _waits(
    draw: random.Random, arrived: Sequence[int], admitted: Sequence[int], rate_per_s: float
) -> list[tuple[float, int]]:
    """The wait in seconds of one person of every step, and for how many that person stands.

    Whoever waits is admitted in a step with the chance admitted / waiting. So the logarithms of the chances to stay add
    up, and the step that admits somebody is where the sum has fallen by the logarithm of one even random number. Those
    who are left when nobody comes any more are admitted evenly over the time that the bucket needs for them all.
    """
    waiting = 0
    stay: list[float] = []
    for come, go in zip(arrived, admitted, strict=True):
        waiting += come
        stay.append((stay[-1] if stay else 0.0) - math.log(max(NOBODY, 1 - go / waiting) if waiting else 1.0))
        waiting -= go
    rest_s = waiting / rate_per_s
    waits: list[tuple[float, int]] = []
    for step, people in enumerate(arrived):
        if not people:
            continue
        before = stay[step - 1] if step else 0.0
        admitting = bisect_left(stay, before - math.log(1 - draw.random()))
        left_s = (len(stay) - step) * STEP_US / SECOND_US + draw.random() * rest_s
        waits.append(((admitting - step) * STEP_US / SECOND_US if admitting < len(stay) else left_s, people))
    return waits


def _share(waits: Sequence[tuple[float, int]], share: float) -> float:
    """The shortest wait that this share of the people does not exceed; `waits` are in order."""
    left = share * sum(people for _, people in waits)
    for wait_s, people in waits:
        left -= people
        if left <= 0:
            return wait_s
    return waits[-1][0] if waits else 0.0
