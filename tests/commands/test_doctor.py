"""`fluxgate doctor` on the command bus: queues that nobody serves, and keys that do not fit."""

from typing import Any, cast

import msgspec
import pytest

import lua
from contract.auth_keys import derive_keys
from contract.seeds import new_seed
from contract.settings import Settings
from fluxgate import doctor
from fluxgate.doctor import Finding

SEED, OTHER_SEED = new_seed(), new_seed()


async def found(settings: Settings, what: str) -> list[Finding]:
    """The findings whose name begins so."""
    return [finding for finding in await doctor.examine(settings) if finding.what.startswith(what)]


async def test_of_queues_that_are_served_nothing_is_said(settings: Settings, redis: lua.Client) -> None:
    assert await lua.submit(redis, "auth", b"a command", 10)
    assert await found(settings, "queue ") == []


async def test_a_queue_that_nobody_serves_is_named_with_its_age(settings: Settings, redis: lua.Client) -> None:
    then = await lua.now_ms(redis) - 90_000
    await cast(Any, redis).xadd(lua.commands_key("auth"), {"command": b"a command"}, id=f"{then}-0")
    (finding,) = await found(settings, "queue ")
    assert (finding.what, finding.state) == ("queue auth", "wrong")
    assert finding.detail.startswith("the oldest of 1 commands has waited for 9")


async def test_a_queue_that_cannot_be_read_is_named_beside_the_others(settings: Settings, redis: lua.Client) -> None:
    await cast(Any, redis).set(lua.commands_key("g2a"), "no stream")
    (finding,) = await found(settings, "queue ")
    assert (finding.what, finding.state) == ("queue g2a", "wrong")
    assert "WRONGTYPE" in finding.detail


@pytest.mark.parametrize(
    ("keys", "state", "said"),
    [
        ({}, "off", "the first process makes them"),
        ({"auth_seed": SEED}, "ok", derive_keys(SEED).public.text[:8]),
        ({"auth_public": derive_keys(SEED).public.text}, "ok", derive_keys(SEED).public.text[:8]),
        ({"auth_seed": SEED, "auth_public": derive_keys(OTHER_SEED).public.text}, "wrong", "is not the public half"),
        ({"auth_seed": SEED[:-1]}, "wrong", "must be 64 hexadecimal digits"),
        ({"env": "production", "admin_key": "k" * 16}, "wrong", "must be set"),
    ],
    ids=["none", "seed", "public", "unlike", "short", "production"],
)
async def test_the_keys_of_the_auth_worker_are_there_and_fit(
    settings: Settings, keys: dict[str, str], state: str, said: str
) -> None:
    (finding,) = await found(msgspec.structs.replace(settings, **keys), "auth keys")
    assert (finding.state, said in finding.detail) == (state, True), finding
    assert SEED not in finding.detail
