"""The embedded servers: found in their wheels, closed to others, found again, durable unless told otherwise."""

import asyncio
import dataclasses
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from bench.ports import free_port
from chaos.system import own_settings
from contract.settings import Settings
from fluxgate import embedded, postgres, valkey
from fluxgate.probes import Probe
from fluxgate.process import Identity, running
from fluxgate.refusal import Refusal
from fluxgate.server import wheel_file

DURABLE = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres as somebody else")


def accepts(port: int) -> Probe:
    """Whether somebody listens on a port, whatever they say."""

    async def probe() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    return probe


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_valkey_keeps_what_it_confirmed_and_asks_for_its_password(tmp_path: Path) -> None:
    port = free_port()
    async with embedded.valkey(tmp_path / "a directory", port) as url:
        client = redis.asyncio.Redis.from_url(url, decode_responses=True)
        assert await client.config_get(*DURABLE) == DURABLE
        await client.set("stock", 7)
        await client.aclose()
        with pytest.raises(AuthenticationError):
            await valkey.require_answer(f"redis://127.0.0.1:{port}")
    async with embedded.valkey(tmp_path / "a directory", free_port()) as url:
        client = redis.asyncio.Redis.from_url(url, decode_responses=True)
        assert await client.get("stock") == "7"
        await client.aclose()


@pytest.mark.parametrize("set_before", ["", "glibc.malloc.perturb=1"])
def test_valkey_has_its_tunables_beside_those_that_are_set(tmp_path: Path, set_before: str) -> None:
    argv = valkey.prepare(tmp_path, free_port()).child.argv
    program = argv.index(str(valkey.binary()))
    environ = {"GLIBC_TUNABLES": set_before, "PATH": os.defpath}
    shown = subprocess.run([*argv[:program], "/usr/bin/env"], env=environ, capture_output=True, text=True, check=True)
    wanted = f"{valkey.MALLOC}:{set_before}" if set_before else valkey.MALLOC
    assert f"GLIBC_TUNABLES={wanted}" in shown.stdout.splitlines()


@pytest.mark.slow
async def test_postgres_keeps_what_it_confirmed_and_asks_for_its_password(tmp_path: Path) -> None:
    port = free_port()
    async with embedded.postgres(tmp_path / "a directory", port) as url:
        connection = await asyncpg.connect(url)
        assert [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
        if sys.platform == "linux":
            # One call for each of its files would keep it away for too long when the disk is busy.
            assert await connection.fetchval("SHOW recovery_init_sync_method") == "syncfs"
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS stock")
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://{postgres.USER}:wrong@127.0.0.1:{port}/{postgres.DATABASE}")
    async with embedded.postgres(tmp_path / "a directory", free_port()) as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT stock FROM kept") == 7
        await connection.close()


@pytest.mark.slow
async def test_postgres_makes_its_database_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    port = free_port()
    server = await postgres.prepare(tmp_path, port, durable=False)
    child = dataclasses.replace(server.child, ready=accepts(port))
    async with running(child, tmp_path / "log"), asyncio.timeout(30):
        # As on a machine so busy that the first question is given up and asked again while createdb runs.
        while not all(await asyncio.gather(server.child.ready(), server.child.ready())):
            pass


@as_root
@pytest.mark.parametrize("identity", ["namespace", "nobody"])
async def test_postgres_runs_for_root_with_and_without_user_namespaces(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    if identity == "nobody":
        monkeypatch.setattr(postgres, "run_to_end", refusing_namespaces(postgres.run_to_end))
    # The user nobody cannot reach pytest's own directories.
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        server = await postgres.prepare(Path(directory) / "postgres", free_port(), durable=False)
        assert server.child.identity == identity
        async with embedded.postgres(Path(directory) / "postgres", free_port(), durable=False) as url:
            connection = await asyncpg.connect(url)
            await connection.close()


@as_root
async def test_a_directory_that_nobody_cannot_reach_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(postgres, "run_to_end", refusing_namespaces(postgres.run_to_end))
    with pytest.raises(Refusal, match="start this as an ordinary user, or set FLUXGATE_POSTGRES_URL"):
        await postgres.prepare(tmp_path / "postgres", free_port())


def refusing_namespaces(run_to_end):
    async def run(argv, identity, keep_open=()):
        if identity == "namespace":
            return 1, "no user namespace is allowed here"
        return await run_to_end(argv, identity, keep_open)

    return run


async def test_only_the_owner_can_read_what_a_server_keeps(tmp_path: Path) -> None:
    async with embedded.valkey(tmp_path / "valkey", free_port(), durable=False):
        assert mode(tmp_path / "valkey") == 0o700
        for name in ("password", "url", "valkey.conf"):
            assert mode(tmp_path / "valkey" / name) == 0o600


async def test_whoever_works_with_the_directory_finds_the_server(tmp_path: Path) -> None:
    settings = own_settings(tmp_path)
    assert embedded.resolve(settings) == settings
    async with embedded.valkey(tmp_path / "valkey", settings.redis_port, durable=False) as url:
        assert embedded.resolve(settings).redis_url == url
        assert embedded.resolve(Settings(data_dir=tmp_path, redis_url="redis://mine")).redis_url == "redis://mine"


def test_a_missing_wheel_is_a_refusal() -> None:
    with pytest.raises(Refusal, match="no-such-wheel is not installed"):
        wheel_file("no_such_wheel", "server", instead="FLUXGATE_REDIS_URL")
