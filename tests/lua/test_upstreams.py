"""Counting what the workers ask of other parties."""

import pytest

import lua


async def test_counts_of_requests_add_up_by_upstream_call_and_outcome(redis: lua.Client) -> None:
    for seconds in (0.25, 0.5):
        await lua.count_upstream_call(redis, "g2a", "pay", "200", seconds)
    await lua.count_upstream_call(redis, "g2a", "pay", "200 no JSON", 0.125)
    await lua.count_upstream_call(redis, "amazon", "pay", "paused", 0.0)
    assert await lua.read_upstream_calls(redis) == [
        lua.UpstreamCalls("amazon", "pay", "paused", 1, 0.0),
        lua.UpstreamCalls("g2a", "pay", "200", 2, 0.75),
        lua.UpstreamCalls("g2a", "pay", "200 no JSON", 1, 0.125),
    ]


async def test_times_of_requests_add_up_by_upstream_and_bound(redis: lua.Client) -> None:
    assert [own.buckets for own in await lua.read_upstream_times(redis)] == [
        [0] * (len(lua.UPSTREAM_BOUNDS_S) + 1)
    ] * len(lua.UPSTREAMS)
    for call, outcome, seconds in (("one", "200", 0.1), ("two", "200", 0.11), ("one", "timeout", 61.0)):
        await lua.count_upstream_call(redis, "goated", call, outcome, seconds)
    (own,) = (own for own in await lua.read_upstream_times(redis) if own.upstream == "goated")
    counted = {bound: count for bound, count in zip((*lua.UPSTREAM_BOUNDS_S, None), own.buckets, strict=True) if count}
    assert counted == {0.1: 1, 0.25: 1, None: 1}
    assert own.seconds == pytest.approx(61.21)


async def test_a_request_that_was_not_sent_says_nothing_of_how_long_answers_take(redis: lua.Client) -> None:
    await lua.count_upstream_call(redis, "g2a", "pay", "paused", 0.0)
    assert [sum(own.buckets) for own in await lua.read_upstream_times(redis)] == [0] * len(lua.UPSTREAMS)
