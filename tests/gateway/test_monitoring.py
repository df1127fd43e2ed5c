"""What dashboards go by: syncs, how long others take, who asks, and what gateways and Redis use."""

from typing import Any, cast

import lua
from chaos.waiting import until
from contract.settings import Settings
from gateway.metrics import ROLES
from gateway.upstream_metrics import sync_families
from tests.gateway.test_bus_metrics import of, scraped
from tests.support.http import get, post
from tests.support.people import PASSWORD, fresh_email
from workers.clients import amazon_adapters, g2a_adapters


async def test_syncs_are_told_by_upstream_and_outcome_from_the_beginning(gateway: Settings, redis: lua.Client) -> None:
    found = await scraped(gateway.port)
    for upstream, outcomes in lua.SYNC_OUTCOMES.items():
        told = [of(found, "syncs_total", upstream=upstream, outcome=outcome) for outcome in outcomes]
        assert told == [0.0] * len(outcomes)
    assert of(found, "sync_last_good_timestamp_seconds", upstream="goated") == 0
    began = await lua.now_ms(redis) / 1000
    await lua.note_sync(redis, "goated", "changed")
    await lua.note_sync(redis, "goated", "failed")
    found = await scraped(gateway.port)
    assert of(found, "syncs_total", upstream="goated", outcome="changed") == 1
    assert of(found, "syncs_total", upstream="goated", outcome="failed") == 1
    assert (of(found, "sync_last_good_timestamp_seconds", upstream="goated") or 0) >= began


def test_of_whom_no_setting_names_and_nobody_had_data_no_sync_is_late() -> None:
    never = lua.Syncs("goated", {"failed": 3}, 0.0)
    once = lua.Syncs("goated", {"failed": 3}, 1.5)
    for own, idle, told in ((never, (), [0.0]), (never, ("goated",), []), (once, ("goated",), [1.5])):
        _, good = sync_families([own], idle)
        assert [sample.value for sample in good.samples] == told


async def test_the_time_that_others_take_is_a_histogram_from_the_beginning(
    gateway: Settings, redis: lua.Client
) -> None:
    name = "upstream_request_duration_seconds"
    found = await scraped(gateway.port)
    assert [of(found, f"{name}_count", upstream=upstream) for upstream in lua.UPSTREAMS] == [0.0] * len(lua.UPSTREAMS)
    for seconds in (0.2, 0.3, 70.0):
        await lua.count_upstream_call(redis, "goated", "leaderboard", "200", seconds)
    found = await scraped(gateway.port)
    told = {bound: of(found, f"{name}_bucket", upstream="goated", le=bound) for bound in ("0.1", "0.25", "0.5", "+Inf")}
    assert told == {"0.1": 0, "0.25": 1, "0.5": 2, "+Inf": 3}
    assert of(found, f"{name}_sum", upstream="goated") == 70.5


def test_every_client_counts_under_a_name_whose_times_are_told() -> None:
    assert {amazon_adapters.NAME, amazon_adapters.LWA_NAME, g2a_adapters.NAME} <= set(lua.UPSTREAMS)


async def test_what_is_asked_of_workers_is_counted_by_role_and_never_by_person(gateway: Settings) -> None:
    form = {"email": fresh_email(), "password": PASSWORD}
    for _ in range(2):
        await post(gateway.port, "/api/auth/register", form, Prefer="respond-async")
    found = await scraped(gateway.port)
    assert [of(found, "commands_asked_total", role=role) for role in ROLES] == [2, 0, 0]


async def test_the_oldest_order_that_waits_is_told(gateway: Settings, redis: lua.Client) -> None:
    assert of(await scraped(gateway.port), "outbox_oldest_seconds") == 0
    then = f"{await lua.now_ms(redis) - 90_000}-0"
    await cast(Any, redis).xadd(lua.LaneKeys(0).outbox, {"hello": "world"}, id=then)
    await cast(Any, redis).xadd(lua.LaneKeys(0).outbox, {"hello": "world"})
    assert 90 <= (of(await scraped(gateway.port), "outbox_oldest_seconds") or 0) < 150


async def test_what_gateways_and_redis_use_is_told(gateway: Settings) -> None:
    found = await scraped(gateway.port)
    assert 10e6 < (of(found, "process_memory_bytes") or 0) < 1e9
    assert 1e5 < (of(found, "redis_memory_bytes") or 0) < 1e9
    assert of(found, "redis_memory_limit_bytes") is not None

    async def grows() -> bool:
        await get(gateway.port, "/livez")
        after = of(await scraped(gateway.port), "process_cpu_seconds_total")
        return (after or 0) > (of(found, "process_cpu_seconds_total") or 0) > 0

    await until(grows)
