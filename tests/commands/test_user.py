"""`fluxgate user`: accounts by hand, money with its row in the ledger, and keys that fit."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest
from typer.testing import CliRunner

from contract.auth_keys import private_keys, public_keys
from contract.settings import Settings, SettingsError, child_environ, read_settings
from fluxgate.cli import app
from fluxgate.refusal import Refusal
from fluxgate.user import DEPOSIT_MAX, create_command, credit_command, keys_command
from tests.support.desk import open_desk
from tests.support.people import PASSWORD, ask, fresh_email
from workers.auth import AUTH

ROOT = Path(__file__).parents[2]


async def fetch(settings: Settings, query: str, *given: object) -> list[asyncpg.Record]:
    """Rows of Postgres."""
    connection = await asyncpg.connect(settings.postgres_url)
    try:
        return await connection.fetch(query, *given)
    finally:
        await connection.close()


@pytest.fixture
async def bare(settings: Settings) -> AsyncIterator[Settings]:
    """Settings of a database that has no tables yet."""
    name = f"test_{secrets.token_hex(6)}"
    await fetch(settings, f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(settings.postgres_url)._replace(path=f"/{name}"))
    yield msgspec.structs.replace(settings, postgres_url=url)
    await fetch(settings, f"DROP DATABASE {name} WITH (FORCE)")


async def books(settings: Settings, email: str) -> tuple[Decimal, Decimal, int]:
    """Somebody's balance, the sum of his ledger, and its number of rows."""
    query = """
        SELECT balance, coalesce(sum(amount), 0) AS total, count(ledger.id) AS rows
        FROM users LEFT JOIN ledger ON user_id = users.id WHERE email = $1 GROUP BY users.id
    """
    [row] = await fetch(settings, query, email)
    return row["balance"], row["total"], row["rows"]


@pytest.mark.parametrize("name", ["create", "credit", "keys"])
def test_every_help_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(app, ["user", name, "--help"])
    assert shown.exit_code == 0
    assert f"fluxgate user {name}" in shown.output.partition("Example:")[2]


@pytest.mark.parametrize("admin", [False, True])
async def test_an_account_that_was_made_by_hand_can_log_in(
    settings: Settings, admin: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    email = fresh_email()
    await create_command(settings, email.upper(), PASSWORD, admin)
    async with open_desk(settings, AUTH) as desk:
        user = (await ask(desk, "login", email=email, password=PASSWORD)).data["user"]
    role = "ADMIN" if admin else "USER"
    assert user["role"] == role
    assert capsys.readouterr().out == f"{email} is {user['id']}, {role}.\n"


async def test_an_address_in_use_is_refused_and_its_account_left_alone(settings: Settings) -> None:
    email = fresh_email()
    await create_command(settings, email, PASSWORD, admin=False)
    before = await fetch(settings, "SELECT * FROM users WHERE email = $1", email)
    with pytest.raises(Refusal, match=f"There is an account with the address {email}; nothing was changed"):
        await create_command(settings, email, "another password", admin=True)
    assert await fetch(settings, "SELECT * FROM users WHERE email = $1", email) == before


@pytest.mark.parametrize(("email", "password"), [("ann", PASSWORD), ("", "short")])
async def test_what_no_account_may_have_is_refused_here_too(settings: Settings, email: str, password: str) -> None:
    with pytest.raises(Refusal, match="must"):
        await create_command(settings, email or fresh_email(), password, admin=False)


async def test_the_password_comes_from_standard_input_and_stands_in_no_argument(settings: Settings) -> None:
    email = fresh_email()
    argv = [sys.executable, "-m", "fluxgate", "user", "create", email, "--admin", "--password-stdin"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=ROOT, env=child_environ(settings), stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, err = await process.communicate(f"{PASSWORD}\n".encode())
    assert (process.returncode, err) == (0, b"")
    assert out.decode().startswith(f"{email} is ")
    assert PASSWORD.encode() not in out
    async with open_desk(settings, AUTH) as desk:
        assert (await ask(desk, "login", email=email, password=PASSWORD)).status == 200


def test_a_password_is_asked_for_twice_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    async def create(settings: Settings, email: str, password: str, admin: bool) -> None:
        given.append(password)

    monkeypatch.setattr("fluxgate.user.create_command", create)
    shown = CliRunner().invoke(app, ["user", "create", "a@b"], input=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n")
    assert (shown.exit_code, given) == (0, [PASSWORD])
    assert PASSWORD not in shown.output


async def test_a_deposit_is_in_the_balance_and_in_the_ledger(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    email = fresh_email()
    await create_command(settings, email, PASSWORD, admin=False)
    for amount in ("25", "0.01", "9.90"):
        await credit_command(settings, f" {email.upper()} ", amount)
    assert await books(settings, email) == (Decimal("34.91"), Decimal("34.91"), 3)
    assert capsys.readouterr().out.splitlines()[-1].endswith(" has 34.91.")


async def test_deposits_at_once_all_count(settings: Settings) -> None:
    email = fresh_email()
    await create_command(settings, email, PASSWORD, admin=False)
    await asyncio.gather(*(credit_command(settings, email, "0.10") for _ in range(8)))
    assert await books(settings, email) == (Decimal("0.80"), Decimal("0.80"), 8)


@pytest.mark.parametrize(
    "amount", ["", "0", "-1", "0.001", "1e-9", "1e999999", "NaN", "Infinity", "ten", str(DEPOSIT_MAX + 1)]
)
async def test_what_is_no_amount_is_refused(settings: Settings, amount: str) -> None:
    email = fresh_email()
    await create_command(settings, email, PASSWORD, admin=False)
    with pytest.raises(Refusal, match=r"is no amount: it must be like 25 or 9.99"):
        await credit_command(settings, email, amount)
    assert await books(settings, email) == (0, 0, 0)


async def test_a_balance_that_would_be_too_large_is_refused_and_nothing_is_written(settings: Settings) -> None:
    email = fresh_email()
    await create_command(settings, email, PASSWORD, admin=False)
    await fetch(settings, "UPDATE users SET balance = 9999999999.99 WHERE email = $1", email)
    with pytest.raises(Refusal, match=r"cannot grow by 1.00: it would be too large"):
        await credit_command(settings, email, "1")
    assert await books(settings, email) == (Decimal("9999999999.99"), 0, 0)


async def test_a_deposit_for_nobody_is_refused(settings: Settings) -> None:
    with pytest.raises(Refusal, match=r"Nobody has the address nobody@shop.example"):
        await credit_command(settings, "nobody@shop.example", "1")


async def test_without_our_tables_it_says_how_to_make_them(bare: Settings) -> None:
    with pytest.raises(Refusal, match="make them with `fluxgate schema`"):
        await create_command(bare, fresh_email(), PASSWORD, admin=False)


def test_new_keys_are_settings_that_fit_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys_command(Settings(data_dir=tmp_path), in_force=False)
    dotenv = tmp_path / ".env"
    dotenv.write_text(capsys.readouterr().out + "FLUXGATE_ENV=production\nFLUXGATE_ADMIN_KEY=0123456789abcdef\n")
    settings = read_settings({}, dotenv)
    assert private_keys(settings).public == public_keys(settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env"]


def test_the_public_half_in_force_is_that_of_the_data_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=tmp_path)
    keys_command(settings, in_force=True)
    assert capsys.readouterr().out == f"FLUXGATE_AUTH_PUBLIC={private_keys(settings).public.text}\n"
    with pytest.raises(SettingsError):
        keys_command(Settings(env="production"), in_force=True)
