"""The OpenAPI document: complete, valid, and true of every answer of a running gateway."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import pytest
import pytest_asyncio

from contract.settings import Settings
from gateway.app import ROUTES
from gateway.openapi import DOCUMENT
from tests.support.http import get
from tests.support.http_book import BOOK, write
from tests.support.http_scenes import SCENES, perform_all
from tests.support.http_scenes_common import resolved as resolve
from tests.support.http_stage import UPGRADE, Performed, Scene, normalised, staged
from tests.support.refusals import refused
from tests.support.servers import Servers
from tests.support.wire import exchange, head
from workers import accounts

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN_HEADERS = {
    "content-type",
    "content-length",
    "server",
    "date",
    "connection",
    "sec-websocket-accept",
    "transfer-encoding",
}
CORS_HEADERS = {"access-control-allow-origin", "access-control-expose-headers"}
# No request provokes a bug, and none fills the queue of a process while nothing else happens.
NOT_PERFORMED = {"something-is-wrong-on-our", "too-many-requests-are-waiting", "internal"}
# What every route answers in the same way is tried on each below.
TRIED_ON_EACH = {"malformed-head", "url-too-long"}
# Of a response that has them, not every instance needs them.
OPTIONAL = {"idempotent-replayed", "age", "set-cookie", "x-session-id", "www-authenticate", "referrer-policy"}
EVERYWHERE = {"400", "414", "500"}


def walk(part: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from walk(value)
    elif isinstance(part, list):
        for value in part:
            yield from walk(value)


def strict(schema: Any) -> Any:
    """The schema with its references replaced, and without leave for fields that it does not name."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: strict(value) for name, value in resolve(schema).items()}
    is_whole = "properties" in schema and schema.get("type") == "object"
    return {**schema, "additionalProperties": False} if is_whole else schema


def valid(document: Any, schema: Any) -> None:
    """Hold a value against a schema, formats included."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(strict(schema), format_checker=checker).validate(document)


OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def performed(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Performed]]:
    """Every scene, its request line, and the answer to it."""
    async with staged(servers, tmp_path_factory.mktemp("scenes")) as stage:
        yield await perform_all(stage)


async def test_every_route_is_documented_and_nothing_else() -> None:
    documented = {(method, path) for method, path, _ in OPERATIONS.values()}

    def theirs(found: re.Match[str]) -> str:
        head, *rest = found[1].split("_")
        return "{" + head + "".join(map(str.capitalize, rest)) + "}"

    assert documented == {(method, re.sub(r"\{(\w+)(:path)?\}", theirs, path)) for method, path, _ in ROUTES}


async def test_the_document_is_sound() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for part in walk(DOCUMENT):
        resolve(part)
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(strict(schema))
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    for _, path, operation in OPERATIONS.values():
        parameters = [resolve(parameter) for parameter in operation["parameters"]]
        named = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert named == {piece[1:-1] for piece in path.split("/") if piece.startswith("{")}
        assert len({(parameter["name"].lower(), parameter["in"]) for parameter in parameters}) == len(parameters)
        assert set(operation["responses"]) >= EVERYWHERE
        for response in operation["responses"].values():
            assert resolve(response)["description"]


async def test_an_account_may_be_what_its_worker_takes() -> None:
    fields = DOCUMENT["components"]["schemas"]["Registration"]["properties"]
    password = (fields["password"]["minLength"], fields["password"]["maxLength"])
    assert fields["email"]["maxLength"] == accounts.EMAIL_CHARACTERS_MAX
    assert password == (accounts.PASSWORD_CHARACTERS_MIN, accounts.PASSWORD_CHARACTERS_MAX)
    assert {fields[name]["maxLength"] for name in ("nickname", "firstName", "lastName")} == {
        accounts.NAME_CHARACTERS_MAX
    }


async def test_no_component_is_left_over() -> None:
    used = {part["$ref"] for part in walk(DOCUMENT) if "$ref" in part}
    used |= {
        f"#/components/securitySchemes/{name}"
        for part in walk(DOCUMENT)
        for way in part.get("security", ())
        for name in way
    }
    parts = {f"#/components/{kind}/{name}" for kind, named in DOCUMENT["components"].items() for name in named}
    assert parts == used


async def test_every_example_is_valid_and_is_performed_by_a_scene() -> None:
    shown: set[tuple[str, int, str]] = set()
    for name, (_, _, operation) in OPERATIONS.items():
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            valid(content["example"], content["schema"])
        for status, response in operation["responses"].items():
            response = resolve(response)
            examples: dict[str, Any] = {}
            for content in response.get("content", {}).values():
                examples = content.get("examples", {})
                for example in examples.values():
                    valid(example["value"], content["schema"])
            # What every route answers in the same way is tried on each below.
            if status not in EVERYWHERE or response is not resolve({"$ref": "#/components/responses/BadFraming"}):
                shown |= {
                    (name, int(status), example) for example in set(examples or [""]) - NOT_PERFORMED - TRIED_ON_EACH
                }
    everywhere = {scene for scene in shown if scene[1] in (414, 500)}
    assert shown - everywhere == {(scene.operation, scene.status, scene.example) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.operation}-{scene.status}-{scene.example[:24]}")
async def test_a_documented_answer_is_given(performed: list[Performed], scene: Scene) -> None:
    answer = next(response for played, _, response in performed if played is scene)
    assert answer.status == scene.status, answer
    response = resolve(OPERATIONS[scene.operation][2]["responses"][str(scene.status)])
    documented = {name.lower(): resolve(header) for name, header in response.get("headers", {}).items()}
    given = set(answer.headers) - PLAIN_HEADERS
    if scene.operation == "readAdmission":
        given -= CORS_HEADERS
    if scene.headers == UPGRADE:
        given -= {"upgrade"}  # the server's own, whatever the answer to a handshake is
    assert given <= set(documented)
    assert set(documented) - given <= OPTIONAL
    for name in given:
        value = answer.headers[name]
        valid(int(value) if documented[name]["schema"].get("type") == "integer" else value, documented[name]["schema"])
    if "content" not in response:
        assert answer.body == b""
        return
    media, content = next(iter(response["content"].items()))
    assert answer.headers["content-type"].partition(";")[0] == media
    document = answer.json() if media == "application/json" else answer.body.decode()
    valid(document, content["schema"])
    if scene.example:
        assert json.loads(normalised(answer.body.decode())) == content["examples"][scene.example]["value"]


@pytest.mark.parametrize("name", OPERATIONS)
async def test_each_route_refuses_what_none_can_read(shared_gateway: Settings, name: str) -> None:
    method, path, _ = OPERATIONS[name]
    path = re.sub(r"\{\w+\}", "some", path)
    for line, headers, status in ((path, ["Host: b"], 400), (path + "?" + "a" * 2_048, [], 414)):
        answer = await exchange(shared_gateway.port, head(f"{method} {line} HTTP/1.1", *headers))
        assert refused(answer, status)


async def test_the_gateway_serves_this_document(shared_gateway: Settings) -> None:
    assert (await get(shared_gateway.port, "/openapi.json")).json() == json.loads(json.dumps(DOCUMENT))


async def test_the_book_of_requests_and_answers_is_what_the_gateway_does(performed: list[Performed]) -> None:
    assert BOOK.read_text() == write(performed), "write it anew: .venv/bin/python -m tests.support.http_book"
