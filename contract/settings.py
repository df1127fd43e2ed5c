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

Port = Annotated[int, Meta(ge=1, le=65535)]
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
RateOrOff = Annotated[float, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]

PREFIX = "FLUXGATE_"
SANDBOX_CREDENTIALS = ("sandbox-hash", "sandbox-key", "sandbox@localhost")
"""Hash, key and e-mail address that the sandbox of G2A takes where none are set."""
PRODUCTION_CLIENT_RATE_PER_S = 10.0
"""A person clicks once or twice a second; a household behind one address has several of them."""


class SettingsError(Exception):
    """A setting that cannot be used. The message names the variable and says what it takes."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one process. The field `rate_per_s` is the variable `FLUXGATE_RATE_PER_S`."""

    # Where this runs: development, or production, which refuses to start with unsafe settings.
    env: Literal["development", "production"] = "development"
    # The address that gateway and waiting room listen on.
    host: str = "127.0.0.1"
    # The gateway's port.
    port: Port = 3000
    # The waiting room's port.
    waiting_room_port: Port = 4000
    # Where a diverted buyer is sent. Empty: http://localhost:<waiting room port>.
    waiting_room_url: str = ""
    # Where the waiting room reaches the gateway, as a buyer's browser sees it. Empty: http://localhost:<port>.
    gateway_url: str = ""
    # Origins that the waiting room may send a buyer back to, separated by spaces. Empty: the gateway's own.
    return_origins: str = ""
    # Data of the embedded Valkey and Postgres, and the logs of `fluxgate up`.
    data_dir: Path = Path(".fluxgate")
    # The Redis or Valkey to use. Empty: an embedded Valkey, started by `fluxgate up`.
    redis_url: str = ""
    # The port of the embedded Valkey.
    redis_port: Port = 6390
    # The Postgres to use. Empty: an embedded Postgres, started by `fluxgate up`.
    postgres_url: str = ""
    # The port of the embedded Postgres.
    postgres_port: Port = 5490
    # Gateway processes; each is one core at most.
    gateway_workers: Annotated[int, Meta(ge=1, le=64)] = 1
    # Connections that one gateway process serves at once; more wait in the kernel's queue.
    connections_max: Annotated[int, Meta(ge=16, le=1_000_000)] = 8192
    # Lanes that the products are spread over, each with a token bucket and an outbox of its own. Rate, burst and
    # backlog below are of all lanes together: each has its equal share. Every process needs the same number.
    lanes: Annotated[int, Meta(ge=1, le=64)] = 1
    # Tokens per second that the sale's token bucket gains, over all gateway processes and lanes.
    rate_per_s: Rate = 50.0
    # Tokens that the bucket holds when it is full, over all lanes. 0: as many as it gains in a second, at least one.
    burst: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    # Tokens per second of one client address, in each lane. 0: no limit by client. Empty: 0 in development, 10 in
    # production.
    client_rate_per_s: RateOrOff | None = None
    # Proxies, separated by spaces, whose X-Forwarded-For names the client. Empty: the peer is the client.
    trusted_proxies: str = ""
    # How long Redis remembers an idempotency key after its order has been persisted. Postgres never forgets.
    idempotency_ttl_s: Annotated[int, Meta(ge=1, le=2_592_000)] = 60
    # Commands that may wait for a worker, over all lanes, before new ones get 503.
    backlog_max: Annotated[int, Meta(ge=1, le=100_000_000)] = 200_000
    # How long a command of Redis may take before its outcome counts as unknown.
    redis_timeout_s: Seconds = 2.0
    # How long a request may take to send its body.
    body_timeout_s: Seconds = 5.0
    # How long a question to a worker may wait for its answer.
    ask_timeout_s: Seconds = 5.0
    # How long a worker may hold entries without settling them before another worker takes them over.
    lease_s: Seconds = 5.0
    # How often the reaper proves the books.
    reaper_every_s: Seconds = 5.0
    # The key that `/init` and the admin routes ask for in X-Admin-Key. Empty: they ask for none (development only).
    admin_key: str = ""
    # Whether POST /order asks for an access token, whose subject `userId` must then be.
    order_auth: Literal["off", "required"] = "off"
    # 64 hexadecimal digits that the keys of the auth worker are derived from; whoever has them can make access tokens.
    # Only workers need it. Empty: made once, and kept in the data directory (development only).
    auth_seed: str = ""
    # The public half of those keys, as `fluxgate user keys` prints it; it is what a gateway needs. Empty: derived from
    # the seed (development only).
    auth_public: str = ""
    # How long an access token is good for. It is short, because nothing takes it back.
    access_token_ttl_s: Annotated[int, Meta(ge=30, le=86_400)] = 900
    # How long a login lasts, however often its refresh token is renewed.
    refresh_token_ttl_s: Annotated[int, Meta(ge=60, le=31_536_000)] = 2_592_000
    # Origins, separated by spaces, whose pages may use the cookies of this one. Empty: only the gateway's own.
    web_origins: str = ""
    # The mail server, such as smtp://user:password@host:587. Empty: no mail is sent.
    smtp_url: str = ""
    # Whom mails are from.
    mail_from: str = "shop@localhost"
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
    # Seeds of 64 hexadecimal digits, separated by spaces, that the keys of games lie sealed with: the first seals, each
    # of them opens. Only workers need them. Empty: one is made, and kept in the data directory (development only).
    vault_seeds: str = ""
    # The least severe log lines that are written; debug has a line for every request.
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def burst_tokens(self) -> int:
        """The capacity of the token bucket, in tokens."""
        return self.burst or max(1, int(self.rate_per_s))

    @property
    def lane_rate_per_s(self) -> float:
        """Tokens per second that the bucket of one lane gains: its share of the rate."""
        return self.rate_per_s / self.lanes

    @property
    def lane_burst(self) -> int:
        """The capacity of one lane's token bucket: its share of the burst, and at least one token."""
        return max(1, self.burst_tokens // self.lanes)

    @property
    def lane_backlog_max(self) -> int:
        """Commands that may wait in one lane: its share of the backlog, and at least one."""
        return max(1, self.backlog_max // self.lanes)

    @property
    def client_rate(self) -> float:
        """Tokens per second of one client address; 0 where there is no limit."""
        if self.client_rate_per_s is not None:
            return self.client_rate_per_s
        return PRODUCTION_CLIENT_RATE_PER_S if self.env == "production" else 0.0

    @property
    def waiting_room_at(self) -> str:
        """The absolute URL that a diverted buyer is sent to: a constant of the configuration, never input."""
        return self.waiting_room_url or f"http://localhost:{self.waiting_room_port}"

    @property
    def gateway_at(self) -> str:
        """The absolute URL of the gateway as a buyer's browser sees it."""
        return (self.gateway_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def redis_at(self) -> str:
        """The URL of Redis: the given one, or the embedded server's."""
        return self.redis_url or f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def postgres_at(self) -> str:
        """The URL of Postgres: the given one, or the embedded server's."""
        return self.postgres_url or f"postgresql://fluxgate@127.0.0.1:{self.postgres_port}/fluxgate"

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


def _check(settings: Settings) -> None:
    for field in ("waiting_room_url", "gateway_url", "g2a_url"):
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
