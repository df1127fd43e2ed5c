"""Settings: where they come from, what they default to, and one sentence for each that cannot be used."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from contract.settings import PREFIX, Settings, SettingsError, child_environ, read_settings, settings_environ

DEFAULTS: dict[str, Any] = {
    "env": "development",
    "host": "127.0.0.1",
    "port": 3000,
    "waiting_room_port": 4000,
    "waiting_room_url": "",
    "gateway_url": "",
    "return_origins": "",
    "data_dir": Path(".fluxgate"),
    "redis_url": "",
    "redis_port": 6390,
    "postgres_url": "",
    "postgres_port": 5490,
    "gateway_workers": 1,
    "connections_max": 8192,
    "lanes": 1,
    "rate_per_s": 50.0,
    "burst": 0,
    "client_rate_per_s": None,
    "trusted_proxies": "",
    "idempotency_ttl_s": 60,
    "backlog_max": 200_000,
    "redis_timeout_s": 2.0,
    "body_timeout_s": 5.0,
    "ask_timeout_s": 5.0,
    "lease_s": 5.0,
    "reaper_every_s": 5.0,
    "admin_key": "",
    "order_auth": "off",
    "auth_seed": "",
    "auth_public": "",
    "access_token_ttl_s": 900,
    "refresh_token_ttl_s": 2_592_000,
    "web_origins": "",
    "smtp_url": "",
    "mail_from": "shop@localhost",
    "log_level": "info",
    "g2a_url": "",
    "g2a_dialect": "contract",
    "g2a_hash": "",
    "g2a_key": "",
    "g2a_email": "",
    "g2a_rate_per_minute": 600,
    "g2a_timeout_s": 8.0,
    "g2a_webhook_scheme": "contract",
    "g2a_webhook_secret": "",
    "g2a_webhook_secret_old": "",
    "g2a_sandbox_port": 4010,
    "g2a_sandbox_products": 200,
    "amazon_url": "",
    "amazon_lwa_url": "",
    "amazon_consent_url": "",
    "amazon_app_id": "",
    "amazon_client_id": "",
    "amazon_client_secret": "",
    "amazon_refresh_token": "",
    "amazon_marketplace": "ATVPDKIKX0DER",
    "amazon_orders_api": "v0",
    "amazon_finances_api": "v0",
    "amazon_history_days": 90,
    "amazon_reread_days": 7,
    "amazon_timeout_s": 8.0,
    "amazon_return_url": "",
    "amazon_sandbox_port": 4011,
    "goated_url": "",
    "goated_code": "",
    "goated_token": "",
    "goated_token_url": "",
    "goated_refresh_token": "",
    "goated_timeout_s": 20.0,
    "goated_rate_per_minute": 20,
    "goated_prize_pool": 500,
    "goated_prizes": "0.5 0.3 0.1 0.05 0.05",
    "goated_zone": "UTC",
    "goated_sandbox_port": 4012,
    "goated_sandbox_users": 500,
    "vault_seeds": "",
}
KEY = "0123456789abcdef"


def read(tmp_path: Path, dotenv: str = "", **environ: str) -> Settings:
    """Settings of this environment and this `.env`."""
    path = tmp_path / ".env"
    path.write_text(dotenv)
    return read_settings({PREFIX + name.upper(): value for name, value in environ.items()}, path)


def refusal(tmp_path: Path, dotenv: str = "", **environ: str) -> str:
    """The sentence that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, dotenv, **environ)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_without_anything_every_setting_has_its_default(tmp_path: Path) -> None:
    assert msgspec.structs.asdict(read(tmp_path)) == DEFAULTS


def test_a_missing_dotenv_is_no_fault(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path / "none") == Settings()


@pytest.mark.parametrize("field", DEFAULTS)
def test_every_setting_is_read_from_the_environment(tmp_path: Path, field: str) -> None:
    given = {
        "env": "production",
        "host": "0.0.0.0",
        "waiting_room_url": "https://wait.example.com/",
        "gateway_url": "https://shop.example.com",
        "data_dir": "elsewhere",
        "log_level": "debug",
        "admin_key": KEY,
        "order_auth": "required",
        "refresh_token_ttl_s": "3600",
        "g2a_url": "https://g2a.example.com",
        "g2a_dialect": "g2a",
        "g2a_timeout_s": "3.0",
        "g2a_webhook_scheme": "standard",
        "amazon_url": "https://sellingpartnerapi-na.example.com",
        "amazon_lwa_url": "https://lwa.example.com/auth/o2/token",
        "amazon_consent_url": "https://sellers.example.com/consent",
        "amazon_return_url": "https://shop.example.com/connected",
        "amazon_orders_api": "2026-01-01",
        "amazon_finances_api": "2024-06-19",
        "amazon_timeout_s": "3.0",
        "goated_url": "https://goated.example.com/user/affiliate/referral-leaderboard",
        "goated_token_url": "https://goated.example.com/token",
        "goated_timeout_s": "3.0",
    }.get(field, "33" if not isinstance(DEFAULTS[field], str) else "some text")
    settings = read(tmp_path, **{"admin_key": KEY, field: given})
    assert str(getattr(settings, field)) in (given, "33.0")
    assert getattr(settings, field) != DEFAULTS[field]


def test_an_empty_value_means_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, port="", redis_url="", admin_key="") == Settings()


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_default(tmp_path: Path) -> None:
    settings = read(tmp_path, "FLUXGATE_PORT=4444\nFLUXGATE_BURST=7\n", port="5555")
    assert (settings.port, settings.burst, settings.redis_port) == (5555, 7, 6390)


def test_an_empty_value_in_the_environment_hides_that_of_dotenv(tmp_path: Path) -> None:
    assert read(tmp_path, "FLUXGATE_PORT=4444\n", port="").port == 3000


def test_dotenv_takes_comments_quotes_spaces_and_equals_signs(tmp_path: Path) -> None:
    dotenv = f"# FLUXGATE_PORT=1\n\n  FLUXGATE_HOST = '0.0.0.0' \nFLUXGATE_ADMIN_KEY=\"{KEY}==\"\nnonsense\nOTHER=1\n"
    settings = read(tmp_path, dotenv)
    assert (settings.host, settings.admin_key, settings.port) == ("0.0.0.0", KEY + "==", 3000)


def test_a_secret_comes_from_the_file_that_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(KEY + "\n")
    assert read(tmp_path, admin_key_file=str(secret)).admin_key == KEY
    assert read(tmp_path, f"FLUXGATE_ADMIN_KEY_FILE={secret}\n").admin_key == KEY


def test_a_secret_file_of_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(KEY)
    # `.env` as copied from the example, where every name stands.
    for line in ("FLUXGATE_ADMIN_KEY=\n", "FLUXGATE_ADMIN_KEY=other\n"):
        assert read(tmp_path, line, admin_key_file=str(secret)).admin_key == KEY


def test_a_value_wins_over_a_file_of_the_same_place(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(KEY)
    assert read(tmp_path, admin_key="from the value", admin_key_file=str(secret)).admin_key == "from the value"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("port", "0"),
        ("port", "65536"),
        ("port", "3000.5"),
        ("port", "three"),
        ("waiting_room_port", "-1"),
        ("redis_port", "x"),
        ("postgres_port", "x"),
        ("gateway_workers", "0"),
        ("gateway_workers", "65"),
        ("connections_max", "15"),
        ("lanes", "0"),
        ("lanes", "65"),
        ("rate_per_s", "0"),
        ("rate_per_s", "nan"),
        ("rate_per_s", "inf"),
        ("rate_per_s", "1000001"),
        ("burst", "-1"),
        ("burst", "1000001"),
        ("client_rate_per_s", "-0.1"),
        ("idempotency_ttl_s", "0"),
        ("backlog_max", "0"),
        ("redis_timeout_s", "0"),
        ("body_timeout_s", "nan"),
        ("ask_timeout_s", "-1"),
        ("lease_s", "soon"),
        ("reaper_every_s", "1e9"),
        ("env", "staging"),
        ("log_level", "verbose"),
        ("waiting_room_url", "example.com/wait"),
        ("waiting_room_url", "javascript://x"),
        ("waiting_room_url", "https://a b"),
        ("waiting_room_url", "http://["),
        ("gateway_url", "ftp://example.com"),
        ("gateway_url", "http://example.com/\r\nSet-Cookie: a=b"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_sentence_that_names_it(
    tmp_path: Path, field: str, value: str
) -> None:
    sentence = refusal(tmp_path, **{field: value})
    assert sentence.startswith(PREFIX + field.upper() + " ")
    assert repr(value) in sentence


def test_a_word_that_is_none_of_the_choices_is_told_the_choices(tmp_path: Path) -> None:
    sentence = "FLUXGATE_ENV cannot be 'prod': expected development or production."
    assert refusal(tmp_path, env="prod") == sentence


def test_production_refuses_to_start_without_an_admin_key_of_some_length(tmp_path: Path) -> None:
    for key in ("", "short"):
        assert refusal(tmp_path, env="production", admin_key=key).startswith("FLUXGATE_ADMIN_KEY must be set")
    assert read(tmp_path, env="production", admin_key=KEY).env == "production"


def test_a_secret_file_that_cannot_be_read_is_refused_by_its_variable(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, admin_key_file=str(tmp_path / "none"))
    assert sentence.startswith("FLUXGATE_ADMIN_KEY_FILE names ")
    assert "No such file" in sentence


def test_a_file_that_is_no_text_is_refused_and_not_shown(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfesecret")
    sentence = refusal(tmp_path, admin_key_file=str(binary))
    assert sentence.startswith("FLUXGATE_ADMIN_KEY_FILE names ")
    assert "secret'" not in sentence
    with pytest.raises(SettingsError, match="not text"):
        read_settings({}, binary)


def test_a_child_reads_the_very_settings_of_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        env="production", admin_key=KEY, rate_per_s=0.001, data_dir=tmp_path, port=1234, redis_url="redis://h:1/0"
    )
    monkeypatch.setenv("FLUXGATE_BURST", "99")
    monkeypatch.setenv("UNRELATED", "kept")
    other = tmp_path / ".env"
    other.write_text("FLUXGATE_HOST=other\nFLUXGATE_POSTGRES_URL=postgresql://other\n")
    environ = child_environ(settings)
    assert read_settings(environ, other) == settings
    assert environ["UNRELATED"] == "kept"
    assert read_settings(settings_environ(Settings()), other) == Settings()
