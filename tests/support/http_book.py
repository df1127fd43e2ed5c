"""Writes docs/http.md: every route with real requests and real answers, as a running gateway gave them.

.venv/bin/python -m tests.support.http_book
"""

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from gateway.openapi import DOCUMENT
from tests.support.http import Response
from tests.support.http_scenes import SCENES, perform_all
from tests.support.http_scenes_common import resolved
from tests.support.http_stage import REQUEST_ID, Performed, Scene, normalised, staged
from tests.support.processes import ROOT
from tests.support.servers import Servers, running_servers

BOOK = ROOT / "docs" / "http.md"
LINE_MAX = 180
BODY_LINE_MAX = 900
"""A whole cart or order is shown; a URL or a body that is too long for the gateway is not."""
# What is the server's own, the same for every request, or different each time.
OMITTED = {"server", "date", "content-length", "connection", "host"}
_HEAD = """\
# The HTTP interface

Every request and every answer on this page is real: `python -m tests.support.http_book` performed them against a
running gateway and wrote the page, and a test fails when they no longer match. Ids, tokens and times are each set
to one value, so that two runs compare. `GET /openapi.json` describes the same for programs.

- The header `X-Request-Id` stands in every answer; send your own to find a request in the logs,
  which hold every request where `FLUXGATE_LOG_LEVEL` is `debug`, and every fault of ours at any level.
- An answer of 503 or 429 says in `Retry-After` when to come back; an order is repeated with the *same* key.
- A path that does not take a method answers 405 with `Allow`, an unknown path 404, a URL above 2048 bytes 414.
"""
LAST_OF_SALE = "Sale"
_COMMON = """\
## What routes of /api have in common

They answer in envelopes: `{"status":"success","data":...}`, a list as `{"results":[...],"pagination":{...}}`, and a
refusal with a code, a sentence, whether to repeat it, and what to do. Each is asked from a worker: a client that will
not wait so long gets 202 and a place where the answer can be had. Whoever has logged in sends
`Authorization: Bearer`, or as a browser the cookie `session_token`; a guest has a session, in `X-Session-Id` or in the
cookie `guest_session`. The answers below are the same for all routes that have them, and stand here once. The routes of
Amazon's syncs have them in their own form, `{"success":false,"message":"...","error":"..."}` with the code in small
letters, and no 202: a client that was told 503 asks again.
"""


def write(performed: list[Performed]) -> str:
    """The page."""
    parts = [_HEAD]
    families: dict[str, list[str]] = {}
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            own = [one for one in performed if one[0].operation == operation["operationId"] and not one[0].common]
            title = f"### {method.upper()} {path}\n\n{operation['summary']}\n"
            chapter = families.setdefault(operation["tags"][0], [])
            chapter += [title, *(_scene(one, operation) for one in sorted(own, key=lambda one: one[0].status))]
    for family, chapter in families.items():
        parts += [f"## {family}\n", *chapter]
        if family == LAST_OF_SALE:
            parts.append(_in_common(performed))
    return "\n".join(parts)


def _in_common(performed: list[Performed]) -> str:
    """What routes of /api have in common: of each answer one scene, and how many routes gave it."""
    found: dict[tuple[int, str], list[Performed]] = {}
    for one in performed:
        if one[0].common:
            found.setdefault((one[0].status, one[0].example), []).append(one)
    routes = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}
    parts = [_COMMON]
    for _, scenes in sorted(found.items()):
        one = scenes[0]
        parts.append(_scene(one, routes[one[0].operation], f" *({len(scenes)} routes)*"))
    return "\n".join(parts)


def _scene(one: Performed, operation: Any, remark: str = "") -> str:
    scene, sent, response = one
    headers = {name: value for name, value in response.headers.items() if name not in OMITTED}
    if "retry-after" in headers:
        headers["retry-after"] = "1"  # it is spread at random
    if "age" in headers:
        headers["age"] = "1"
    lines = [f"{name}: {value}" for name, value in headers.items() if name != "set-cookie"]
    lines += [f"set-cookie: {cookie}" for cookie in response.set_cookies]
    answer = [f"HTTP/1.1 {response.status}", *sorted(lines)]
    body = _shown(response, headers.get("content-type", ""))
    own = [header for header in sent.lines if not header.startswith("Content-Length") or scene.missing]
    request = [f"{sent.request} HTTP/1.1", *own, *(["", sent.body] if sent.body else [])]
    documented = resolved(operation["responses"][str(scene.status)])
    text = "\n".join(["```http", *map(_cut, request), "```", "```http", *answer, *(["", body] if body else []), "```"])
    whole = f"{_remark(scene, documented, response)}{remark}\n\n{text}\n"
    return normalised(whole).replace(f"x-request-id: {REQUEST_ID}\n", "")


def _remark(scene: Scene, documented: Any, response: Response) -> str:
    if response.body.startswith(b'{"success":false'):
        refused = response.json()
        return f"**{scene.status} {refused['error']}** {refused['message']}"
    if response.body.startswith((b'{"status":"error","error"', b'{"error":{"code"')):
        error = response.json()["error"]
        return f"**{scene.status} {error['code']}** {error['message']}"
    if scene.common:
        return f"**{scene.status}** {documented['description']}"
    where = {"crowded": " *(the bucket is empty)*", "away": " *(Redis is stopped)*"}.get(scene.on, "")
    if scene.operation == "openSale" and scene.status == 401:
        where = " *(the operator has set a key)*"
    slow = " *(the rest never comes)*" if scene.missing else ""
    return f"**{scene.status}** {documented['description']}{where}{slow}"


def _shown(response: Response, content_type: str) -> str:
    text = response.body.decode()
    if content_type.startswith("text/plain"):
        # Figures are of their moment: the names are what a reader wants.
        text = "\n".join(line for line in text.splitlines() if line.startswith("# HELP"))
    most = LINE_MAX if response.body.startswith(b'{"openapi"') else BODY_LINE_MAX
    return "\n".join(_cut(line, most) for line in text.splitlines())


def _cut(line: str, most: int = LINE_MAX) -> str:
    # Otherwise the end of what is different each time would be cut off, and the rest of it would not be known.
    line = normalised(line)
    return line if len(line) <= most else f"{line[:most].rstrip()}..."


async def _perform(servers: Servers, directory: Path) -> str:
    async with staged(servers, directory) as stage:
        return write(await perform_all(stage))


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "servers").mkdir()
        with running_servers(directory / "servers") as servers:
            page = asyncio.run(_perform(servers, directory))
    BOOK.write_text(page)
    print(
        f"{BOOK.relative_to(ROOT)}: {len(re.findall('^### ', page, re.M))} routes, {len(SCENES)} answers",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
