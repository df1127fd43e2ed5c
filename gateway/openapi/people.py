"""How the routes of people, and of commands that took too long, are described."""

from typing import Any

from gateway.auth import LOGIN_EXAMPLE, REFRESH_EXAMPLE, REGISTER_EXAMPLE, Credentials, Registration, Renewal
from gateway.openapi.envelopes import api, json_body, pending, struct_schemas, success
from gateway.openapi.problems import (
    BAD_SESSION,
    CROSS_SITE,
    KEYS_DIFFER,
    LATER,
    MALFORMED_HEAD,
    TOO_LARGE_A_FORM,
    Problem,
    as_at_once,
)
from gateway.openapi.schemas import ORDER_ID, TEXT, Part, record, ref, word

FAMILY = "People"
JWT = "eyJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiIwMTlhNmYzYyJ9.c2lnbmF0dXJl"
OPAQUE = "YS1zZWNyZXQtdGhhdC1ub2JvZHktY2FuLWd1ZXNzLS0"
"""What stands in the examples for access tokens, and for refresh tokens and keys: 43 characters each of those."""
ANN = {"email": "ann@shop.example", "password": "correct horse battery"}
_USER = {"id": ORDER_ID, "email": ANN["email"], "nickname": "Ann", "role": "USER"}
_TOKENS = {"user": _USER, "token": JWT, "refreshToken": OPAQUE, "expiresIn": 900}

_MOVED = {"gameId": "half-life", "title": "Half-Life", "added": 1, "quantity": 1}
_GONE = {"gameId": "braid", "title": "braid", "reason": "OUT_OF_STOCK", "quantity": 1}
_MIGRATION: Part = {
    "cart": {"moved": [_MOVED], "merged": [], "capped": [], "unavailable": [_GONE]},
    "wishlist": {"moved": [], "skipped": [], "unavailable": []},
}
_TOO_MANY = Problem(429, "TOO_MANY_ATTEMPTS", "Too many attempts. Come back later.", "retry_later", retryable=True)
_SEALED = (TOO_LARGE_A_FORM, CROSS_SITE, KEYS_DIFFER)
_SENT: dict[str, Part] = {"202": ref("responses", "PendingSealed")}


def _given(text: str, **examples: Any) -> Part:
    return success(text, "Login", "Set-Cookie", **examples)


_REGISTER = api(
    "register",
    "Make an account, and log in. The cart of the guest session that came along is taken over.",
    FAMILY,
    {"201": _given("The account is made.", registered=_TOKENS), **_SENT},
    Problem(400, "BAD_REQUEST", f"Object missing required field `password`. Send JSON such as {REGISTER_EXAMPLE}."),
    Problem(400, "INVALID_EMAIL", "The e-mail address must look like name@shop.example, in at most 254 characters."),
    Problem(400, "INVALID_PASSWORD", "The password must have 8 to 128 characters."),
    Problem(400, "INVALID_NAME", "The nickname must have at most 64 characters, and no control characters."),
    Problem(409, "USER_EXISTS", "There is an account with this e-mail address.", "log_in"),
    BAD_SESSION,
    _TOO_MANY,
    *_SEALED,
    audience="anybody",
    body=json_body("Registration", {**ANN, "nickname": "Ann"}),
    parameters=[ref("parameters", "SessionId")],
)
_LOGIN = api(
    "login",
    "Log in. The cart of the guest session that came along is taken over; `migration` tells what became of it.",
    FAMILY,
    {"200": _given("These are the tokens.", logged_in=_TOKENS, with_cart=_TOKENS | {"migration": _MIGRATION}), **_SENT},
    Problem(400, "BAD_REQUEST", f"Object missing required field `password`. Send JSON such as {LOGIN_EXAMPLE}."),
    Problem(401, "INVALID_CREDENTIALS", "The e-mail address or the password is wrong.", "log_in"),
    BAD_SESSION,
    _TOO_MANY,
    *_SEALED,
    audience="anybody",
    body=json_body("Credentials", ANN),
    parameters=[ref("parameters", "SessionId")],
)
_REFRESH = api(
    "refreshTokens",
    "Exchange a refresh token for the next tokens. It is good once: one that comes again ends its login.",
    FAMILY,
    {"200": _given("These are the next tokens.", refreshed=_TOKENS), **_SENT},
    Problem(
        400,
        "BAD_REQUEST",
        f"Expected `str`, got `int`, in the field refreshToken. Send JSON such as {REFRESH_EXAMPLE}.",
    ),
    Problem(401, "INVALID_TOKEN", "This login has ended. Log in again.", "log_in"),
    Problem(
        401, "UNAUTHORIZED", f"Send the refresh token as a cookie, or as JSON such as {REFRESH_EXAMPLE}.", "log_in"
    ),
    *_SEALED,
    audience="anybody",
    body=json_body("Renewal", {"refreshToken": OPAQUE}, required=False),
    parameters=[ref("parameters", "RefreshCookie")],
)
_LOGOUT = api(
    "logout",
    "End the login of whichever token came along, and of all its refresh tokens.",
    FAMILY,
    {
        "200": success(
            "It has ended.", record({"loggedOut": {"const": True}}), "Set-Cookie", logged_out={"loggedOut": True}
        ),
    },
    Problem(
        400,
        "BAD_REQUEST",
        f"Expected `str`, got `int`, in the field refreshToken. Send JSON such as {REFRESH_EXAMPLE}.",
    ),
    *_SEALED,
    audience="anybody",
    body=json_body("Renewal", {"refreshToken": OPAQUE}, required=False),
    parameters=[ref("parameters", "RefreshCookie")],
)
_ME = api(
    "readMe",
    "Who has logged in, and what there is to spend.",
    FAMILY,
    {"200": success("The user.", "Me", me={"user": _USER, "balance": 0})},
    Problem(401, "INVALID_TOKEN", "This login has ended. Log in again.", "log_in", "login-has-ended"),
    audience="people",
)

_COMMAND = api(
    "readCommand",
    "What came of a command that was answered with 202: the answer as it would have been at once, without cookies.",
    "Commands",
    {
        "200": success("It is done.", {}),
        "201": success("It is done, and something was made.", {}),
        "400": as_at_once(400, MALFORMED_HEAD),
        "404": as_at_once(404, Problem(404, "COMMAND_NOT_FOUND", "There is no such command.")),
        "500": as_at_once(500),
        "503": as_at_once(503, LATER),
        **{str(status): as_at_once(status) for status in (401, 409, 422)},
    },
    audience="anybody",
    parameters=[ref("parameters", "CommandId")],
)

PATHS: Part = {
    "/api/auth/register": {"post": _REGISTER},
    "/api/auth/login": {"post": _LOGIN},
    "/api/auth/refresh": {"post": _REFRESH},
    "/api/auth/logout": {"post": _LOGOUT},
    "/api/auth/me": {"get": _ME},
    "/api/commands/{commandId}": {"get": _COMMAND},
}

_NAME: Part = {"type": ["string", "null"], "maxLength": 64}
_NEW: Part = {
    "email": {"type": "string", "format": "email", "maxLength": 254},
    "password": {"type": "string", "minLength": 8, "maxLength": 128},
}
"""What the auth worker checks: the gateway hands both over sealed."""
_STRUCTS = struct_schemas(Registration, Credentials, Renewal)
_STRUCTS["Registration"]["properties"] |= _NEW | dict.fromkeys(("nickname", "firstName", "lastName"), _NAME)
SCHEMAS: Part = {
    **_STRUCTS,
    "User": record(
        {
            "id": TEXT,
            "email": TEXT,
            "nickname": TEXT,
            "role": word("USER", "ADMIN"),
            "firstName": TEXT,
            "lastName": TEXT,
            "avatar": TEXT,
        },
        "firstName",
        "lastName",
        "avatar",
    ),
    "Login": record(
        {
            "user": ref("schemas", "User"),
            "token": {**TEXT, "description": "The access token, for `Authorization: Bearer`."},
            "refreshToken": TEXT,
            "expiresIn": {"type": "integer", "minimum": 1, "description": "Seconds that the access token is good for."},
            "migration": {"oneOf": [ref("schemas", "Migration"), record({"status": word("pending")})]},
        },
        "migration",
    ),
    "Me": record({"user": ref("schemas", "User"), "balance": ref("schemas", "Money")}),
}
PARAMETERS: Part = {
    "RefreshCookie": {
        "name": "refresh_token",
        "in": "cookie",
        "description": "The refresh token, where the body has none.",
        "schema": TEXT,
    },
    "CommandId": {
        "name": "commandId",
        "in": "path",
        "required": True,
        "description": "As the 202 gave it, with what stands behind the dot.",
        "schema": {"type": "string", "minLength": 1},
        "example": ORDER_ID,
    },
}
RESPONSES: Part = {"PendingSealed": pending(late_key=OPAQUE)}
