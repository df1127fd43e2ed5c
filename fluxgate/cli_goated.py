"""`fluxgate goated`: the command line of Goated's leaderboard."""

import asyncio
from typing import Annotated

import typer

from fluxgate.cli_common import AsJson, example, resolved_settings

goated = typer.Typer(help="Have Goated's leaderboard fetched, or see how fetches go.", no_args_is_help=True)


@goated.command("sync", epilog=example("fluxgate goated sync"))
def goated_sync(
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the leaderboard even where it cannot be true: you vouch for it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Have the leaderboard fetched now, and show what came of it. Exits with 1 where it was refused."""
    from fluxgate.goated import sync_command

    raise typer.Exit(asyncio.run(sync_command(resolved_settings(), accept, as_json)))


@goated.command("status", epilog=example("fluxgate goated status --json"))
def goated_status(as_json: AsJson = False) -> None:
    """Show how old the leaderboard is, where the race stands, and what came of the last fetches."""
    from fluxgate.goated import status_command

    raise typer.Exit(asyncio.run(status_command(resolved_settings(), as_json)))
