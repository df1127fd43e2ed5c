"""The circuit breaker, on a clock that the test sets."""

from workers.clients.breaker import FAULTS_MAX, PAUSE_S, PROBE_S, Breaker


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(clock)
    for _ in range(FAULTS_MAX):
        assert breaker.admit() == 0
        breaker.fail()
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_and_says_for_how_long() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert (breaker.state, breaker.admit()) == ("open", PAUSE_S)
    clock.now += PAUSE_S - 1
    assert breaker.admit() == 1


def test_one_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(Clock())
    for _ in range(5 * FAULTS_MAX):
        for _ in range(FAULTS_MAX - 1):
            breaker.fail()
        breaker.succeed()
    assert (breaker.state, breaker.admit()) == ("closed", 0)


def test_after_the_pause_one_probe_is_let_through_and_no_other() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += PAUSE_S
    assert breaker.state == "half-open"
    assert [breaker.admit() for _ in range(3)] == [0, PROBE_S, PROBE_S]


def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += PAUSE_S
    breaker.admit()
    breaker.succeed()
    assert (breaker.state, breaker.admit()) == ("closed", 0)


def test_a_probe_that_fails_opens_it_for_another_pause() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += PAUSE_S
    breaker.admit()
    clock.now += 3
    breaker.fail()
    assert breaker.admit() == PAUSE_S


def test_a_probe_that_nobody_hears_of_again_makes_room_for_another() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += PAUSE_S
    breaker.admit()
    clock.now += PROBE_S
    assert breaker.admit() == 0
