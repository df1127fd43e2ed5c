"""The last answers that a gateway process keeps: bounded in number, bytes and age, and nobody's own things."""

import pytest

from gateway import last_answers
from gateway.last_answers import AGE_MAX_S, Cached, LastAnswers


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def last(clock: Clock) -> LastAnswers:
    return LastAnswers(clock)


def test_an_answer_grows_old_until_it_is_none(last: LastAnswers, clock: Clock) -> None:
    last.remember("game:halo", b"a game", 2.5)
    assert last.recall("game:halo") == Cached(b"a game", 2)
    clock.now += 10
    assert last.recall("game:halo") == Cached(b"a game", 12)
    clock.now += AGE_MAX_S - 12.5
    assert last.recall("game:halo") == Cached(b"a game", int(AGE_MAX_S))
    clock.now += 0.001
    assert last.recall("game:halo") is None


@pytest.mark.parametrize("name", ["user:7:cart", "session:0:cart", "order:7", "g2a:stock:7", "games:1"])
def test_what_is_not_the_same_for_everybody_is_not_kept(last: LastAnswers, name: str) -> None:
    last.remember(name, b"of somebody", 0)
    assert (last.recall(name), last.bytes) == (None, 0)


def test_beyond_the_number_those_go_that_were_not_seen_for_longest(
    last: LastAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_answers, "ENTRIES_MAX", 3)
    for name in ("game:1", "game:2", "game:3", "game:1", "game:4"):
        last.remember(name, b"12", 0)
    assert last.names == ["game:3", "game:1", "game:4"]
    assert last.bytes == 6


def test_beyond_the_bytes_those_go_that_were_not_seen_for_longest(
    last: LastAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_answers, "BYTES_MAX", 10)
    for i in range(5):
        last.remember(f"game:{i}", b"1234", 0)
    assert (last.names, last.bytes) == (["game:3", "game:4"], 8)
    last.remember("game:huge", b"x" * 11, 0)
    assert (last.names, last.bytes) == ([], 0)


def test_an_answer_takes_the_place_of_the_one_before_and_its_bytes(last: LastAnswers) -> None:
    last.remember("game:1", b"1234", 0)
    last.remember("game:1", b"12", 0)
    assert (last.recall("game:1"), last.bytes) == (Cached(b"12", 0), 2)
    last.forget("game:1")
    last.forget("game:1")
    assert (last.recall("game:1"), last.bytes) == (None, 0)
