"""Documents of Swagger 2.0, against which requests and answers of HTTP are held; they come from others, unchanged.

What a document does not name is a fault too: a field that is misspelt would otherwise pass for one that is left out.
Nothing may be null, because no document that is read here says so of anything.
"""

import datetime
import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft4Validator, FormatChecker

AMAZON = Path(__file__).parents[1] / "models" / "amazon"
Document = dict[str, Any]
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
WHOLE = re.compile(r"-?(0|[1-9]\d*)")
FORMATS = FormatChecker(formats=())
# What a value in a URL must look like to be of a type.
READERS: Mapping[str, Any] = {
    "string": str,
    "boolean": {"true": True, "false": False}.__getitem__,
    "integer": lambda text: int(WHOLE.fullmatch(text)[0]),
}


class Operation(NamedTuple):
    """One operation of a document: `get` of a path."""

    id: str
    path: str
    description: Document
    document: Document

    def faults_of_request(self, path: str, query: str) -> list[str]:
        """What the document says against a request: its path, and its query as it stands in the URL."""
        asked: dict[str, str] = {}
        faults: list[str] = []
        for name, value in parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)):
            if name in asked:
                faults.append(f"{name} stands there twice")
            asked[name] = value
        given = {"query": asked, "path": path_values(self.path, path) or {}}
        parameters = [one for one in self.description.get("parameters", ()) if one["in"] in given]
        for one in parameters:
            value = given[one["in"]].pop(one["name"], None)
            if value is not None:
                faults += faults_of_parameter(one, value)
            elif one["required"]:
                faults.append(f"{one['name']} is required")
        return faults + [f"{name} is no parameter of {self.id}" for name in asked]

    def faults_of_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
        """What the document says against an answer; of the headers, against those whose names begin with x-amzn-."""
        described = self.description["responses"].get(str(status))
        if described is None:
            return [f"{self.id} has no answer {status}"]
        known = {name.lower() for name in described.get("headers", ())}
        told = {name.lower() for name in headers if name.lower().startswith("x-amzn-")}
        faults = [f"{name} is no header of {status}" for name in sorted(told - known)]
        try:
            value = json.loads(body, parse_constant=_no_constant)
        except ValueError as error:
            return [*faults, f"it is no JSON: {error}"]
        return faults + faults_of_value(value, described["schema"], self.document)


class Models:
    """Several documents, together."""

    def __init__(self, folder: Path) -> None:
        documents = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        assert documents, folder
        self.operations = [one for document in documents for one in operations(document)]

    def find(self, method: str, path: str) -> Operation:
        """The operation of a request; KeyError where there is none."""
        for operation in self.operations:
            if method.lower() == operation.description["method"] and path_values(operation.path, path) is not None:
                return operation
        raise KeyError(f"{method} {path}")


@functools.cache
def amazon_models() -> Models:
    """Amazon's own."""
    return Models(AMAZON)


def operations(document: Document) -> Iterator[Operation]:
    """All operations of a document."""
    strict = closed(document, document["definitions"])
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            described = strict["paths"][path][method] | {"method": method}
            yield Operation(described["operationId"], path, described, strict)


def closed(schema: Any, definitions: Document) -> Any:
    """The same schema, in which an object has no fields but those that are named, also where it is made of parts."""
    if isinstance(schema, list):
        return [closed(one, definitions) for one in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    own = cast(Document, schema)
    if "allOf" in own:
        parts = [definitions[part["$ref"].rpartition("/")[2]] if "$ref" in part else part for part in own["allOf"]]
        own = {
            "type": "object",
            "properties": {name: value for part in parts for name, value in part["properties"].items()},
            "required": sorted({name for part in parts for name in part.get("required", ())}),
        }
    inner = {name: closed(part, definitions) for name, part in own.items()}
    if isinstance(own.get("properties"), dict) and own.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def path_values(template: str, path: str) -> dict[str, str] | None:
    """What stands in a path where a template has names; None where it is another path."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
    found = re.fullmatch(pattern, path)
    return found and {name: unquote(value) for name, value in found.groupdict().items()}


def faults_of_parameter(parameter: Document, text: str) -> list[str]:
    """What is wrong with a value as it stands in a URL. Lists are separated by commas, which is what csv means."""
    schema = {key: part for key, part in parameter.items() if key not in ("in", "name", "required", "description")}
    try:
        if schema["type"] == "array":
            assert schema.get("collectionFormat", "csv") == "csv"
            read = READERS[schema["items"]["type"]]
            value: Any = [read(one) for one in text.split(",")]
        else:
            value = READERS[schema["type"]](text)
    except (KeyError, TypeError):
        return [f"{parameter['name']} is {text!r}, which is no {schema['type']}"]
    if value in ("", [""]):
        return [f"{parameter['name']} is empty"]
    return [f"{parameter['name']}: {fault}" for fault in faults_of_value(value, schema, {})]


def faults_of_value(value: Any, schema: Document, document: Document) -> list[str]:
    """What a schema says against a value; references are looked up in the document."""
    # In this draft nothing counts beside a reference, so it stands by itself.
    whole = {"allOf": [schema], "definitions": document.get("definitions", {})}
    errors = Draft4Validator(whole, format_checker=FORMATS).iter_errors(value)
    return sorted(f"{error.json_path}: {error.message}" for error in errors)


@FORMATS.checks("date-time", raises=ValueError)
def _is_instant(value: Any) -> bool:
    """A date and time with its zone, which some calendar has."""
    if not isinstance(value, str):
        return True
    return bool(RFC_3339.fullmatch(value)) and bool(datetime.datetime.fromisoformat(value))


@FORMATS.checks("date", raises=ValueError)
def _is_date(value: Any) -> bool:
    """A day that some calendar has."""
    return not isinstance(value, str) or bool(datetime.date.fromisoformat(value))


@FORMATS.checks("int32")
def _is_int32(value: Any) -> bool:
    """A number that 32 bits hold."""
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@FORMATS.checks("int64")
def _is_int64(value: Any) -> bool:
    """A number that 64 bits hold."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
