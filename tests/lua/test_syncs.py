"""Counting syncs, and when the latest good one ended."""

import pytest

import lua


async def test_syncs_are_counted_by_upstream_and_outcome_from_nothing_on(redis: lua.Client) -> None:
    before = {own.upstream: own for own in await lua.read_syncs(redis)}
    assert before["goated"] == lua.Syncs("goated", dict.fromkeys(lua.SYNC_OUTCOMES["goated"], 0), 0.0)
    for outcome in ("changed", "not_modified", "changed"):
        await lua.note_sync(redis, "goated", outcome)
    after = {own.upstream: own for own in await lua.read_syncs(redis)}
    assert after["goated"].outcomes == {"changed": 2, "unchanged": 0, "not_modified": 1, "failed": 0}
    assert after["g2a"] == before["g2a"]


async def test_a_sync_that_fails_makes_the_last_good_one_no_younger(redis: lua.Client) -> None:
    began = await lua.now_ms(redis) / 1000
    await lua.note_sync(redis, "g2a", "failed")
    assert [own.good_at_s for own in await lua.read_syncs(redis) if own.upstream == "g2a"] == [0.0]
    await lua.note_sync(redis, "g2a", "completed")
    (good_at_s,) = (own.good_at_s for own in await lua.read_syncs(redis) if own.upstream == "g2a")
    assert began <= good_at_s <= await lua.now_ms(redis) / 1000
    await lua.note_sync(redis, "g2a", "failed")
    assert [own.good_at_s for own in await lua.read_syncs(redis) if own.upstream == "g2a"] == [good_at_s]


@pytest.mark.parametrize(("upstream", "outcome"), [("g2a", "changed"), ("nobody", "failed")])
async def test_what_no_sync_comes_to_is_not_counted(redis: lua.Client, upstream: str, outcome: str) -> None:
    with pytest.raises(ValueError, match=f"{upstream}.*{outcome}"):
        await lua.note_sync(redis, upstream, outcome)
