"""Opens the client of G2A that the settings ask for."""

from contract.settings import Settings, SettingsError
from contract.transport import open_redis
from workers.clients import g2a_contract, g2a_export
from workers.clients.breaker import Breaker
from workers.clients.counting import Counting
from workers.clients.g2a import G2A
from workers.clients.g2a_contract import ContractG2A
from workers.clients.g2a_export import ExportG2A
from workers.clients.g2a_line import Line
from workers.clients.http import CONNECTIONS_MAX, Upstream
from workers.clients.rate import Rate

NAME = "g2a"
"""What the rate and the counts of G2A are kept under."""


def open_g2a(settings: Settings) -> G2A:
    """A client of G2A, with connections of its own to Redis, where the rate and the counts are.

    Raises SettingsError where the settings do not say where G2A is, or what it knows us by.
    """
    api_hash, api_key, email = settings.g2a_credentials
    if not settings.g2a_at:
        raise SettingsError("FLUXGATE_G2A_URL must be set: there is no sandbox in production.")
    if not api_hash or not api_key:
        raise SettingsError("FLUXGATE_G2A_HASH and FLUXGATE_G2A_KEY must be set: G2A knows nobody without them.")
    is_contract = settings.g2a_dialect == "contract"
    if not is_contract and not email:
        raise SettingsError("FLUXGATE_G2A_EMAIL must be set: the export API of G2A takes it into its proof.")
    redis = open_redis(settings, connections=CONNECTIONS_MAX)
    upstream = Upstream(
        settings.g2a_at,
        timeout_s=settings.g2a_timeout_s,
        sign=g2a_contract.signing(api_hash, api_key) if is_contract else g2a_export.signing(api_hash, api_key, email),
        count=Counting(redis, NAME),
        breaker=Breaker(),
    )
    rate = Rate(redis, NAME, settings.g2a_rate_per_minute)
    secrets = (api_hash, api_key, email)
    if is_contract:
        return ContractG2A(Line(upstream, rate, {}, secrets, redis.aclose))
    return ExportG2A(Line(upstream, rate, g2a_export.MEANINGS, secrets, redis.aclose))
