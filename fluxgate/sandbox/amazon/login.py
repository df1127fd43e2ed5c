"""Login with Amazon, and the page on which a seller lets an application in."""

import hmac
import re
from urllib.parse import parse_qsl, urlencode

from fluxgate.sandbox.amazon.state import State
from fluxgate.sandbox.replies import Refused, ok
from fluxgate.sandbox.serving import Reply, Request

RETURN = re.compile(r"https?://[!-~]{1,1000}")
STATE = re.compile(r"[!-~]{1,1000}")


async def give_token(state: State, request: Request) -> Reply:
    """POST /auth/o2/token"""
    form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
    _check_client(state, form)
    match form.get("grant_type"):
        case "refresh_token":
            seller = _seller_of(state, _field(form, "refresh_token"))
            if state.control.rotates:
                state.tokens.replace(seller)
                return _granted(state, seller, state.tokens.refresh_token(seller))
            return _granted(state, seller, form["refresh_token"])
        case "authorization_code":
            seller = state.tokens.take_code(_field(form, "code"), form.get("redirect_uri", ""))
            if seller is None:
                raise Refused(400, "invalid_grant", "The request has an invalid grant parameter : code")
            if seller in state.control.revoked:
                state.tokens.replace(seller)
                state.control.revoked.remove(seller)
            return _granted(state, seller, state.tokens.refresh_token(seller))
        case None:
            raise Refused(400, "invalid_request", "The request is missing a required parameter : grant_type")
        case _:
            raise Refused(400, "unsupported_grant_type", "The grant type is not supported")


async def consent(state: State, request: Request) -> Reply:
    """GET /apps/authorize/consent: sends the seller back at once; with `deny=1`, without a code."""
    query = request.query
    if query.get("application_id") != state.settings.amazon_client[0]:
        raise Refused(400, "MD1000", "There is no such application.")
    if not RETURN.fullmatch(query.get("redirect_uri", "")):
        raise Refused(400, "MD5101", "redirect_uri is no URL of the web.")
    if not STATE.fullmatch(query.get("state", "")):
        raise Refused(400, "MD5110", "state is missing.")
    seller, back = state.control.seller, query["redirect_uri"]
    if query.get("deny") == "1" or state.control.consent == "denied":
        said = {"error": "access_denied", "error_description": "The seller has said no.", "state": query["state"]}
    else:
        code = state.tokens.make_code(seller, back)
        said = {"state": query["state"], "selling_partner_id": seller, "spapi_oauth_code": code}
    to = f"{back}{'&' if '?' in back else '?'}{urlencode(said)}"
    return Reply(302, headers=(("location", to), ("cache-control", "no-store")), content_type="text/html")


def _check_client(state: State, form: dict[str, str]) -> None:
    _, known, secret = state.settings.amazon_client
    if _field(form, "client_id") != known:
        raise Refused(401, "invalid_client", "Client authentication failed")
    if not hmac.compare_digest(_field(form, "client_secret").encode(), secret.encode()):
        raise Refused(401, "invalid_client", "Client authentication failed")


def _field(form: dict[str, str], name: str) -> str:
    if not form.get(name):
        raise Refused(400, "invalid_request", f"The request is missing a required parameter : {name}")
    return form[name]


def _seller_of(state: State, refresh_token: str) -> str:
    seller = state.tokens.seller_of(refresh_token)
    if seller is None:
        raise Refused(400, "invalid_grant", "The request has an invalid grant parameter : refresh_token")
    return seller


def _granted(state: State, seller: str, refresh_token: str) -> Reply:
    granted = {
        "access_token": state.tokens.make_access(seller),
        "token_type": "bearer",
        "expires_in": state.control.expires_in_s,
        "refresh_token": refresh_token,
    }
    return ok(granted)._replace(headers=(("cache-control", "no-store"), ("pragma", "no-cache")))
