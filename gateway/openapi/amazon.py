"""How accounts at Amazon are described."""

from functools import partial
from urllib.parse import urlencode

from contract.amazon import CALLBACK_AT, SELLER_ID, STATE
from contract.upstream_settings import AMAZON_SANDBOX_CLIENT
from gateway.openapi.flat import done, route, told
from gateway.openapi.people import OPAQUE
from gateway.openapi.problems import INSTANT, Problem
from gateway.openapi.schemas import TEXT, Part, ref, word
from gateway.openapi.syncs import COMPLETED, FAMILY, SYNC_OR_NULL

AT = "/api/v1/integrations/amazon"
SHOP_AT = "https://shop.example"
"""Where the gateway of the examples is."""
CONSENT_AT = "https://sellercentral.example/apps/authorize/consent"
"""And where its sellers let it in."""
SELLER, MARKETPLACE = "A1SANDBOXSELLER", "ATVPDKIKX0DER"
CODE = "ANCodeOfTheConsent"
"""What stands in the examples for the code that Amazon sends along."""
_TEXT_OR_NULL: Part = {"type": ["string", "null"]}
_FLAG: Part = {"type": "boolean"}
_INSTANT: Part = ref("schemas", "Instant")
_INSTANT_OR_NULL: Part = {"anyOf": [_INSTANT, {"type": "null"}]}

_CONNECTED: Part = {"connected": True, "sellerId": SELLER, "marketplaceId": MARKETPLACE, "connectedAt": INSTANT}
_STATUS_EXAMPLE: Part = {
    "connected": True,
    "status": "connected",
    "sellerId": SELLER,
    "marketplaceId": MARKETPLACE,
    "connectedAt": INSTANT,
    "endedAt": None,
    "needsReconnect": False,
    "isSandbox": True,
    "syncInProgress": False,
    "lastSync": COMPLETED,
}
_ASKED = {"application_id": AMAZON_SANDBOX_CLIENT[0], "state": OPAQUE, "redirect_uri": SHOP_AT + CALLBACK_AT}
_BACK: Part = {
    "description": "The account is connected, and the seller is sent to the page that the settings name.",
    "headers": {
        "Location": ref("headers", "SellerLocation"),
        **{name: ref("headers", name) for name in ("Cache-Control", "X-Request-Id")},
    },
}


def _query(name: str, text: str, pattern: str = "") -> Part:
    schema: Part = {"type": "string", "maxLength": 255, **({"pattern": f"^{pattern}$"} if pattern else {})}
    return {"name": name, "in": "query", "description": text, "schema": schema}


_route = partial(route, family=FAMILY)
_START, _CALLBACK, _DISCONNECT, _STATUS = f"{AT}/auth/start", CALLBACK_AT, f"{AT}/disconnect", f"{AT}/status"
PATHS: Part = {
    _START: _route(
        _START,
        "get",
        "connectAmazon",
        "Where a seller lets us in. He has ten minutes, and comes back to `auth/callback`.",
        done("Send the browser there.", "AuthUrl", begun={"authUrl": f"{CONSENT_AT}?{urlencode(_ASKED)}"}),
        Problem(503, "AMAZON_NOT_SET_UP"),
    ),
    _CALLBACK: _route(
        _CALLBACK,
        "get",
        "finishAmazon",
        "Where Amazon sends a seller back to. The same user has to be logged in who began.",
        done("The account is connected.", "AmazonConnected", connected=_CONNECTED),
        Problem(
            400,
            "CONSENT_DENIED",
            "Amazon has connected nothing: the consent was not given. Begin again to give it.",
        ),
        Problem(
            400, "CONSENT_UNKNOWN", "This connection was not begun here, or too long ago. Begin again.", "begin_again"
        ),
        Problem(
            400,
            "BAD_REQUEST",
            "Amazon sends spapi_oauth_code and selling_partner_id along, and these are none. Begin again.",
        ),
        Problem(
            400,
            "CONSENT_REFUSED",
            "Amazon does not accept this consent: it was used before, or given too long ago. Begin again.",
        ),
        Problem(503, "AMAZON_UNAVAILABLE"),
        Problem(503, "AMAZON_DENIED"),
        Problem(503, "KEYS_DIFFER"),
        parameters=[
            _query("state", "As it stood in `authUrl`.", STATE.pattern),
            _query("spapi_oauth_code", "What Amazon gives for the consent."),
            _query("selling_partner_id", "Who the seller is at Amazon.", SELLER_ID.pattern),
            _query("error", "Why there is no consent."),
        ],
        also={"303": _BACK},
        headers=["Referrer-Policy"],
    ),
    _DISCONNECT: _route(
        _DISCONNECT,
        "post",
        "disconnectAmazon",
        "Forget the token of the account, and cancel a sync that is running. Repeated, it says the same.",
        done("There is no account any more.", "AmazonDisconnected", disconnected={"connected": False}),
    ),
    _STATUS: _route(
        _STATUS,
        "get",
        "readAmazonStatus",
        "Whether an account is connected, and what became of its last sync.",
        done("As it is now.", "AmazonStatus", status=_STATUS_EXAMPLE),
    ),
}


SCHEMAS: Part = {
    "AuthUrl": told({"authUrl": {"type": "string", "format": "uri"}}),
    "AmazonConnected": told({"connected": _FLAG, "sellerId": TEXT, "marketplaceId": TEXT, "connectedAt": _INSTANT}),
    "AmazonDisconnected": told({"connected": {"const": False}}),
    "AmazonStatus": told(
        {
            "connected": _FLAG,
            "status": word("connected", "disconnected", "revoked", "not_connected"),
            "sellerId": _TEXT_OR_NULL,
            "marketplaceId": _TEXT_OR_NULL,
            "connectedAt": _INSTANT_OR_NULL,
            "endedAt": _INSTANT_OR_NULL,
            "needsReconnect": {"type": "boolean", "description": "Amazon no longer accepts the connection."},
            "isSandbox": _FLAG,
            "syncInProgress": _FLAG,
            "lastSync": SYNC_OR_NULL,
        }
    ),
}
HEADERS: Part = {
    "Referrer-Policy": {"description": "Nobody shall read the URL, which holds a code.", "schema": TEXT},
    "SellerLocation": {"description": "The page that the settings name.", "schema": TEXT},
}
