"""A process of several workers: what ends one of them ends the process, and whoever watches it starts it again."""

import asyncio
from typing import Any, Literal

import msgspec
import pytest

from contract.settings import Settings
from workers import run
from workers.service import Service

WITHIN_S = 10.0


async def test_when_one_part_of_a_worker_ends_for_good_the_process_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run, "serve", break_down)
    monkeypatch.setattr(run, "configure_logging", lambda *_: None)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ExceptionGroup) as caught:
        await run.run_worker(["orders"], settings)
    assert caught.group_contains(ZeroDivisionError)
    # Not by being cancelled, which the library of Redis takes for an interruption, again and again.
    assert asyncio.get_running_loop().time() - began < WITHIN_S


@pytest.mark.parametrize(("env", "runs"), [("development", True), ("production", False)])
async def test_all_workers_do_without_those_that_have_nobody_to_speak_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, env: Literal["development", "production"], runs: bool
) -> None:
    served: list[str] = []

    async def note(_context: Any, service: Service, *_: Any) -> None:
        served.append(service.name)

    monkeypatch.setattr(run, "serve", note)
    monkeypatch.setattr(run, "configure_logging", lambda *_: None)
    own = msgspec.structs.replace(settings, env=env, auth_seed="5e" * 32)
    await run.run_worker(["all"], own)
    assert ("g2a" in served, "amazon" in served) == (runs, runs)
    assert len(served) == len(run.SERVICES) - (0 if runs else 3)
