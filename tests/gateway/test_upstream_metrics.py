"""The metrics of what the workers ask of other parties."""

import lua
from contract.settings import Settings
from tests.gateway.test_bus_metrics import of, scraped


async def test_requests_to_other_parties_are_counted_by_call_and_outcome(gateway: Settings, redis: lua.Client) -> None:
    for outcome, seconds in (("200", 0.25), ("200", 0.5), ("timeout", 8.0)):
        await lua.count_upstream_call(redis, "g2a", "find_product", outcome, seconds)
    found = await scraped(gateway.port)
    labels = {"upstream": "g2a", "call": "find_product"}
    assert of(found, "upstream_calls_total", **labels, outcome="200") == 2
    assert of(found, "upstream_call_seconds_total", **labels, outcome="200") == 0.75
    assert of(found, "upstream_calls_total", **labels, outcome="timeout") == 1
