"""`include/token_bucket.lua` against a model in whole numbers, over every corner of rate, capacity and clock."""

import asyncio
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.settings import Settings
from contract.transport import open_redis
from lua import scripts
from tests.support.servers import Servers

TOKEN = 1_000_000_000
SECOND_US = 1_000_000
NOW_US = 1_795_000_000_000_000
REFILLS = (1, 3, 7, 1_000, 50_000, 999_999_937, 1_000_000_000)
"""Nano-tokens per microsecond: 0.001 to 1,000,000 tokens per second."""
CAPACITIES = (1, 2, 50, 999_983, 1_000_000)

# A bucket that stands still between two asks, as admit.lua keeps it: charged or untouched.
DRIVER = """
local refill, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local level, at_us, answers = false, false, {}
for i = 3, #ARGV do
    local now_us = tonumber(ARGV[i])
    local stands = refilled(level, at_us, now_us, refill, capacity)
    local wait = wait_us(stands, refill)
    if wait == 0 then
        level, at_us = string.format('%.0f', stands - TOKEN), string.format('%.0f', now_us)
        stands = stands - TOKEN
    end
    answers[#answers + 1] = string.format('%.0f', wait)
    answers[#answers + 1] = string.format('%.0f', stands)
end
return answers
"""


class Model:
    """The same bucket, in numbers that have no limit."""

    def __init__(self, refill: int, capacity: int) -> None:
        self.refill, self.capacity = refill, capacity
        self.level, self.at_us = capacity, None

    def ask(self, now_us: int) -> tuple[int, int]:
        """Take a token if there is one; gives the wait for one and the level."""
        level = self.capacity
        if self.at_us is not None:
            level = min(self.capacity, self.level + max(0, now_us - self.at_us) * self.refill)
        wait_us = max(0, -((level - TOKEN) // self.refill))
        if wait_us == 0:
            level -= TOKEN
            self.level, self.at_us = level, now_us
        return wait_us, level


class Bucket:
    """Runs the include alone, with a clock of the test's own."""

    def __init__(self, servers: Servers) -> None:
        self._runner = asyncio.Runner()
        self._client: Any = open_redis(Settings(redis_url=servers.redis_url))
        self._text = (scripts.FOLDER / "include" / "token_bucket.lua").read_text() + DRIVER

    def ask(self, refill: int, capacity: int, times: list[int]) -> list[tuple[int, int]]:
        """The wait and the level at each of these times."""
        reply = self._runner.run(self._client.eval(self._text, 0, refill, capacity, *times))
        numbers = [int(value) for value in reply]
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


@pytest.fixture(scope="module")
def bucket(servers: Servers) -> Iterator[Bucket]:
    """One for the file."""
    opened = Bucket(servers)
    yield opened
    opened.close()


refills = st.one_of(st.sampled_from(REFILLS), st.integers(1, 1_000_000_000))
capacities = st.one_of(st.sampled_from(CAPACITIES), st.integers(1, 1_000_000)).map(lambda tokens: tokens * TOKEN)
steps = st.lists(
    st.one_of(
        st.just(0),
        st.integers(1, 100),
        st.integers(0, 3 * SECOND_US),
        st.integers(-10 * SECOND_US, 10 * SECOND_US),
        st.integers(0, 10**13),
    ),
    min_size=1,
    max_size=60,
)


def moments(steps_us: list[int]) -> list[int]:
    """The times of a clock that moves by these steps."""
    times = [NOW_US]
    for step in steps_us:
        times.append(max(1, times[-1] + step))
    return times


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(refills, capacities, steps)
def test_lua_and_model_agree_to_the_last_nano_token(
    bucket: Bucket, refill: int, capacity: int, steps_us: list[int]
) -> None:
    times = moments(steps_us)
    model = Model(refill, capacity)
    assert bucket.ask(refill, capacity, times) == [model.ask(now) for now in times]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(refills, capacities, steps)
def test_no_more_tokens_than_capacity_and_rate_allow(
    bucket: Bucket, refill: int, capacity: int, steps_us: list[int]
) -> None:
    times = moments(steps_us)
    taken = sum(wait == 0 for wait, _ in bucket.ask(refill, capacity, times))
    # A clock that goes back gives nothing; what it then walks again counts as time again.
    walked_us = sum(max(0, after - before) for before, after in itertools.pairwise(times))
    assert taken * TOKEN <= capacity + walked_us * refill


@pytest.mark.parametrize("tokens", [1, 2, 50])
@pytest.mark.parametrize("refill", REFILLS)
def test_the_wait_ends_with_the_first_microsecond_that_has_a_token(bucket: Bucket, refill: int, tokens: int) -> None:
    times = [NOW_US] * (tokens + 1)
    answers = bucket.ask(refill, tokens * TOKEN, times)
    assert [wait for wait, _ in answers[:-1]] == [0] * tokens
    wait_us = answers[-1][0]
    assert wait_us == -(-TOKEN // refill)
    early, due = bucket.ask(refill, tokens * TOKEN, [*times, NOW_US + wait_us - 1, NOW_US + wait_us])[-2:]
    assert (early[0], due[0]) == (1, 0)


@pytest.mark.parametrize(("refill", "every_us"), [(1, 999_983), (3, 250_007), (7, 77_777), (999, 13)])
def test_a_slow_rate_loses_no_fraction_however_often_it_is_asked(bucket: Bucket, refill: int, every_us: int) -> None:
    asks = 4_000
    times = [NOW_US + i * every_us for i in range(asks)]
    taken = sum(wait == 0 for wait, _ in bucket.ask(refill, 2 * TOKEN, times))
    gained = Fraction(times[-1] - NOW_US) * refill / TOKEN
    assert taken == 2 + int(gained)


def test_a_bucket_whose_capacity_was_lowered_holds_no_more_than_the_new_one(bucket: Bucket) -> None:
    text = "return {string.format('%.0f', refilled('9000000000', '5', 5, 1, 2000000000))}"
    include = (scripts.FOLDER / "include" / "token_bucket.lua").read_text()
    assert bucket._runner.run(bucket._client.eval(include + text, 0)) == [b"2000000000"]
