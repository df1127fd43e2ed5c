"""The command line: one short function per command. A user's mistake ends in one sentence; a bug is loud."""

import asyncio
import sys
from typing import Annotated

import typer

from contract.settings import SettingsError, read_settings
from fluxgate.cli_common import AsJson, example, given_settings, resolved_settings
from fluxgate.cli_goated import goated
from fluxgate.cli_sandbox import sandbox

# What a command that could not run ends with; 1 is for one that ran and found something wrong.
EXIT_REFUSED = 2
# What a shell expects of a command that ctrl-C ended.
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="fluxgate",
    help="A flash-sale gateway that never oversells and never loses an accepted order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
dead = typer.Typer(
    help="Look at commands that could not be handled, hand them in again, or drop them.", no_args_is_help=True
)
app.add_typer(dead, name="dead")
user = typer.Typer(help="Make accounts, put money on them, and make the keys of the auth worker.", no_args_is_help=True)
app.add_typer(user, name="user")
cache = typer.Typer(help="Look at cached answers, or drop them.", no_args_is_help=True)
app.add_typer(cache, name="cache")
app.add_typer(goated, name="goated")
app.add_typer(sandbox, name="sandbox")


@app.command(epilog=example("FLUXGATE_RATE_PER_S=500 fluxgate up"))
def up() -> None:
    """Run the whole system on this machine, until ctrl-C."""
    from fluxgate.up import run

    asyncio.run(run(given_settings()))


@app.command(epilog=example("FLUXGATE_GATEWAY_WORKERS=4 fluxgate gateway"))
def gateway() -> None:
    """Run the HTTP gateway alone."""
    from fluxgate.gateway import serve

    serve(resolved_settings())


@app.command(epilog=example("fluxgate worker orders"))
def worker(
    names: Annotated[list[str], typer.Argument(help="Workers, such as `orders`, or `all`.", show_default=False)],
) -> None:
    """Run one worker, or several in one process: each takes commands from its stream, acts, and writes to Postgres."""
    from workers.run import ALL, SERVICES, run_worker

    for name in names:
        if name not in (*SERVICES, ALL):
            raise typer.BadParameter(f"there is no worker {name!r}; there is {', '.join((*sorted(SERVICES), ALL))}.")
    asyncio.run(run_worker(names, resolved_settings()))


@app.command(epilog=example("fluxgate reaper"))
def reaper() -> None:
    """Run the reaper: it gives back what has lapsed, and proves the books."""
    from workers.run import run_reaper

    asyncio.run(run_reaper(resolved_settings()))


@app.command(epilog=example("FLUXGATE_GATEWAY_URL=https://shop.example fluxgate waiting-room"))
def waiting_room() -> None:
    """Serve the waiting room's page alone."""
    from fluxgate.waiting_room import serve

    serve(resolved_settings())


@app.command(epilog=example("FLUXGATE_POSTGRES_URL=postgresql://me@db/shop fluxgate schema"))
def schema() -> None:
    """Bring the tables in Postgres up to date."""
    from sql import apply_schema

    applied = asyncio.run(apply_schema(resolved_settings().postgres_at))
    typer.echo("\n".join(f"applied {name}" for name in applied) or "The schema is up to date.")


@app.command(epilog=example("fluxgate reconcile --json"))
def reconcile(as_json: AsJson = False) -> None:
    """Prove the books: initial = left + held + sold + returned, Redis against Postgres. Exits with 1 if they differ."""
    from fluxgate.reconcile import command

    raise typer.Exit(asyncio.run(command(resolved_settings(), as_json)))


@app.command(epilog=example("fluxgate queue --json"))
def queue(as_json: AsJson = False) -> None:
    """Show what waits: commands in the streams of lanes and workers, and those in the outbox."""
    from fluxgate.queue import command

    raise typer.Exit(asyncio.run(command(resolved_settings(), as_json)))


@app.command(epilog=example("fluxgate doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Look for what would keep Flux-Gate from running well here. Exits with 1 if there is something."""
    from fluxgate.doctor import command

    raise typer.Exit(asyncio.run(command(given_settings(), as_json)))


@app.command(epilog=example("fluxgate version"))
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(version("flux-gate"))


Lane = Annotated[int | None, typer.Option(help="The lane to look in; without it, all.", show_default=False)]
Queue = Annotated[
    str | None, typer.Option(help="The queue of the bus to look in, such as auth; without it, all.", show_default=False)
]


@dead.command("list", epilog=example("fluxgate dead list --queue auth --json"))
def dead_list(lane: Lane = None, queue: Queue = None, as_json: AsJson = False) -> None:
    """List the dead letters with their reasons."""
    from fluxgate.dead import Where, list_command

    raise typer.Exit(asyncio.run(list_command(resolved_settings(), as_json, Where(lane, queue))))


EntryId = Annotated[str, typer.Argument(help="The entry, as `fluxgate dead list` shows it.", show_default=False)]


@dead.command("show", epilog=example("fluxgate dead show 1763712000000-0"))
def dead_show(entry_id: EntryId, lane: Lane = None, queue: Queue = None, as_json: AsJson = False) -> None:
    """Show one dead letter in full."""
    from fluxgate.dead import Where, show_command

    raise typer.Exit(asyncio.run(show_command(resolved_settings(), entry_id, Where(lane, queue), as_json)))


@dead.command("replay", epilog=example("fluxgate dead replay 1763712000000-0"))
def dead_replay(
    entry_ids: Annotated[list[str] | None, typer.Argument(help="The entries to hand in.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Hand in all of them.")] = False,
    lane: Lane = None,
    queue: Queue = None,
) -> None:
    """Hand dead letters in again, after their cause is gone. However late they are, they are done."""
    from fluxgate.dead import Where, replay_command

    if bool(entry_ids) == every:
        raise typer.BadParameter("name the entries to hand in again, or give --all, and not both.")
    raise typer.Exit(asyncio.run(replay_command(resolved_settings(), entry_ids or [], Where(lane, queue))))


@dead.command("drop", epilog=example("fluxgate dead drop 1763712000000-0"))
def dead_drop(
    entry_ids: Annotated[list[str], typer.Argument(help="The entries to delete.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Also a command that was accepted: it is lost.")] = False,
    lane: Lane = None,
    queue: Queue = None,
) -> None:
    """Delete dead letters that nobody waits for, and print them."""
    from fluxgate.dead import Where, drop_command

    raise typer.Exit(asyncio.run(drop_command(resolved_settings(), entry_ids, Where(lane, queue), force)))


@cache.command("list", epilog=example("fluxgate cache list 'game:*'"))
def cache_list(
    pattern: Annotated[str, typer.Argument(help="Names; `*` and `?` stand for any letters.")] = "*",
    as_json: AsJson = False,
) -> None:
    """List cached answers: names, sizes, ages."""
    from fluxgate.cache import list_command

    raise typer.Exit(asyncio.run(list_command(resolved_settings(), pattern, as_json)))


@cache.command("drop", epilog=example("fluxgate cache drop 'user:7:*'"))
def cache_drop(
    pattern: Annotated[str, typer.Argument(help="Names; `*` and `?` stand for any letters.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Delete cached answers; the next reader of each has it made anew."""
    from fluxgate.cache import drop_command

    raise typer.Exit(asyncio.run(drop_command(resolved_settings(), pattern, as_json)))


Email = Annotated[str, typer.Argument(help="The e-mail address that the account has.", show_default=False)]


@user.command("create", epilog=example("fluxgate user create ann@shop.example --admin"))
def user_create(
    email: Email,
    admin: Annotated[bool, typer.Option("--admin", help="Give the role ADMIN.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make an account. The password is asked for: as an argument, everybody on this machine could see it."""
    from fluxgate.user import create_command

    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    asyncio.run(create_command(resolved_settings(), email, password, admin))


@user.command("credit", epilog=example("fluxgate user credit ann@shop.example 25.00"))
def user_credit(
    email: Email,
    amount: Annotated[str, typer.Argument(help="What is paid in, such as 25.00.", show_default=False)],
) -> None:
    """Put money on an account, and write it into the ledger."""
    from fluxgate.user import credit_command

    asyncio.run(credit_command(resolved_settings(), email, amount))


@user.command("keys", epilog=example("fluxgate user keys >> .env"))
def user_keys(
    in_force: Annotated[bool, typer.Option("--in-force", help="Print the public half of the keys in use.")] = False,
) -> None:
    """Make a seed for the auth worker, and print it with the public half that gateways need."""
    from fluxgate.user import keys_command

    keys_command(read_settings(), in_force)


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        sentence = _explain(error)
        if sentence is None:
            raise
        typer.echo(f"fluxgate: {sentence}", err=True)
        sys.exit(EXIT_REFUSED)


def _explain(error: Exception) -> str | None:
    if isinstance(error, SettingsError):
        return str(error)
    # Late, because it imports the clients of both servers, which a command that goes well may not need.
    from fluxgate.explain import explain

    return explain(error, read_settings())
