"""The real code of worker and reaper in simulated trouble: whatever happens, every accepted order is one row."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulate import Mutation, simulate

SEEDS = 300
"""About ten seconds of work. For more: python -m tests.simulation --seeds 10000."""
SEEDS_AT_ONCE = 20
MUTATION_SEEDS_MAX = 400
"""The shyest mutation shows itself in one of fifty seeds."""
MET = {
    "order ACCEPTED",
    "order REPLAYED",
    "order SOLD_OUT",
    "order LIMIT_REACHED",
    "cancel CANCELLED",
    "unknown outcome",
    "waiting for a server",
    "entry comes back after the lease",
    "keys that have ordered before",
    "command is dead-lettered",
    "command cannot be written",
    "refused by a fault of this worker",
    "question",
    "kill",
    "redeploy",
    "away",
    "expire",
    "regroup",
    "step",
    "poison",
}
"""What the seeds have to meet, or they would prove little."""


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_AT_ONCE))
def test_every_accepted_order_becomes_one_row_and_every_unit_is_in_one_place(first: int) -> None:
    for seed in range(first, first + SEEDS_AT_ONCE):
        assert simulate(seed).complaints == [], f"again: python -m tests.simulation --seed {seed}"


def test_the_seeds_meet_everything_that_they_should() -> None:
    met = Counter[str]()
    for seed in range(SEEDS):
        met += simulate(seed).met
        if met.keys() >= MET:
            return
    pytest.fail(f"never met: {MET - met.keys()}")


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_careless_system_is_found_out_when_it(mutation: Mutation) -> None:
    assert any(simulate(seed, mutation).complaints for seed in range(MUTATION_SEEDS_MAX))


def test_a_seed_is_the_same_history_in_every_process() -> None:
    mutated = [sys.executable, "-m", "tests.simulation", "--seed", "0", "--mutation", "trims_the_outbox"]
    runs = [subprocess.run(mutated, capture_output=True, text=True, check=False) for _ in range(2)]
    told = [run.stdout.splitlines()[:-1] for run in runs]
    assert told[0] == told[1] != []
    assert [run.returncode for run in runs] == [1, 1]
    assert not any(run.stderr for run in runs)
