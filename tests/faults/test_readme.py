"""The examples of README.md, run as they are printed against a whole system of the test's own."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from chaos.system import System, own_settings, running_system
from contract.settings import child_environ
from tests.support.http_stage import normalised
from tests.support.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.asyncio(loop_scope="module")]

README = ROOT / "README.md"
RUN_WITHIN_S = 60.0
# Written between the outputs of two commands, and in none of them.
BETWEEN = "\x1e"


class Step(NamedTuple):
    """A command of an example, and what it prints."""

    command: str
    output: str


def steps(text: str, title: str) -> list[Step]:
    """The commands of the section with this title."""
    section = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found: list[Step] = []
    for block in re.findall(r"^```\n(.*?)^```$", section, re.M | re.S):
        for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n", step)
            assert command, step
            found.append(Step(command[0], step[command.end() :]))
    return found


def shape(output: str) -> str:
    """What is the same in two runs: not ids, tokens and times, and of a table neither figures nor widths."""
    output = re.sub(r"\b[A-Z0-9]{5}(-[A-Z0-9]{5}){2}\b", "A-KEY", normalised(output.strip()))
    lines = [line.rstrip() for line in output.splitlines()]
    tables = "┏┡└┃│"
    return "\n".join(
        re.sub(r"[━─]+", "-", re.sub(r" +", " ", re.sub(r"\d+", "0", line))) if line[:1] in tables else line
        for line in lines
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system that is up."""
    async with running_system(own_settings(tmp_path_factory.mktemp("readme") / "data")) as running:
        yield running


async def outputs(system: System, commands: list[str], directory: Path) -> list[str]:
    """What each command prints in one shell, at this system's port and with its settings."""
    script = f"; printf '{BETWEEN}'\n".join(command.rstrip("\n") for command in commands)
    script = script.replace("localhost:3000", f"localhost:{system.settings.port}")
    script = script.replace(".venv/bin/fluxgate", f"{sys.executable} -m fluxgate")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euc", script),
        cwd=directory,
        env=child_environ(system.settings) | {"PYTHONPATH": str(ROOT), "TMPDIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_WITHIN_S):
        printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode().split(BETWEEN)


@pytest.mark.parametrize(
    ("titles", "least"),
    [(["A sale"], 6), (["A store", "Keys for a game", "Claims of a seller", "A race"], 26)],
)
async def test_an_example_prints_what_it_says(system: System, tmp_path: Path, titles: list[str], least: int) -> None:
    """Examples of one list are one session: each goes on where the one before has ended."""
    example = [step for title in titles for step in steps(README.read_text(), title)]
    assert len(example) >= least
    printed = await outputs(system, [step.command for step in example], tmp_path)
    assert [shape(text) for text in printed] == [shape(step.output) for step in example]
