"""Places of syncs, and who finds none."""

from workers.amazon_places import QUEUE_MAX_S, Places


def test_whoever_finds_no_place_gets_a_turn_behind_those_before_him() -> None:
    now = 100.0
    places = Places(4, 2.0, lambda: now)
    for _ in range(4):
        assert not places.are_taken
        places.__enter__()
    assert places.are_taken
    assert [places.turn_s() for _ in range(3)] == [0.5, 1.0, 1.5]
    places.__exit__()
    assert not places.are_taken
    # Turns that have passed are of the past.
    now = 200.0
    assert places.turn_s() == 0.5


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    places = Places(1, 2.0, lambda: 0.0)
    assert max(places.turn_s() for _ in range(1_000)) == QUEUE_MAX_S
