"""Scenes of what all routes of /api have in common, made from their description: each refuses them in the same way."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gateway.body import API_BODY_MAX, SALE_BODY_MAX
from gateway.openapi import DOCUMENT
from tests.support.http_scenes_people import AS_ADMIN, AS_ANN, JSON
from tests.support.http_stage import Scene

_FORMS = ("/api/auth/", "/api/webhooks/")
Case = tuple[str, int, str]


class _Sound(NamedTuple):
    """A request that a route would serve."""

    line: str
    body: str
    token: str
    others: tuple[str, ...]

    def scene(self, case: Case, **changes: Any) -> Scene:
        own = (self.token,) if self.token else ()
        sent = {"body": self.body, "headers": (*own, *self.others), "on": "store"} | changes
        return Scene(*case, request=self.line, common=True, **sent)


def resolved(part: Any) -> Any:
    """A part of the document, with its references followed."""
    while "$ref" in part:
        _, _, kind, name = part["$ref"].split("/")
        part = DOCUMENT["components"][kind][name]
    return part


def common_scenes(own: Iterable[Scene]) -> Iterator[Scene]:
    """A scene for each documented example of a route of /api that is in none of these scenes, where we know one."""
    done = {(scene.operation, scene.status, scene.example) for scene in own}
    for path, item in DOCUMENT["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in item.items():
            sound = _sound(method, path, operation)
            for case in _cases(operation):
                if case not in done and (scene := _scene(case, sound, path)):
                    yield scene


def _cases(operation: Any) -> Iterator[Case]:
    for status, response in operation["responses"].items():
        for content in resolved(response).get("content", {}).values():
            for example in content.get("examples", {}):
                yield operation["operationId"], int(status), example


def _sound(method: str, path: str, operation: Any) -> _Sound:
    parameters = [resolved(parameter) for parameter in operation["parameters"]]
    for parameter in parameters:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", parameter["example"])
        elif parameter["in"] == "query" and parameter.get("required"):
            path += f"{'&' if '?' in path else '?'}{parameter['name']}={parameter['example']}"
    others = [f"{p['name']}: {p['example']}" for p in parameters if p["in"] == "header" and "example" in p]
    body = ""
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        body = json.dumps(content["example"], separators=(",", ":"))
        others.append(JSON)
    is_admin = any(example == "forbidden" for _, _, example in _cases(operation))
    token = (AS_ADMIN if is_admin else AS_ANN) if "security" in operation else ""
    return _Sound(f"{method.upper()} {path}", body, token, tuple(others))


def _scene(case: Case, sound: _Sound, path: str) -> Scene | None:
    own = (sound.token,) if sound.token else ()
    match case[2]:
        case "pending":
            return sound.scene(case, on="idle")
        case "service-unavailable":
            return sound.scene(case, on="away")
        case "unauthorized":
            return sound.scene(case, headers=sound.others)
        case "invalid-token":
            return sound.scene(case, headers=("Authorization: Bearer guess", *sound.others))
        case "invalid-session":
            return sound.scene(case, headers=(*own, "X-Session-Id: mine", *sound.others))
        case "forbidden":
            return sound.scene(case, headers=(AS_ANN, *sound.others))
        case "cross-site":
            cookie = ("Cookie: session_token={ann}",) if own else ()
            return sound.scene(case, headers=(*cookie, "Origin: https://elsewhere.example", *sound.others))
        case "request-timeout":
            return sound.scene(case, body="{", missing=40)
        case "body-too-large":
            limit = SALE_BODY_MAX if path.startswith(_FORMS) else API_BODY_MAX
            return sound.scene(case, body="{", missing=limit)
        case "unsupported-media-type":
            others = tuple(header for header in sound.others if header != JSON)
            return sound.scene(case, headers=(*own, *others, "Content-Type: text/plain"))
        case _:
            return None
