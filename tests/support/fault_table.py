"""The trials of all faults, shown as one table at the end of the run.

A test leaves its trial in its report, which reaches whoever ends the run, also from another process of it.
"""

from collections.abc import Callable

import msgspec
import pytest
from rich.console import Console

from chaos.report import print_report
from chaos.trial import Trial

# What a test's report holds a trial by.
TRIAL = "trial"
# Nothing is squeezed into a terminal that is narrower than the table.
TABLE_WIDTH = 230


def leave_trial(record_property: Callable[[str, object], None], trial: Trial) -> None:
    """Put a trial into the report of the test that made it."""
    record_property(TRIAL, msgspec.json.encode(trial).decode())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table."""
    trials = [
        msgspec.json.decode(value, type=Trial)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == TRIAL
    ]
    if trials:
        terminalreporter.section("faults")
        console = Console(width=TABLE_WIDTH)
        with console.capture() as captured:
            print_report(trials, console)
        terminalreporter.write_line(captured.get())
