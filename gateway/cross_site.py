"""Which pages may use a browser's cookies here: our own, and those of the origins in the settings.

A browser says of every request whether it is made for a page of another site, and of every one that writes, for which
origin; no page can make it say otherwise. So a request that says nothing of this comes from no browser, and has no
cookies that somebody else could misuse.
"""

from functools import lru_cache

from contract.settings import Settings
from gateway.replying import Reply
from gateway.rsgi import Header, Headers

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing, here as everywhere."""
METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "authorization, content-type, idempotency-key, prefer, x-idempotency-key, x-request-id, x-session-id"
EXPOSED = "age, idempotent-replayed, location, retry-after, x-request-id, x-session-id"
PREFLIGHT_TTL_S = 600
"""How long a browser need not ask again; an origin that is taken out of the settings may go on for as long."""
_OWN_SITE = frozenset(("same-origin", "none"))
"""What Sec-Fetch-Site says of our own pages, and of what a person has typed."""
_VARY: Header = ("vary", "origin")


def is_cross_site(headers: Headers, settings: Settings) -> bool:
    """Whether a browser sends this for a page that is neither ours nor of an origin in the settings."""
    origins = headers.get_all("origin")
    if len(origins) == 1 and (origins[0] == settings.gateway_at or origins[0] in _listed(settings.web_origins)):
        return False
    if "sec-fetch-site" in headers:
        sites = headers.get_all("sec-fetch-site")
        return not sites or not _OWN_SITE.issuperset(sites)
    # Behind a proxy that speaks TLS we do not know our own scheme, so host and port have to do.
    host = headers.get("host")
    return "origin" in headers and (len(origins) != 1 or origins[0] not in (f"http://{host}", f"https://{host}"))


def sharing(headers: Headers, settings: Settings) -> tuple[Header, ...]:
    """What lets pages of the origins in the settings read a reply, and those of no other."""
    if not settings.web_origins:
        return ()
    origin = headers.get("origin")
    if origin is None or origin not in _listed(settings.web_origins):
        return (_VARY,)
    return (
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", EXPOSED),
        _VARY,
    )


def preflight(headers: Headers, settings: Settings) -> Reply | None:
    """The answer to a browser that asks beforehand, for a page of an origin in the settings; None to anybody else."""
    if "access-control-request-method" not in headers or headers.get("origin") not in _listed(settings.web_origins):
        return None
    allowed = (
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", HEADERS),
        ("access-control-max-age", str(PREFLIGHT_TTL_S)),
    )
    return Reply(204, allowed, b"")


@lru_cache(8)
def _listed(origins: str) -> frozenset[str]:
    return frozenset(origin.rstrip("/") for origin in origins.split())
