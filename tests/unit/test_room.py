"""The pacer of the waiting room: go-aheads come as fast as the bucket fills, never in a flood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import room
from gateway.room import Pacer


class Clock:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the pacer reads."""
    clock = Clock()
    monkeypatch.setattr(room, "time", clock)
    return clock


def test_what_the_bucket_holds_may_leave_together(clock: Clock) -> None:
    pacer = Pacer(8)
    # And one more: so that asks which come a little late cost the room no pace.
    assert [pacer.ask(3) == 0 for _ in range(6)] == [True, True, True, True, False, False]


def test_beyond_the_bucket_one_may_leave_per_interval(clock: Clock) -> None:
    pacer = Pacer(10)
    assert pacer.ask(1) == 0
    left = 0
    for _ in range(1_000):
        clock.now += 0.01
        left += pacer.ask(1) == 0
    # Ten seconds at ten per second, and one more.
    assert 99 <= left <= 101


def test_without_a_token_nobody_leaves(clock: Clock) -> None:
    pacer = Pacer(10)
    for _ in range(100):
        clock.now += 1
        assert pacer.ask(0) >= 0.1


def test_who_must_wait_is_told_at_least_the_interval(clock: Clock) -> None:
    pacer = Pacer(0.5)
    assert [pacer.ask(1) for _ in range(2)] == [0, 0]
    assert pacer.ask(1) >= 2


def test_a_pause_saves_up_no_more_than_the_bucket_holds(clock: Clock) -> None:
    pacer = Pacer(10)
    pacer.ask(1)
    clock.now += 3_600
    answers = [pacer.ask(5) for _ in range(20)]
    assert sum(answer == 0 for answer in answers) <= 6


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 20)), max_size=200), st.floats(0.01, 1_000))
def test_go_aheads_never_outrun_rate_and_bucket(asks: list[tuple[float, int]], rate: float) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "time", clock)
        pacer = Pacer(rate)
        went, begun = 0, clock.now
        for pause_s, tokens in asks:
            clock.now += pause_s
            answer = pacer.ask(tokens)
            assert answer == 0 or answer >= 1 / rate
            went += answer == 0
        # The bucket of this test never holds more than 20 tokens.
        assert went <= 21 + (clock.now - begun) * rate + 1e-6
