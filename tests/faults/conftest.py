"""The trials of all faults, shown as one table at the end of the run."""

import pytest
from rich.console import Console

from chaos.report import print_report
from chaos.trial import Trial

TRIALS = pytest.StashKey[list[Trial]]()
# Nothing is squeezed into a terminal that is narrower than the table.
TABLE_WIDTH = 230


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> list[Trial]:
    """The trials of the run so far; a test adds its own."""
    return request.config.stash.setdefault(TRIALS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table."""
    trials = config.stash.get(TRIALS, [])
    if trials:
        terminalreporter.section("faults")
        console = Console(width=TABLE_WIDTH)
        with console.capture() as captured:
            print_report(trials, console)
        terminalreporter.write_line(captured.get())
