"""Counting what the workers ask of other parties."""

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
