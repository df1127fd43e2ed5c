"""Every setting of Flux-Gate, typed, checked once, and passed down as one value.

This is the only module that reads the environment. A setting comes from, in this order: the environment, the file
`.env` in the working directory, the default below; in both of the first it may be given as `<NAME>_FILE`, a file whose
content is the value, for secrets. `.env.example` lists exactly these fields; a test keeps the two equal.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from contract.base_settings import BaseSettings, Port

PREFIX = "FLUXGATE_"
SANDBOX_CREDENTIALS = ("sandbox-hash", "sandbox-key", "sandbox@localhost")
"""Hash, key and e-mail address that the sandbox of G2A takes where none are set."""
AMAZON_SANDBOX_CLIENT = ("amzn1.sp.solution.sandbox", "amzn1.application-oa2-client.sandbox", "amzn1.oa2-cs.v1.sandbox")
"""Application, client and client secret that the sandbox of Amazon takes where none are set."""
LWA_URL = "https://api.amazon.com/auth/o2/token"
CONSENT_URL = "https://sellercentral.amazon.com/apps/authorize/consent"


class SettingsError(Exception):
    """A setting that cannot be used. The message names the variable and says what it takes."""


class Settings(BaseSettings, frozen=True, kw_only=True):
    """The settings of one process. The field `rate_per_s` is the variable `FLUXGATE_RATE_PER_S`."""

    # Where the API of G2A is. Empty: the sandbox that `fluxgate up` starts (development only).
    g2a_url: str = ""
    # Which of the two it speaks there: the contract of this project, or the export API of G2A itself.
    g2a_dialect: Literal["contract", "g2a"] = "contract"
    # What G2A knows us by: the hash, the key (its secret), and for its export API the e-mail address of the account.
    # Empty: what the sandbox takes (development only).
    g2a_hash: str = ""
    g2a_key: str = ""
    g2a_email: str = ""
    # Requests to G2A that all processes together make in a minute.
    g2a_rate_per_minute: Annotated[int, Meta(ge=20, le=10_000_000)] = 600
    # How long G2A may take for one answer.
    g2a_timeout_s: Annotated[float, Meta(ge=0.1, le=20)] = 8.0
    # How the webhooks of G2A are signed: as the contract says, or as Standard Webhooks.
    g2a_webhook_scheme: Literal["contract", "standard"] = "contract"
    # The secret that they are signed with; Standard Webhooks write theirs as whsec_ and base64. Empty: the hash above.
    g2a_webhook_secret: str = ""
    # The secret before that one, good as well while a new one is brought in. Empty: none.
    g2a_webhook_secret_old: str = ""
    # The port of G2A's sandbox.
    g2a_sandbox_port: Port = 4010
    # Products of the sandbox's catalogue.
    g2a_sandbox_products: Annotated[int, Meta(ge=0, le=1_000_000)] = 200
    # Where the Selling Partner API of Amazon is. Empty: the sandbox that `fluxgate up` starts (development only).
    amazon_url: str = ""
    # Where Login with Amazon gives access tokens. Empty: Amazon itself, or the sandbox.
    amazon_lwa_url: str = ""
    # The page on which a seller lets this application in. Empty: Seller Central, or the sandbox's.
    amazon_consent_url: str = ""
    # What Amazon knows this application by: its id, its client id, and its client secret. Empty: what the sandbox takes
    # (development only).
    amazon_app_id: str = ""
    amazon_client_id: str = ""
    amazon_client_secret: str = ""
    # The refresh token of an account for everybody who has connected none of his own. Empty: there is no such account.
    amazon_refresh_token: str = ""
    # The marketplace that is synced.
    amazon_marketplace: str = "ATVPDKIKX0DER"
    # Which versions of Amazon's APIs are spoken: v0 of orders ends on 2027-03-27, v0 of finances on 2027-08-27.
    amazon_orders_api: Literal["v0", "2026-01-01"] = "v0"
    amazon_finances_api: Literal["v0", "2024-06-19"] = "v0"
    # How far back the first sync of an account looks, in days.
    amazon_history_days: Annotated[int, Meta(ge=1, le=730)] = 90
    # How many days before the last sync financial events are read again: Amazon tells of some of them late.
    amazon_reread_days: Annotated[int, Meta(ge=1, le=180)] = 7
    # How long Amazon may take for one answer.
    amazon_timeout_s: Annotated[float, Meta(ge=0.1, le=20)] = 8.0
    # The page that a seller is sent to after he has connected his account. Empty: he gets an answer in JSON.
    amazon_return_url: str = ""
    # The port of Amazon's sandbox.
    amazon_sandbox_port: Port = 4011
    # Seeds of 64 hexadecimal digits, separated by spaces, that keys of games and tokens of accounts lie sealed with:
    # the first seals, each of them opens. Only workers need them. Empty: one is made, and kept in the data directory
    # (development only).
    vault_seeds: str = ""

    @property
    def is_g2a_sandboxed(self) -> bool:
        """Whether G2A is the sandbox of `fluxgate up`."""
        return not self.g2a_url and self.env == "development"

    @property
    def g2a_at(self) -> str:
        """The URL that the paths of G2A's API begin with; empty where there is none."""
        if not self.is_g2a_sandboxed:
            return self.g2a_url.rstrip("/")
        return f"http://127.0.0.1:{self.g2a_sandbox_port}/" + ("contract" if self.g2a_dialect == "contract" else "v1")

    @property
    def g2a_credentials(self) -> tuple[str, str, str]:
        """Hash, key and e-mail address that G2A knows us by; in development what its sandbox takes, by default."""
        given = (self.g2a_hash, self.g2a_key, self.g2a_email)
        taken = SANDBOX_CREDENTIALS if self.env == "development" else ("", "", "")
        return cast(tuple[str, str, str], tuple(one or other for one, other in zip(given, taken, strict=True)))

    @property
    def g2a_webhook_secrets(self) -> tuple[str, ...]:
        """Secrets that a webhook of G2A may be signed with, the one in force first; none where none are set."""
        in_force = self.g2a_webhook_secret or self.g2a_credentials[0]
        return tuple(secret for secret in (in_force, self.g2a_webhook_secret_old) if secret)

    @property
    def is_amazon_sandboxed(self) -> bool:
        """Whether Amazon is the sandbox of `fluxgate up`."""
        return not self.amazon_url and self.env == "development"

    @property
    def amazon_at(self) -> str:
        """The URL that the paths of Amazon's API begin with; empty where there is none."""
        return self._amazon_sandbox_at if self.is_amazon_sandboxed else self.amazon_url.rstrip("/")

    @property
    def amazon_lwa_at(self) -> str:
        """The URL that gives access tokens."""
        own = f"{self._amazon_sandbox_at}/auth/o2/token" if self.is_amazon_sandboxed else LWA_URL
        return self.amazon_lwa_url or own

    @property
    def amazon_consent_at(self) -> str:
        """The URL of the page on which a seller lets this application in."""
        own = f"{self._amazon_sandbox_at}/apps/authorize/consent" if self.is_amazon_sandboxed else CONSENT_URL
        return self.amazon_consent_url or own

    @property
    def amazon_client(self) -> tuple[str, str, str]:
        """Application, client and client secret; in development what the sandbox takes, by default."""
        given = (self.amazon_app_id, self.amazon_client_id, self.amazon_client_secret)
        taken = AMAZON_SANDBOX_CLIENT if self.env == "development" else ("", "", "")
        return cast(tuple[str, str, str], tuple(one or other for one, other in zip(given, taken, strict=True)))

    @property
    def _amazon_sandbox_at(self) -> str:
        return f"http://127.0.0.1:{self.amazon_sandbox_port}"


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
