"""The settings of the other parties: where they are, what they know us by, and the sandboxes that play them."""

from typing import Annotated, Literal, cast

from msgspec import Meta

from contract.base_settings import BaseSettings, Port

SANDBOX_CREDENTIALS = ("sandbox-hash", "sandbox-key", "sandbox@localhost")
"""Hash, key and e-mail address that the sandbox of G2A takes where none are set."""
AMAZON_SANDBOX_CLIENT = ("amzn1.sp.solution.sandbox", "amzn1.application-oa2-client.sandbox", "amzn1.oa2-cs.v1.sandbox")
"""Application, client and client secret that the sandbox of Amazon takes where none are set."""
GOATED_SANDBOX = ("SANDBOX", "sandbox-token", "sandbox-refresh")
"""Affiliate code, bearer token and refresh token that the sandbox of Goated takes where none are set."""


class UpstreamSettings(BaseSettings, frozen=True, kw_only=True):
    """What this house needs to know of the parties that its workers speak to."""

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
    # The page of Seller Central, in the region of the sellers, on which they let this application in. Empty: none, or
    # the sandbox's.
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
    # Where the leaderboard of Goated is, up to the affiliate code, and that code. Empty: the sandbox that `fluxgate up`
    # starts (development only).
    goated_url: str = ""
    goated_code: str = ""
    # The bearer token that it is asked with. Empty: none, or what the sandbox takes (development only).
    goated_token: str = ""
    # Where a new token is had when that one has expired, and the refresh token for it. Empty: nowhere.
    goated_token_url: str = ""
    goated_refresh_token: str = ""
    # How long Goated may take for one answer.
    goated_timeout_s: Annotated[float, Meta(ge=0.1, le=20)] = 20.0
    # Requests to Goated that all processes together make in a minute.
    goated_rate_per_minute: Annotated[int, Meta(ge=2, le=6000)] = 20
    # The prize pool of a monthly race, and the shares of it by position, which add up to 1.
    goated_prize_pool: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 500
    goated_prizes: str = "0.5 0.3 0.1 0.05 0.05"
    # The time zone whose months are the races.
    goated_zone: str = "UTC"
    # The port of Goated's sandbox, and how many people it has.
    goated_sandbox_port: Port = 4012
    goated_sandbox_users: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
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
        """The URL that gives access tokens; empty for Amazon's own."""
        own = f"{self._amazon_sandbox_at}/auth/o2/token" if self.is_amazon_sandboxed else ""
        return self.amazon_lwa_url or own

    @property
    def amazon_consent_at(self) -> str:
        """The URL of the page on which a seller lets this application in; empty where nobody has said it."""
        own = f"{self._amazon_sandbox_at}/apps/authorize/consent" if self.is_amazon_sandboxed else ""
        return self.amazon_consent_url or own

    @property
    def amazon_client(self) -> tuple[str, str, str]:
        """Application, client and client secret; in development what the sandbox takes, by default."""
        given = (self.amazon_app_id, self.amazon_client_id, self.amazon_client_secret)
        taken = AMAZON_SANDBOX_CLIENT if self.env == "development" else ("", "", "")
        return cast(tuple[str, str, str], tuple(one or other for one, other in zip(given, taken, strict=True)))

    @property
    def is_goated_sandboxed(self) -> bool:
        """Whether Goated is the sandbox of `fluxgate up`."""
        return not self.goated_url and self.env == "development"

    @property
    def goated_at(self) -> str:
        """The URL of the leaderboard, up to the affiliate code; empty where there is none."""
        if self.is_goated_sandboxed:
            return f"http://127.0.0.1:{self.goated_sandbox_port}/user/affiliate/referral-leaderboard"
        return self.goated_url.rstrip("/")

    @property
    def goated_token_at(self) -> str:
        """The URL that gives new tokens; empty where there is none."""
        own = f"http://127.0.0.1:{self.goated_sandbox_port}/auth/refresh" if self.is_goated_sandboxed else ""
        return self.goated_token_url or own

    @property
    def goated_credentials(self) -> tuple[str, str, str]:
        """Affiliate code, bearer token and refresh token; those of the sandbox where that is Goated, by default."""
        given = (self.goated_code, self.goated_token, self.goated_refresh_token)
        taken = GOATED_SANDBOX if self.is_goated_sandboxed else ("", "", "")
        return cast(tuple[str, str, str], tuple(one or other for one, other in zip(given, taken, strict=True)))

    @property
    def _amazon_sandbox_at(self) -> str:
        return f"http://127.0.0.1:{self.amazon_sandbox_port}"
