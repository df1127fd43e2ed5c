"""URLs of servers: checked before a library meets them, and shown without the password in them."""

from urllib.parse import urlsplit

from contract.settings import Settings
from fluxgate.refusal import Refusal

SCHEMES = {
    "redis_url": ("redis", "rediss", "unix"),
    "postgres_url": ("postgresql", "postgres"),
}


def require_urls(settings: Settings) -> Settings:
    """The settings, when the URLs in them can be used. Raises Refusal with the variable's name otherwise."""
    for field, schemes in SCHEMES.items():
        url = getattr(settings, field)
        if url and not _usable(url, schemes):
            raise Refusal(f"FLUXGATE_{field.upper()} must be a URL such as {schemes[0]}://host:1234/name.")
    return settings


def place(url: str) -> str:
    """Where a URL points to, for people; without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path}{'' if parts.port is None else f':{parts.port}'}"


def _usable(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what finds it to be no number.
        return parts.scheme in schemes and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
