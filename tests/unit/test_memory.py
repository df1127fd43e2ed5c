"""What a gateway process refuses without asking Redis: only what Redis would refuse as well."""

from collections.abc import Callable

import pytest

from gateway import memory
from gateway.memory import LEARN_AGAIN_S, SURE_FOR_S, Memory
from lua import Answer, Limits, Status, Verdict

LIMITS = Limits(10.0, 5, 0, 1_000)
FRESH = "9" * 16
"""The digest of a key that has no order."""
OWNED = "8" * 16
"""The digest of one that has."""
ORDER_ID = b"018bcfe5-6800-7000-8888-888888888888"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def found(left: int = 0, tokens: int = 5, wait_us: int = 0, product: str = "ps5") -> Verdict:
    """What a batch found."""
    return Verdict([], {product: left}, wait_us, tokens)


@pytest.fixture
def informed(clock: Clock) -> Memory:
    """A memory that listens, knows every key, and was told that everything is sold."""
    here = Memory(LIMITS, clock)
    here.begin()
    here.learn(found(), here.news)
    here.learn_keys({OWNED[4:]}, here.gaps)
    return here


def test_a_fresh_key_is_refused_where_everything_is_sold(informed: Memory) -> None:
    assert informed.refuse(FRESH, "ps5", 0) == Answer(Status.SOLD_OUT, 0)
    assert informed.sold_out == 1


def test_a_key_that_has_an_order_is_never_refused(informed: Memory) -> None:
    assert informed.refuse(OWNED, "ps5", 10_000) is None


def test_a_key_whose_order_was_heard_of_is_never_refused(informed: Memory) -> None:
    assert informed.refuse("8899" + "a" * 12, "ps5", 0) is not None
    informed.hear(b"a" + ORDER_ID + b"018bcfe5-6800-7000-8899-aaaaaaaaaaaa")
    assert informed.refuse("8899" + "a" * 12, "ps5", 0) is None


def test_what_is_not_known_to_be_sold_here_is_asked_for(informed: Memory) -> None:
    assert informed.refuse(FRESH, "xbox", 10_000) is None
    informed.learn(found(left=-1), informed.news)
    assert informed.refuse(FRESH, "ps5", 10_000) is None


def test_a_unit_is_asked_for_where_one_is_left(informed: Memory) -> None:
    informed.learn(found(left=1), informed.news)
    assert informed.refuse(FRESH, "ps5", 0) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda here: here.hear(b"sps5"),
        lambda here: here.forget("ps5"),
        lambda here: here.end(),
    ],
    ids=["news of the product", "our own change", "the connection ends"],
)
def test_knowledge_ends_with_news(informed: Memory, change: Callable[[Memory], None]) -> None:
    change(informed)
    assert informed.refuse(FRESH, "ps5", 10_000) is None


def test_knowledge_ends_by_itself(informed: Memory, clock: Clock) -> None:
    clock.now += SURE_FOR_S
    assert informed.refuse(FRESH, "ps5", 0) is not None
    clock.now += 0.001
    assert informed.refuse(FRESH, "ps5", 10_000) is None


def test_an_answer_that_news_has_overtaken_teaches_nothing(informed: Memory) -> None:
    since = informed.news
    informed.hear(b"sps5")
    informed.learn(found(), since)
    assert informed.refuse(FRESH, "ps5", 0) is None


def test_an_empty_bucket_refuses_until_its_next_token_is_due(informed: Memory, clock: Clock) -> None:
    informed.learn(found(left=1, tokens=0, wait_us=40_000), informed.news)
    clock.now += 0.03
    assert informed.refuse(FRESH, "ps5", 0) == Answer(Status.THROTTLED, 10_000)
    assert informed.diverted == 1
    clock.now += 0.02
    assert informed.refuse(FRESH, "ps5", 0) is None


def test_no_more_wait_for_tokens_than_there_can_be(informed: Memory, clock: Clock) -> None:
    informed.learn(found(left=9, tokens=2), informed.news)
    # A third may have been nearly there.
    assert [informed.refuse(FRESH, "ps5", ahead) is None for ahead in range(5)] == [True, True, True, False, False]
    clock.now += 0.25
    assert [informed.refuse(FRESH, "ps5", ahead) is None for ahead in range(6)] == [True] * 5 + [False]


def test_before_anything_is_known_everything_is_asked_for(clock: Clock) -> None:
    here = Memory(LIMITS, clock)
    assert here.refuse(FRESH, "ps5", 10_000) is None
    here.begin()
    here.learn(found(), here.news)
    assert here.refuse(FRESH, "ps5", 10_000) is None


def test_keys_are_wanted_only_where_they_would_be_of_use(clock: Clock) -> None:
    here = Memory(LIMITS, clock)
    here.learn(found(), here.news)
    assert not here.wants_keys  # nobody would tell of the next one
    here.begin()
    here.learn(found(left=3), here.news)
    assert not here.wants_keys  # nothing to refuse
    here.learn(found(), here.news)
    assert here.wants_keys
    here.look_again_later()
    assert not here.wants_keys
    clock.now += LEARN_AGAIN_S
    assert here.wants_keys
    here.learn_keys(set(), here.gaps)
    assert not here.wants_keys


def test_keys_that_were_looked_up_over_a_gap_are_not_all_of_them(informed: Memory, clock: Clock) -> None:
    here = Memory(LIMITS, clock)
    here.begin()
    since = here.gaps
    here.end()
    here.begin()
    here.learn(found(), here.news)
    here.learn_keys(set(), since)
    assert here.refuse(FRESH, "ps5", 0) is None
    assert here.wants_keys


def test_more_keys_than_can_be_remembered_are_asked_for(
    informed: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "KEYS_MAX", 3)
    informed.hear(b"a" + b"".join(b"018bcfe5-6800-7000-8888-%012d" % i for i in range(3)))
    assert informed.refuse(FRESH, "ps5", 0) is None
    assert informed.wants_keys
