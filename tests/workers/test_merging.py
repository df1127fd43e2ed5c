"""The arithmetic of merging a guest's cart and wishlist with a user's, for any of them."""

from hypothesis import given
from hypothesis import strategies as st

from contract.games import QUANTITY_MAX
from workers.carts import CART_GAMES_MAX, WISHLIST_GAMES_MAX
from workers.migration import Game, merge_carts, merge_wishlists

IDS = [f"g{number}" for number in range(12)]
quantities = st.integers(1, QUANTITY_MAX)
lines = st.dictionaries(st.sampled_from(IDS), quantities)
games = st.dictionaries(st.sampled_from(IDS), st.builds(Game, st.just("Halo"), st.integers(0, 150), st.booleans()))


@given(lines, lines, games)
def test_every_unit_of_a_guest_is_in_the_cart_or_told_why_it_is_not(
    guest: dict[str, int], user: dict[str, int], games: dict[str, Game]
) -> None:
    done = merge_carts(guest, user, games)
    told = {item["gameId"]: item["added"] for item in done.moved + done.merged}
    left_out = {item["gameId"]: item["leftOut"] for item in done.capped}
    missing = {item["gameId"]: item["quantity"] for item in done.unavailable}
    assert not told.keys() & missing.keys()
    assert left_out.keys() <= told.keys()
    for game_id, quantity in guest.items():
        assert told.get(game_id, 0) + left_out.get(game_id, 0) + missing.get(game_id, 0) == quantity


@given(lines, lines, games)
def test_nothing_that_a_user_has_is_lowered_and_nothing_is_raised_beyond_what_there_is(
    guest: dict[str, int], user: dict[str, int], games: dict[str, Game]
) -> None:
    done = merge_carts(guest, user, games)
    for game_id, quantity in done.quantities.items():
        assert game_id in guest
        assert user.get(game_id, 0) < quantity <= min(QUANTITY_MAX, games[game_id].stock)
        assert games[game_id].active
    for item in done.moved + done.merged:
        after = done.quantities.get(item["gameId"], user.get(item["gameId"], 0))
        assert (item["quantity"], item["added"]) == (after, after - user.get(item["gameId"], 0))


@given(lines, lines, games)
def test_games_are_moved_or_merged_by_whether_the_user_has_them(
    guest: dict[str, int], user: dict[str, int], games: dict[str, Game]
) -> None:
    done = merge_carts(guest, user, games)
    assert all(item["gameId"] not in user for item in done.moved)
    assert all(item["gameId"] in user for item in done.merged)
    for item in done.unavailable:
        game = games.get(item["gameId"])
        gone = game is None or not game.active
        assert item["reason"] == ("GAME_NOT_FOUND" if gone else "OUT_OF_STOCK")
        assert gone or game.stock == 0


@given(st.integers(0, CART_GAMES_MAX), st.integers(0, CART_GAMES_MAX), st.integers(0, 30))
def test_a_cart_is_filled_to_its_limit_in_the_guests_order(had: int, more: int, shared: int) -> None:
    user = {f"u{number}": 1 for number in range(had)}
    guest = {f"g{number}": 1 for number in range(more)} | {f"u{number}": 1 for number in range(min(shared, had))}
    done = merge_carts(guest, user, {game_id: Game("Halo", 1000, True) for game_id in guest})
    assert len(user | done.quantities) == min(CART_GAMES_MAX, had + more)
    assert [item["gameId"] for item in done.moved] == [f"g{n}" for n in range(min(more, CART_GAMES_MAX - had))]
    assert len(done.merged) == min(shared, had)
    assert {item["reason"] for item in done.unavailable} <= {"CART_FULL"}


@given(st.lists(st.sampled_from(IDS), unique=True), st.sets(st.sampled_from(IDS)), games)
def test_every_wish_of_a_guest_is_moved_skipped_or_unavailable(
    guest: list[str], user: set[str], games: dict[str, Game]
) -> None:
    done = merge_wishlists(guest, user, games)
    missing = [item["gameId"] for item in done.unavailable]
    assert sorted([*done.moved, *done.skipped, *missing]) == sorted(guest)
    assert set(done.skipped) == set(guest) & user
    assert all(games[game_id].active for game_id in done.moved)
    assert all(game_id not in games or not games[game_id].active for game_id in missing)


@given(st.integers(WISHLIST_GAMES_MAX - 5, WISHLIST_GAMES_MAX), st.integers(0, 10))
def test_a_wishlist_is_filled_to_its_limit(had: int, more: int) -> None:
    guest = [f"g{number}" for number in range(more)]
    user = {f"u{number}" for number in range(had)}
    done = merge_wishlists(guest, user, {game_id: Game("Halo", 0, True) for game_id in guest})
    assert len(done.moved) == min(more, WISHLIST_GAMES_MAX - had)
    assert [item["reason"] for item in done.unavailable] == ["WISHLIST_FULL"] * (more - len(done.moved))
