"""What the files of the command line share: settings, and how a command explains itself."""

from typing import Annotated

import typer

from contract.settings import Settings, read_settings
from fluxgate.urls import require_urls

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def example(line: str) -> str:
    """The last lines of a command's help."""
    return f"Example:  [bold]{line}[/bold]"


def given_settings() -> Settings:
    """The settings as they are given. Raises SettingsError."""
    return require_urls(read_settings())


def resolved_settings() -> Settings:
    """The settings, with the servers of the `up` that runs here where no others are given. Raises SettingsError."""
    # Late, because it imports the clients of both servers, which take longer than all the rest of a small process.
    from fluxgate.embedded import resolve

    return resolve(given_settings())
