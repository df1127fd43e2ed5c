"""The short form of the fault matrix: one trial of each kind of fault, with one seed. `make chaos` is the long one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chaos.catalogue import SHORT
from chaos.fault import Fault
from chaos.house import House
from chaos.matrix import Group, run_trial
from chaos.trial import Trial

# One house goes through all faults of its kind, one after the other, as a real one would; each meets a sale of its own.
pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

SEED = 1
NUMBERED = [(group, fault, number) for group in SHORT for number, fault in enumerate(group.faults)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of the kind that the group needs."""
    group: Group = request.param
    async with group.opens(tmp_path_factory.mktemp(group.name.replace(" ", "-"))) as opened:
        yield opened


@pytest.mark.parametrize(
    ("house", "fault", "number"), NUMBERED, ids=[fault.name for _, fault, _ in NUMBERED], indirect=["house"]
)
async def test_a_sale_goes_through(house: House, fault: Fault, number: int, trials: list[Trial]) -> None:
    trial = await run_trial(fault, house, number, SEED)
    trials.append(trial)
    assert trial.problems == (), "\n".join(trial.problems)
    assert trial.verdict
    assert trial.verdict.indeterminate > 0, "nobody had to ask again"
    assert trial.verdict.cancelled > 0, "nobody gave an order back"
