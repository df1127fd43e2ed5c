"""The short form of the fault matrix: one trial of each kind of fault, with one seed. `make chaos` is the long one."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from chaos.catalogue import SHORT
from chaos.fault import Fault, Unavailable
from chaos.house import House
from chaos.matrix import Group
from chaos.sale import Sale
from chaos.trial import STOCK, run_trial
from tests.support.fault_table import leave_trial

# One house goes through all faults of its kind, one after the other, as a real one would; each meets a sale of its own.
pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

SEED = 1
NUMBERED = [(group, fault, number) for group in SHORT for number, fault in enumerate(group.faults)]
Opened = Callable[[Group], Awaitable[House]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    """Gives the house of a group; it stands until another group needs one."""
    stack = contextlib.AsyncExitStack()
    standing: list[tuple[Group, House]] = []

    async def of_group(group: Group) -> House:
        if not standing or standing[0][0] is not group:
            standing.clear()
            await stack.aclose()
            standing.append((group, await stack.enter_async_context(group.opens(tmp_path_factory.mktemp("house")))))
        return standing[0][1]

    async with stack:
        yield of_group


@pytest.mark.parametrize(("group", "fault", "number"), NUMBERED, ids=[fault.name for _, fault, _ in NUMBERED])
async def test_a_sale_goes_through(
    opened: Opened, group: Group, fault: Fault, number: int, record_property: Callable[[str, object], None]
) -> None:
    try:
        sale = Sale(await opened(group), f"phone-{number}", STOCK, number)
        trial = await run_trial(fault, sale, SEED)
    except Unavailable as reason:
        pytest.skip(str(reason))
    leave_trial(record_property, trial)
    assert trial.problems == (), "\n".join(trial.problems)
    assert trial.verdict
    assert trial.verdict.indeterminate > 0, "nobody had to ask again"
    assert trial.verdict.cancelled > 0, "nobody gave an order back"
