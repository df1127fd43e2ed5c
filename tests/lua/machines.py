"""Runs a state machine of Hypothesis against a real Valkey, on one event loop and one client."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from contract.settings import Settings
from contract.transport import open_redis
from tests.support.servers import Servers


def run_machine(machine: Any, servers: Servers, *, examples: int, steps: int) -> None:
    """Play `examples` histories of at most `steps` steps; the machine's class is given its `runner` and `client`."""
    with asyncio.Runner() as runner:
        machine.runner, machine.client = runner, open_redis(Settings(redis_url=servers.redis_url))
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
        runner.run(machine.client.aclose())
