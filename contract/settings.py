"""Every setting of Flux-Gate, typed, checked once, and passed down as one value.

The fields stand in `base_settings.py` and `upstream_settings.py`; this is the only module that reads the environment.
A setting comes from, in this order: the environment, the file `.env` in the working directory, the default of its
field; in both of the first it may be given as `<NAME>_FILE`, a file whose content is the value, for secrets.
`.env.example` lists exactly these fields; a test keeps the two equal.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec

from contract.upstream_settings import UpstreamSettings

PREFIX = "FLUXGATE_"


class SettingsError(Exception):
    """A setting that cannot be used. The message names the variable and says what it takes."""


class Settings(UpstreamSettings, frozen=True, kw_only=True):
    """The settings of one process. The field `rate_per_s` is the variable `FLUXGATE_RATE_PER_S`."""


def read_settings(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Read, convert and check all settings.

    `environ` defaults to the process's environment, `dotenv` to `.env` in the working directory. Raises
    SettingsError with one sentence that names the variable at fault.
    """
    given: Mapping[str, str] = os.environ if environ is None else environ
    sources: tuple[Mapping[str, str], ...] = (given, _read_dotenv(dotenv or Path(".env")), {})
    values: dict[str, str] = {}
    for field in Settings.__struct_fields__:
        name = PREFIX + field.upper()
        source = next((source for source in sources if name in source or name + "_FILE" in source), sources[-1])
        if name in source:
            # Empty means the default, also where a later source says otherwise: so a child reads what its parent did.
            values[field] = source[name]
        elif name + "_FILE" in source:
            values[field] = _read_text(name + "_FILE", Path(source[name + "_FILE"])).strip()
    settings = _convert({field: value for field, value in values.items() if value != ""})
    _check(settings)
    return settings


def settings_environ(settings: Settings) -> dict[str, str]:
    """The environment that makes a child process read these very settings."""
    values = {field: getattr(settings, field) for field in Settings.__struct_fields__}
    return {PREFIX + field.upper(): "" if value is None else str(value) for field, value in values.items()}


def child_environ(settings: Settings) -> dict[str, str]:
    """The environment for a process that we start: ours, with these settings over it."""
    return {**os.environ, **settings_environ(settings)}


def _convert(values: dict[str, str]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`")
        choices = get_args(get_type_hints(Settings).get(field)) if reason.startswith("Invalid enum") else ()
        reason = f"expected {' or '.join(choices)}" if choices else f"{reason[:1].lower()}{reason[1:]}"
        raise SettingsError(f"{PREFIX}{field.upper()} cannot be {values.get(field, '')!r}: {reason}.") from None


def _decode_path(wanted: type, value: object) -> object:
    if wanted is Path:
        return Path(str(value))
    raise TypeError(f"No setting is a {wanted.__name__}.")


_URLS = (
    "waiting_room_url",
    "gateway_url",
    "g2a_url",
    "amazon_url",
    "amazon_lwa_url",
    "amazon_consent_url",
    "amazon_return_url",
    "goated_url",
    "goated_token_url",
)


def _check(settings: Settings) -> None:
    for field in _URLS:
        url: str = getattr(settings, field)
        if url and not _is_web_url(url):
            raise SettingsError(f"{PREFIX}{field.upper()} must be an absolute http or https URL, not {url!r}.")
    if settings.env == "production" and len(settings.admin_key) < 16:
        raise SettingsError(
            "FLUXGATE_ADMIN_KEY must be set, to 16 characters or more, when FLUXGATE_ENV is production."
        )


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and all(c > " " for c in url)


def _read_text(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{name} names {str(path)!r}, which cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name} names {str(path)!r}, which is not text in UTF-8.") from None


def _read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for line in _read_text("The working directory", path).splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("'\"")
    return values
