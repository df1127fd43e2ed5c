"""How routes are described whose answers are flat: `{"success":true,...}`, and as `forms.py` has it
`{"success":false,"message","error"}`."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import msgspec

from gateway.forms import Refusal, flat
from gateway.openapi.envelopes import api
from gateway.openapi.problems import RESPONSES, Problem
from gateway.openapi.schemas import TEXT, Part, answer, record, ref, word

SUCCESS: Part = {"const": True}
NOTHING: Part = {}


def done(text: str, schema: str, *headers: str, **examples: Any) -> Part:
    """A success, as it stands."""
    shown = {name.replace("_", "-"): {"success": True, **own} for name, own in examples.items()}
    return answer(text, schema, shown, "Cache-Control", *headers)


def told(fields: Part) -> Part:
    """The schema of a success with these fields."""
    return record({"success": SUCCESS, **fields})


def route(
    path: str,
    method: str,
    name: str,
    summary: str,
    success: Part,
    *problems: Problem,
    family: str,
    body: Part | None = None,
    parameters: Iterable[Part] = (),
    also: Part = NOTHING,
    headers: Iterable[str] = (),
) -> Part:
    """A route of people at this path, which knows no 202. `also` are responses by status, beside its success and its
    refusals; `headers` are those that all of them have."""
    operation = api(
        name,
        summary,
        family,
        {"200": success},
        *problems,
        audience="people",
        writes=method == "post",
        cached=True,
        body=body,
        parameters=parameters,
    )
    responses = {status: _flat(path, int(status), found) for status, found in operation["responses"].items()}
    responses.update(also)
    for response in responses.values():
        response["headers"].update({name: ref("headers", name) for name in headers})
    return {method: operation | {"responses": dict(sorted(responses.items()))}}


def _flat(path: str, status: int, response: Part) -> Part:
    if status < 400:
        return response
    found = deepcopy(RESPONSES[response["$ref"].rpartition("/")[2]] if "$ref" in response else response)
    content: Part = found["content"]["application/json"]
    known: Part = content["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"]
    codes: list[str] = known.get("enum") or [known["const"]]
    as_told = [_told(path, status, {"code": code, "message": ""})["error"] for code in codes]
    narrowed = {"properties": {"error": word(*dict.fromkeys(as_told))}}
    content["schema"] = {"allOf": [ref("schemas", "FailureFlat"), narrowed]}
    for example in content["examples"].values():
        example["value"] = _told(path, status, example["value"]["error"])
    return found


def _told(path: str, status: int, error: Part) -> Part:
    return msgspec.json.decode(flat(Refusal(path, status, msgspec.Raw(msgspec.json.encode(error)))))


SCHEMAS: Part = {
    "FailureFlat": record(
        {
            "success": {"const": False},
            "message": TEXT,
            "error": {"type": "string", "description": "What a program goes by."},
        }
    )
}
