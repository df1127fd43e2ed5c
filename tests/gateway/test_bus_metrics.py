"""The metrics of the command bus: what waits, what was handled, what was refused, and what the outbox holds."""

import asyncio
from typing import Any, cast

import msgspec
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

import lua
from chaos.waiting import until
from contract.bus import SERVICES, BusCommand, new_command_id
from contract.settings import Settings
from tests.support.http import get, post
from tests.support.people import PASSWORD, fresh_email
from tests.support.processes import running, running_gateway

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(port: int) -> Samples:
    """All samples by name and labels, the process left out: there is one."""
    families = text_string_to_metric_families((await get(port, "/metrics")).body.decode())
    return {
        (sample.name, frozenset(pair for pair in sample.labels.items() if pair[0] != "process")): sample.value
        for family in families
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    """One sample; None where there is none."""
    return samples.get((f"fluxgate_{name}", frozenset(labels.items())))


async def test_every_queue_has_its_figures_also_when_nothing_waits(gateway: Settings) -> None:
    found = await scraped(gateway.port)
    for name in ("commands_waiting", "commands_oldest_seconds", "commands_dead"):
        assert [of(found, name, worker=worker) for worker in SERVICES] == [0.0] * len(SERVICES), name
    assert [of(found, "cache_reads_total", found=word) for word in ("fresh", "old", "nothing")] == [0.0] * 3
    assert of(found, "cache_fills_total") == 0


async def test_what_waits_and_what_is_dead_is_counted_by_worker(gateway: Settings, redis: lua.Client) -> None:
    cast_redis = cast(Any, redis)
    then = f"{await lua.now_ms(redis) - 90_000}-0"
    await cast_redis.xadd(lua.commands_key("auth"), {"command": b"one"}, id=then)
    await cast_redis.xadd(lua.commands_key("auth"), {"command": b"two"})
    await cast_redis.xadd(lua.dead_commands_key("g2a"), {"command": b"three", "reason": "none"})
    found = await scraped(gateway.port)
    assert of(found, "commands_waiting", worker="auth") == 2
    assert 90 <= (of(found, "commands_oldest_seconds", worker="auth") or 0) < 150
    assert (of(found, "commands_dead", worker="auth"), of(found, "commands_dead", worker="g2a")) == (0, 1)


async def test_what_workers_have_handled_is_counted_by_kind_and_status(gateway: Settings, redis: lua.Client) -> None:
    for seconds in (0.25, 0.5):
        await lua.count_handled(redis, "auth", "login", "401", seconds)
    found = await scraped(gateway.port)
    labels = {"worker": "auth", "kind": "login", "status": "401"}
    assert (of(found, "commands_total", **labels), of(found, "command_seconds_total", **labels)) == (2, 0.75)


async def test_a_count_of_commands_names_the_trace_and_the_request_of_the_latest(
    gateway: Settings, redis: lua.Client
) -> None:
    for digit in ("a", "b"):
        trace = {"trace_id": digit * 32, "request_id": f"request-{digit}"}
        await lua.count_handled(redis, "auth", "login", "401", 0.25, **trace)
    answer = await get(gateway.port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(answer.body.decode())}
    [sample] = families["fluxgate_commands"].samples
    assert sample.value == 2
    assert sample.exemplar is not None
    assert sample.exemplar.labels == {"trace_id": "b" * 32, "request_id": "request-b"}


async def test_who_waits_for_a_worker_is_counted_until_it_has_come(gateway: Settings) -> None:
    form = {"email": fresh_email(), "password": PASSWORD}
    asking = asyncio.create_task(post(gateway.port, "/api/auth/register", form, Prefer="wait=10"))

    async def awaited() -> bool:
        return of(await scraped(gateway.port), "replies_awaited", worker="auth") == 1

    await until(awaited)
    async with running(gateway, "worker", "auth"):
        assert (await asking).status == 201
    assert of(await scraped(gateway.port), "replies_awaited", worker="auth") == 0


async def test_a_command_that_its_full_queue_does_not_take_is_counted_as_refused(
    settings: Settings, redis: lua.Client
) -> None:
    await cast(Any, redis).xadd(lua.commands_key("auth"), {"command": b"one"})
    async with running_gateway(msgspec.structs.replace(settings, backlog_max=1)) as gateway:
        answer = await post(gateway.port, "/api/auth/register", {"email": fresh_email(), "password": PASSWORD})
        assert answer.status == 503
        assert of(await scraped(gateway.port), "commands_refused_total", worker="auth", limit="waiting") == 1


async def test_the_outbox_is_told_of_only_when_somebody_has_looked(gateway: Settings, redis: lua.Client) -> None:
    assert of(await scraped(gateway.port), "deferred_retries", worker="auth") is None
    told = [{"worker": "auth", "due": 1, "later": 2, "late_s": 3.5, "again": 4}]
    await lua.publish_deferred(redis, msgspec.json.encode(told))
    found = await scraped(gateway.port)
    due = [of(found, "deferred_commands", worker="auth", due=when) for when in ("now", "later")]
    assert (due, of(found, "deferred_late_seconds", worker="auth")) == ([1, 2], 3.5)
    assert [of(found, "deferred_retries", worker=worker) for worker in ("auth", "g2a")] == [4, 0]


@pytest.mark.slow
async def test_the_reaper_looks_into_the_outbox(gateway: Settings) -> None:
    async def told() -> bool:
        return of(await scraped(gateway.port), "deferred_commands", worker="g2a", due="now") == 0

    async with running(gateway, "reaper"):
        await until(told, within_s=20)


def test_a_command_that_is_tried_again_says_so_in_its_text_and_another_does_not() -> None:
    own = BusCommand(id=new_command_id(), kind="mail")
    assert b'"attempt":' not in msgspec.json.encode(own)
    assert b'"attempt":2' in msgspec.json.encode(msgspec.structs.replace(own, attempt=2))
