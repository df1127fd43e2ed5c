"""The figures of all faults, shown as one table at the end of the run."""

import pytest
from rich.console import Console

from chaos.sale import Figures, show

FIGURES = pytest.StashKey[list[Figures]]()
# Nothing is squeezed into a terminal that is narrower than the table.
TABLE_WIDTH = 190


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> list[Figures]:
    """The figures of the run so far; a test adds its own."""
    return request.config.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table."""
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("faults")
        console = Console(width=TABLE_WIDTH)
        with console.capture() as captured:
            show(figures, console)
        terminalreporter.write_line(captured.get())
