"""The arithmetic of the proof: every history balances, and every kind of damage is noticed."""

import copy
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.messages import Order, OrderAccepted
from tests.workers.history import Opened, Player, Row, Running, World

seeds = st.integers(0, 2**32)
Damage = Callable[[World, random.Random], bool]


@settings(max_examples=500, deadline=None)
@given(seeds, st.integers(0, 60), st.floats(0, 1))
def test_the_books_of_every_history_balance(seed: int, steps: int, progress: float) -> None:
    world = Player(seed, progress).play(steps)
    for book in world.books():
        assert book.fault == ""
        if book.left is not None:
            assert book.initial == book.left + book.held + book.sold + book.returned
        assert (book.lost, book.duplicated, book.oversold) == (0, 0, 0)


def drop_a_row(world: World, die: random.Random) -> bool:
    """A live order vanishes from Postgres, and somebody makes the counter fit."""
    found = [i for i, row in world.rows.items() if row.state == "persisted" and _settled(world, i)]
    if not found:
        return False
    row = world.rows.pop(die.choice(found))
    world.sales[row.sale].sold -= row.quantity
    return True


def double_a_row(world: World, die: random.Random) -> bool:
    """One acceptance becomes two rows."""
    found = [row for row in world.rows.values() if row.state == "persisted"]
    if not found:
        return False
    row = copy.copy(die.choice(found))
    world.rows["the second"] = row
    world.sales[row.sale].sold += row.quantity
    return True


def take_from_the_stock(world: World, die: random.Random) -> bool:
    """Somebody changes the stock in Redis."""
    die.choice(list(world.redis.values())).left -= 1
    return True


def add_to_the_stock(world: World, die: random.Random) -> bool:
    die.choice(list(world.redis.values())).left += 1
    return True


def lose_an_accepted_order(world: World, die: random.Random) -> bool:
    """Redis loses an entry of the outbox that Postgres has not got yet."""
    found = [i for i in world.transit.accepted if i not in world.rows]
    if not found:
        return False
    del world.transit.accepted[die.choice(found)]
    return True


def lose_a_cancellation(world: World, die: random.Random) -> bool:
    """The units are on sale again, and the order that had them stays sold."""
    # Of a closed epoch Redis keeps no count, so nothing but the order's own record could tell.
    live = [i for i, row in world.rows.items() if row.state == "persisted" and _runs(world, row)]
    found = [i for i in live if i in world.transit.cancelled]
    if not found:
        return False
    del world.transit.cancelled[die.choice(found)]
    return True


def lose_an_opening(world: World, die: random.Random) -> bool:
    """Redis sells a sale that Postgres has never heard of: none of its orders can become a row."""
    found = [sale for sale in world.transit.opened if (sale.product_id, sale.epoch) not in world.sales]
    if not found:
        return False
    world.transit.opened.remove(die.choice(found))
    return True


def change_the_counter(world: World, die: random.Random) -> bool:
    if not world.sales:
        return False
    die.choice(list(world.sales.values())).sold += die.choice((-1, 1))
    return True


def change_a_quantity(world: World, die: random.Random) -> bool:
    found = [row for row in world.rows.values() if row.state == "persisted"]
    if not found:
        return False
    row = die.choice(found)
    row.quantity += 1
    world.sales[row.sale].sold += 1
    return True


def cancel_behind_the_back_of_redis(world: World, die: random.Random) -> bool:
    """Somebody marks a row as cancelled, and no unit comes back."""
    found = [i for i, r in world.rows.items() if r.state == "persisted" and _runs(world, r) and _settled(world, i)]
    if not found:
        return False
    row = world.rows[die.choice(found)]
    row.state = "cancelled"
    world.sales[row.sale].sold -= row.quantity
    return True


def revive_a_cancelled_order(world: World, die: random.Random) -> bool:
    gone = [i for i, row in world.rows.items() if row.state == "cancelled" and _runs(world, row)]
    found = [i for i in gone if i not in world.transit.cancelled]
    if not found:
        return False
    row = world.rows[die.choice(found)]
    row.state = "persisted"
    world.sales[row.sale].sold += row.quantity
    return True


def miscount_what_was_accepted(world: World, die: random.Random) -> bool:
    die.choice(list(world.redis.values())).accepted += 1
    return True


def miscount_what_was_returned(world: World, die: random.Random) -> bool:
    die.choice(list(world.redis.values())).returned += 1
    return True


def _settled(world: World, order_id: str) -> bool:
    return order_id not in world.transit.accepted and order_id not in world.transit.cancelled


def _runs(world: World, row: Row) -> bool:
    """Its sale runs, and no failed order of it is about to give units back, which could hide as many."""
    sale = world.redis.get(row.sale[0])
    failing = [i for i in world.transit.accepted if i in world.rows and world.rows[i].state == "failed"]
    calm = all(world.rows[i].sale != row.sale for i in failing)
    return calm and sale is not None and sale.epoch == row.sale[1]


DAMAGES: list[Damage] = [
    drop_a_row,
    double_a_row,
    take_from_the_stock,
    add_to_the_stock,
    lose_an_accepted_order,
    lose_a_cancellation,
    lose_an_opening,
    change_the_counter,
    change_a_quantity,
    cancel_behind_the_back_of_redis,
    revive_a_cancelled_order,
    miscount_what_was_accepted,
    miscount_what_was_returned,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_every_kind_of_damage_is_reported(damage: Damage, seed: int) -> None:
    # Not every history offers what the damage needs; the next one may.
    for attempt in range(200):
        world = Player(seed + attempt).play(60)
        assert world.faults() == []
        if damage(world, random.Random(seed)):
            break
    else:
        pytest.fail("no history offers what this damage needs")
    assert world.faults() != []


def sale_of(total: int = 10, left: int = 10) -> World:
    """One running sale that Postgres knows."""
    player = Player(0, progress=1)
    player.open("ps5", total)
    player.world.redis["ps5"].left = left
    player.world.sales["ps5", 1] = Opened(total)
    return player.world


def accept(world: World, order_id: str, quantity: int, *, state: str = "") -> None:
    """An order that Redis accepted; `state` is that of its row, if it has one."""
    sale = world.redis["ps5"]
    sale.left -= quantity
    sale.accepted += quantity
    if state:
        world.rows[order_id] = Row(("ps5", sale.epoch), quantity, state)
        world.sales["ps5", sale.epoch].sold += quantity if state == "persisted" else 0
    else:
        order = Order("ps5", "ann", quantity, order_id)
        world.transit.accepted[order_id] = OrderAccepted(order_id, sale.epoch, 1, order)


def test_each_unit_is_in_its_place() -> None:
    world = sale_of()
    accept(world, "held", 1)
    accept(world, "sold", 2, state="persisted")
    (book,) = world.books()
    assert (book.initial, book.left, book.held, book.sold, book.returned, book.orders) == (10, 7, 1, 2, 0, 1)
    assert (book.open, book.fault) == (True, "")


def test_a_lost_order_is_counted_as_lost() -> None:
    world = sale_of()
    accept(world, "lost", 3)
    world.transit.accepted.clear()
    (book,) = world.books()
    assert (book.lost, book.fault) == (3, "3 units are nowhere")


def test_more_rows_than_units_are_oversold() -> None:
    world = sale_of(total=2, left=2)
    accept(world, "a", 2, state="persisted")
    world.rows["b"] = Row(("ps5", 1), 1)
    world.sales["ps5", 1].sold += 1
    (book,) = world.books()
    assert (book.oversold, book.duplicated) == (1, 1)
    assert "1 units oversold" in book.fault


def test_a_lost_stock_is_a_fault_and_not_a_stock_of_nothing() -> None:
    world = sale_of()
    world.redis["ps5"].left = None  # type: ignore[assignment]
    (book,) = world.books()
    assert (book.left, book.fault) == (None, "Redis has lost the stock")


def test_a_lost_sale_is_a_fault() -> None:
    world = sale_of()
    world.redis.clear()
    (book,) = world.books()
    assert book.fault == "Redis has lost the sale"


def test_a_sale_of_nothing_that_redis_has_no_more_is_not_lost() -> None:
    world = sale_of(total=0, left=0)
    world.redis.clear()
    (book,) = world.books()
    assert (book.open, book.left, book.fault) == (False, 0, "")


def test_a_lost_sale_whose_product_was_opened_anew_is_over_and_no_fault_any_more() -> None:
    world = sale_of()
    accept(world, "sold", 2, state="persisted")
    world.redis["ps5"] = Running(2, 7, 7)
    world.sales["ps5", 2] = Opened(7)
    assert [(book.open, book.left, book.sold, book.fault) for book in world.books()] == [
        (False, None, 2, ""),
        (True, 7, 0, ""),
    ]


def test_a_sale_whose_stock_was_lost_before_it_was_closed_cannot_be_added_up_and_is_no_fault() -> None:
    world = sale_of()
    accept(world, "sold", 2, state="persisted")
    sale = world.sales["ps5", 1]
    sale.closed_left, sale.closed_returned = -1, 0
    world.redis.clear()
    (book,) = world.books()
    assert (book.open, book.left, book.sold, book.fault) == (False, None, 2, "")
