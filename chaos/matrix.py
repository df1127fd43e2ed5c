"""The matrix: every fault, for every seed, in houses of the kind that it needs."""

import random
import shutil
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from chaos.fault import Fault, Unavailable
from chaos.history import write_history
from chaos.house import House
from chaos.sale import Sale
from chaos.trial import STOCK, Trial, run_trial

# Trials of one seed have numbers below this, so that no two trials make the same idempotency keys.
TRIALS_PER_SEED = 10_000


class Group(NamedTuple):
    """Faults that need the same kind of house."""

    name: str
    opens: Callable[[Path], AbstractAsyncContextManager[House]]
    faults: Sequence[Fault]


async def run_matrix(
    groups: Iterable[Group], seeds: Iterable[int], directory: Path, logs: Path
) -> AsyncIterator[Trial]:
    """Try everything, in an order that the seed draws. `directory` holds the houses; of a trial that failed the logs of
    its house are kept in `logs`."""
    groups = list(groups)
    for seed in seeds:
        numbers = count(seed * TRIALS_PER_SEED)
        for group in groups:
            async for trial in _run_group(group, seed, numbers, directory, logs):
                yield trial


async def _run_group(
    group: Group, seed: int, numbers: "count[int]", directory: Path, logs: Path
) -> AsyncIterator[Trial]:
    waiting = list(group.faults)
    random.Random(seed).shuffle(waiting)
    while waiting:
        own = directory / f"{next(numbers)}"
        own.mkdir()
        try:
            async with group.opens(own) as house:
                while waiting:
                    trial = await attempt(waiting.pop(), house, next(numbers), seed, logs)
                    yield trial
                    if trial.problems:
                        # What it has spoilt shall not be the next one's fault.
                        break
        except Unavailable as error:
            for fault in waiting:
                yield Trial(fault=fault.name, seed=seed, untried=str(error))
            return
        except Exception:
            # A house that cannot be opened, or leaves something behind, takes one fault with it and not all of them.
            lost = waiting.pop().name if waiting else group.name
            yield Trial(fault=lost, seed=seed, problems=(traceback.format_exc(),))
        shutil.rmtree(own, ignore_errors=True)


async def attempt(fault: Fault, house: House, number: int, seed: int, logs: Path) -> Trial:
    """One trial, also when it comes to no end; of one that failed the history and the logs are kept."""
    sale = Sale(house, f"phone-{number}", STOCK, number)
    try:
        trial = await run_trial(fault, sale, seed)
    except Unavailable as error:
        return Trial(fault=fault.name, seed=seed, untried=str(error))
    except AssertionError as error:
        trial = Trial(fault=fault.name, seed=seed, problems=(str(error),))
    except Exception:
        trial = Trial(fault=fault.name, seed=seed, problems=(traceback.format_exc(),))
    if trial.problems or trial.late:
        kept = logs / f"{trial.fault} {seed}".replace(" ", "-")
        _keep_logs(house, kept)
        write_history(sale.crowd, kept / "history.jsonl")
    return trial


def _keep_logs(house: House, to: Path) -> None:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(house.settings.data_dir / "logs", to)
    shutil.copy(house.system.log, to / "up.output")
