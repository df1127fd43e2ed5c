"""`fluxgate doctor`: everything that has to be right for the promises to hold, looked at and put in a table."""

import os
import platform
import sys
from collections.abc import Iterator
from typing import Any, Literal, cast

import asyncpg
import msgspec
from redis.exceptions import RedisError, ResponseError
from rich.console import Console
from rich.table import Table
from rich.text import Text

import lua
from contract.auth_keys import private_keys, public_keys
from contract.bus import SERVICES
from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from fluxgate import postgres, valkey
from fluxgate.data_directory import is_held
from fluxgate.embedded import resolve
from fluxgate.explain import explain
from fluxgate.ports import require_free, wanted_ports
from fluxgate.refusal import Refusal
from sql import load_queries, schema_missing

PYTHON_LEAST = (3, 11)
# Lua scripts with a `#!lua` line came with this one.
REDIS_LEAST = (7, 0)
# What Redis has to be told, and what would happen otherwise.
REDIS_CONFIG = {
    "appendonly": ("yes", "an order that was accepted is lost when Redis ends"),
    "appendfsync": ("always", "orders of the last second are lost when the machine fails"),
    "no-appendfsync-on-rewrite": ("no", "orders are lost when the machine fails during a rewrite"),
    "maxmemory-policy": ("noeviction", "stock and orders are thrown away when memory runs out"),
}
CONNECT_WITHIN_S = 5
# A command that somebody waits for is answered within this, done or not.
UNTAKEN_S = 60.0
MARKS = {"ok": ("ok", "green"), "wrong": ("wrong", "bold red"), "off": ("-", "dim")}


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is (`off`: it could not be looked at, and need not), and what there is to say."""

    what: str
    state: Literal["ok", "wrong", "off"]
    detail: str


async def command(settings: Settings, as_json: bool) -> int:
    """Print the findings; gives 1 when one of them is wrong."""
    findings = await examine(settings)
    if as_json:
        print(msgspec.json.encode(findings).decode())
    else:
        _print_table(findings)
    return int(any(finding.state == "wrong" for finding in findings))


async def examine(given: Settings) -> list[Finding]:
    """Look at everything."""
    running = is_held(given.data_dir)
    return [
        _python(),
        _data_directory(given),
        _keys(given, running),
        *_binaries(given),
        *_ports(given, running),
        *await _redis(given, running),
        *await _postgres(given, running),
    ]


def _python() -> Finding:
    state = "ok" if sys.version_info >= PYTHON_LEAST else "wrong"
    return Finding("Python", state, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _data_directory(given: Settings) -> Finding:
    wanted = given.data_dir.absolute()
    nearest = next(path for path in (wanted, *wanted.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Finding("data directory", "ok", str(wanted))
    return Finding("data directory", "wrong", f"nothing can be written in {nearest}; set FLUXGATE_DATA_DIR")


def _binaries(given: Settings) -> Iterator[Finding]:
    for what, url, binary in (
        ("Valkey's program", given.redis_url, valkey.binary),
        ("Postgres's program", given.postgres_url, postgres.binary),
    ):
        if url:
            yield Finding(what, "off", "not needed: a server of your own is set")
            continue
        try:
            yield Finding(what, "ok", str(binary()))
        except Refusal as refusal:
            yield Finding(what, "wrong", str(refusal))


def _ports(given: Settings, running: bool) -> Iterator[Finding]:
    for port in wanted_ports(given):
        what = f"port {port.number}"
        if running:
            yield Finding(what, "ok", f"{port.what} of the Flux-Gate that runs here")
            continue
        try:
            require_free([port])
            yield Finding(what, "ok", f"free, for {port.what}")
        except Refusal as refusal:
            yield Finding(what, "wrong", str(refusal))


async def _redis(given: Settings, running: bool) -> list[Finding]:
    if not given.redis_url and not running:
        return [Finding("Redis", "off", "not running; `fluxgate up` starts it")]
    client = cast("Any", open_redis(resolve(given), connections=1))
    try:
        version = (await client.info("server"))["redis_version"]
        config = await client.config_get(*REDIS_CONFIG)
        lanes = [*await _lanes(client, given), *await _queues(client)]
    except (RedisError, OSError) as error:
        return [Finding("Redis", "wrong", explain(error, given) or str(error))]
    finally:
        await client.aclose()
    new_enough = tuple(int(part) for part in version.split(".")[:2]) >= REDIS_LEAST
    least = ".".join(map(str, REDIS_LEAST))
    findings = [Finding("Redis", "ok" if new_enough else "wrong", f"speaks as {version}, {least} is needed")]
    for name, (wanted, otherwise) in REDIS_CONFIG.items():
        value = config.get(name, "")
        right = value == wanted
        findings.append(
            Finding(f"Redis {name}", "ok" if right else "wrong", value if right else f"{value}: {otherwise}")
        )
    return findings + lanes


async def _lanes(client: lua.Client, given: Settings) -> list[Finding]:
    """Whether the number of lanes fits the sales in Redis, and each lane can be read."""
    in_force = await lua.lanes_in_force(client) or given.lanes
    try:
        await lua.check_lanes(client, given.lanes)
        findings = [Finding("lanes", "ok", str(given.lanes))]
    except lua.LanesDiffer as differ:
        findings = [Finding("lanes", "wrong", str(differ))]
    for keys in lua.every_lane(in_force):
        try:
            await lua.snapshot(client, keys)
            await lua.read_figures(client, keys)
        except ResponseError as error:
            findings.append(Finding(f"lane {keys.lane}", "wrong", f"cannot be read: {error}"))
    return findings


async def _queues(client: lua.Client) -> list[Finding]:
    """Whether the queues of the command bus can be read, and whether something lies in them that no worker takes."""
    findings: list[Finding] = []
    for worker in SERVICES:
        try:
            (queue,) = await lua.read_queues(client, [worker])
        except ResponseError as error:
            findings.append(Finding(f"queue {worker}", "wrong", f"cannot be read: {error}"))
            continue
        if queue.oldest_s > UNTAKEN_S:
            detail = (
                f"the oldest of {queue.waiting} commands has waited for {queue.oldest_s:.0f} s; does its worker run?"
            )
            findings.append(Finding(f"queue {worker}", "wrong", detail))
    return findings


def _keys(given: Settings, running: bool) -> Finding:
    """Whether the keys of the auth worker are there and fit. In development whoever comes first makes them."""
    made_later = not given.auth_seed and not given.auth_public and not running
    if made_later and given.env != "production":
        return Finding("auth keys", "off", "not set; the first process makes them, in the data directory")
    try:
        # Who has the seed is told whether the public half belongs to it; a gateway's host has that half alone.
        public = private_keys(given).public if given.auth_seed else public_keys(given)
    except SettingsError as error:
        return Finding("auth keys", "wrong", str(error))
    return Finding("auth keys", "ok", f"the public half begins with {public.text[:8]}")


async def _postgres(given: Settings, running: bool) -> list[Finding]:
    if not given.postgres_url and not running:
        return [Finding("Postgres", "off", "not running; `fluxgate up` starts it")]
    url = resolve(given).postgres_at
    try:
        connection = cast("Any", await asyncpg.connect(url, timeout=CONNECT_WITHIN_S))
        try:
            row = await connection.fetchrow(load_queries("doctor")["read_durability"])
        finally:
            await connection.close()
        missing = await schema_missing(url)
    except (asyncpg.PostgresError, OSError) as error:
        return [Finding("Postgres", "wrong", explain(error, given) or str(error))]
    durable = row["synchronous_commit"] != "off" and row["fsync"] == "on"
    otherwise = "" if durable else ": orders that were acknowledged are lost when the machine fails"
    return [
        Finding("Postgres", "ok", row["version"]),
        Finding(
            "Postgres commits",
            "ok" if durable else "wrong",
            f"synchronous_commit {row['synchronous_commit']}, fsync {row['fsync']}{otherwise}",
        ),
        Finding("Postgres schema", "wrong" if missing else "ok", _schema_sentence(missing)),
    ]


def _schema_sentence(missing: list[str]) -> str:
    return f"{', '.join(missing)} missing; run `fluxgate schema`" if missing else "up to date"


def _print_table(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("looked at", "", "found"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        mark, style = MARKS[finding.state]
        table.add_row(Text(finding.what), Text(mark, style=style), Text(finding.detail))
    Console().print(table)
