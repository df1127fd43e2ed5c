"""The settings of gateway, sale, people and stores: those that name no other party.

`upstream_settings.py` adds the others.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535)]
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
RateOrOff = Annotated[float, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]

PRODUCTION_CLIENT_RATE_PER_S = 10.0
"""A person clicks once or twice a second; a household behind one address has several of them."""


class BaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What this house itself needs to know."""

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
