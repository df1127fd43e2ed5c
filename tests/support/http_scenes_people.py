"""Scenes of people, and of commands that took too long; all but what every route of /api has in common."""

from chaos.waiting import until
from tests.support.http import get, post
from tests.support.http_stage import Prepare, Scene, Stage

JSON = "Content-Type: application/json"
PASSWORD = "correct horse battery"
REGISTER, LOGIN = "POST /api/auth/register", "POST /api/auth/login"
REFRESH, LOGOUT, ME = "POST /api/auth/refresh", "POST /api/auth/logout", "GET /api/auth/me"
AS_ANN, AS_ADMIN = "Authorization: Bearer {ann}", "Authorization: Bearer {admin}"
TOKENS_KEPT = (("{ann}", "data.token"), ("{refresh}", "data.refreshToken"))
TRIES = 10
"""Wrong passwords, or registrations of one address, after which there are no more for some time."""


def person(name: str, **more: str) -> str:
    """The body of a registration or a login."""
    fields = {"email": f"{name}@shop.example", "password": PASSWORD} | more
    return "{" + ",".join(f'"{field}":"{value}"' for field, value in fields.items()) + "}"


def tried(path: str, name: str) -> Prepare:
    """Somebody has tried it as often as he may."""

    async def prepare(stage: Stage) -> None:
        for _ in range(TRIES):
            await post(stage.store, path, {"email": f"{name}@shop.example", "password": "wrong"})

    return prepare


def handed_over(path: str, document: object, **headers: str) -> Prepare:
    """A command that its client did not want to wait for, and that is done by now."""

    async def prepare(stage: Stage) -> None:
        given = {name: stage.known.get(value, value) for name, value in headers.items()}
        answer = await post(stage.store, path, document, Prefer="respond-async", **given)
        assert answer.status == 202, answer
        url = stage.known["{command}"] = answer.headers["location"]

        async def done() -> bool:
            return (await get(stage.store, url)).status != 202

        await until(done)

    return prepare


def _command(status: int, path: str, document: object, **headers: str) -> Scene:
    return Scene("readCommand", status, "", "GET {command}", on="store", prepare=handed_over(path, document, **headers))


_REGISTER_AT, _LOGIN_AT = REGISTER.split()[1], LOGIN.split()[1]
_ANN = {"email": "ann@shop.example", "password": PASSWORD}
SCENES = [
    Scene(
        "register",
        201,
        "registered",
        REGISTER,
        person("ann", nickname="Ann"),
        (JSON,),
        "store",
        keep=TOKENS_KEPT,
    ),
    Scene("register", 400, "bad-request", REGISTER, '{"email":"ann@shop.example"}', (JSON,), "store"),
    Scene("register", 400, "invalid-email", REGISTER, person("an n"), (JSON,), "store"),
    Scene("register", 400, "invalid-password", REGISTER, person("ben", password="short"), (JSON,), "store"),
    Scene("register", 400, "invalid-name", REGISTER, person("ben", nickname="b" * 65), (JSON,), "store"),
    Scene("register", 409, "user-exists", REGISTER, person("ann"), (JSON,), "store"),
    Scene(
        "register",
        429,
        "too-many-attempts",
        REGISTER,
        person("cem"),
        (JSON,),
        "store",
        prepare=tried(_REGISTER_AT, "cem"),
    ),
    Scene("login", 200, "logged-in", LOGIN, person("ann"), (JSON,), "store", keep=(("{other}", "data.token"),)),
    Scene("login", 400, "bad-request", LOGIN, '{"email":"ann@shop.example"}', (JSON,), "store"),
    Scene("login", 401, "invalid-credentials", LOGIN, person("ann", password="a wrong one"), (JSON,), "store"),
    Scene(
        "login",
        429,
        "too-many-attempts",
        LOGIN,
        person("cem"),
        (JSON,),
        "store",
        prepare=tried(_LOGIN_AT, "cem"),
    ),
    Scene("refreshTokens", 200, "refreshed", REFRESH, '{"refreshToken":"{refresh}"}', (JSON,), "store"),
    Scene("refreshTokens", 400, "bad-request", REFRESH, '{"refreshToken":5}', (JSON,), "store"),
    Scene("refreshTokens", 401, "invalid-token", REFRESH, '{"refreshToken":"guess"}', (JSON,), "store"),
    Scene("refreshTokens", 401, "unauthorized", REFRESH, "{}", (JSON,), "store"),
    Scene("readMe", 200, "me", ME, headers=(AS_ANN,), on="store"),
    Scene("logout", 200, "logged-out", LOGOUT, headers=("Authorization: Bearer {other}",), on="store"),
    Scene("logout", 400, "bad-request", LOGOUT, '{"refreshToken":5}', (JSON,), "store"),
    Scene("readMe", 401, "login-has-ended", ME, headers=("Authorization: Bearer {other}",), on="store"),
    _command(201, _REGISTER_AT, {"email": "dora@shop.example", "password": PASSWORD}),
    _command(200, _LOGIN_AT, _ANN),
    _command(401, _LOGIN_AT, _ANN | {"password": "a wrong one"}),
    _command(409, _REGISTER_AT, _ANN),
    Scene("readCommand", 404, "command-not-found", "GET /api/commands/42", on="store"),
    Scene("logout", 202, "pending", LOGOUT, on="idle", keep=(("{command}", "data.url"),)),
    Scene("readCommand", 202, "pending", "GET {command}", on="idle"),
]
