"""Opens the client of Goated."""

from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from workers.clients.breaker import Breaker
from workers.clients.counting import Counting
from workers.clients.goated import Goated
from workers.clients.goated_forms import BODY_MAX, require_json
from workers.clients.goated_line import Line, sign
from workers.clients.goated_tokens import Tokens, is_token
from workers.clients.http import Upstream
from workers.clients.rate import Rate

NAME = "goated"
"""What the rate and the counts of Goated are kept under."""
CONNECTIONS = 4
"""To Redis: fetches are made one after the other."""


def open_goated(settings: Settings) -> Goated:
    """A client of Goated, with connections of its own to Redis, where the rate and the counts are.

    Raises SettingsError where the settings do not say where Goated is, or whose leaderboard is meant.
    """
    code, token, refresh_token = settings.goated_credentials
    if not settings.goated_at:
        raise SettingsError("FLUXGATE_GOATED_URL must be set: there is no sandbox in production.")
    if not code:
        raise SettingsError("FLUXGATE_GOATED_CODE must be set: each affiliate has a leaderboard of his own.")
    if token and not is_token(token):
        raise SettingsError("FLUXGATE_GOATED_TOKEN is no bearer token: it has blanks, or letters that none can have.")
    redis = open_redis(settings, connections=CONNECTIONS)
    count = Counting(redis, NAME)
    upstream = Upstream(
        settings.goated_at,
        timeout_s=settings.goated_timeout_s,
        sign=sign,
        count=count,
        breaker=Breaker(),
        body_max=BODY_MAX,
        read=require_json,
    )
    renewing = None
    if settings.goated_token_at and refresh_token:
        timeout_s = settings.goated_timeout_s
        renewing = Upstream(settings.goated_token_at, timeout_s=timeout_s, sign=sign, count=count, breaker=Breaker())
    tokens = Tokens(renewing, token, refresh_token)
    rate = Rate(redis, NAME, settings.goated_rate_per_minute)
    return Line(upstream, code, tokens, rate, redis.aclose)
