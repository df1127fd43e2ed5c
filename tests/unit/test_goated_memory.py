"""What Goated's leaderboard takes in memory while it is read: a part of the body, and no more for each person."""

import json
import tracemalloc

import pytest

from workers.clients.goated_forms import read_leaderboard

PEOPLE = 20_000
# A member with four amounts of its own and two texts has some 650 bytes, and its entry is kept until the end.
BYTES_EACH_MAX = 1_000


@pytest.mark.slow
def test_a_large_leaderboard_takes_a_bounded_part_of_memory_for_each_person() -> None:
    amounts = dict.fromkeys(("today", "this_week", "this_month", "all_time"), 12345.678901234567)
    entries = [{"uid": f"uid{number:017}", "name": f"person {number}", "wagered": amounts} for number in range(PEOPLE)]
    body = json.dumps({"success": True, "data": entries}).encode()
    del entries
    tracemalloc.start()
    try:
        board = read_leaderboard(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(board.members) == PEOPLE
    assert peak < PEOPLE * BYTES_EACH_MAX
