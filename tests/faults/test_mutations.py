"""A suite that has never failed proves nothing: with any one safeguard taken out of the product, it has to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chaos import victims
from chaos.fault import Unavailable
from chaos.house import House
from chaos.mutations import MUTATIONS, PACKAGES, Edit, Mutation, StaleEditError, copy_source, mutated_house, reveal
from chaos.ordeals import ORDEALS, Ordeal

# Changes nothing but that every process leaves a note that it runs this source, forked ones too. What only launches
# another program does not import this file.
SIGNED = Edit(
    "contract/settings.py",
    "\nimport msgspec\n",
    "\nimport msgspec\n"
    'note = lambda: Path(__file__).with_name(f"runs-in-{os.getpid()}").touch()\n'
    "note()\n"
    "os.register_at_fork(after_in_child=note)\n",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with mutated_house((SIGNED,), tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
async def test_a_product_without_this_safeguard_is_found_out(tmp_path: Path, mutation: Mutation) -> None:
    try:
        findings = await reveal(mutation, tmp_path)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert set(mutation.found_by) <= findings.names, findings


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("number", "ordeal"), list(enumerate(ORDEALS, 1)), ids=[ordeal.__name__ for ordeal in ORDEALS])
async def test_the_product_with_all_its_safeguards_comes_out_of_the_same_ordeal_without_a_fault(
    house: House, number: int, ordeal: Ordeal
) -> None:
    try:
        findings = await ordeal(house, number)
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert (findings.names, findings.verdict.faults) == (set(), ()), findings


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.asyncio(loop_scope="module")
async def test_every_process_of_a_mutated_house_runs_the_mutated_source(house: House) -> None:
    room = victims.child("fluxgate waiting-room")
    everybody = (victims.supervisor, victims.gateway_master, victims.gateway_processes, victims.order_worker)
    processes = [process for find in (*everybody, victims.reaper, room) for process in find(house.system)]
    assert len(processes) == 5 + house.settings.gateway_workers
    notes = {note.name for note in (house.settings.data_dir.parent / "source" / "contract").glob("runs-in-*")}
    assert {f"runs-in-{process.pid}" for process in processes} <= notes


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_edits_of_a_mutation_fit_the_source(tmp_path: Path, mutation: Mutation) -> None:
    copy_source(tmp_path, mutation.edits)


def test_every_ordeal_reveals_a_mutation_and_the_other_way_round() -> None:
    needed = {getattr(mutation.ordeal, "func", mutation.ordeal) for mutation in MUTATIONS}
    assert needed == set(ORDEALS)


@pytest.mark.parametrize("old", ["nothing of the kind", "and"], ids=["absent", "more than once"])
def test_an_edit_that_does_not_fit_exactly_once_is_refused(tmp_path: Path, old: str) -> None:
    with pytest.raises(StaleEditError, match="and not once"):
        copy_source(tmp_path, (Edit("contract/__init__.py", old, ""),))


def test_a_copy_has_every_package_of_the_product(tmp_path: Path) -> None:
    copy_source(tmp_path, ())
    assert {path.name for path in tmp_path.iterdir()} == set(PACKAGES)
