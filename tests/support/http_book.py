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
from tests.support.http_scenes import REQUEST_ID, SCENES, Scene, normalised, perform, staged
from tests.support.processes import ROOT
from tests.support.servers import running_servers

BOOK = ROOT / "docs" / "http.md"
LINE_MAX = 180
# What is the server's own, the same for every request, or different each time.
OMITTED = {"server", "date", "content-length", "connection", "host"}
_HEAD = """\
# The HTTP interface

Every request and every answer on this page is real: `python -m tests.support.http_book` performed them against a
running gateway and wrote the page, and a test fails when they no longer match. Order ids and times are set to one
value, so that two runs compare. `GET /openapi.json` describes the same for programs.

- The header `X-Request-Id` stands in every answer; send your own to find a request in the logs,
  which hold every request where `FLUXGATE_LOG_LEVEL` is `debug`, and every fault of ours at any level.
- An answer of 503 or 429 says in `Retry-After` when to come back; an order is repeated with the *same* key.
- A path that does not take a method answers 405 with `Allow`, an unknown path 404, a URL above 2048 bytes 414.
"""


def write(performed: list[tuple[Scene, str, Response]]) -> str:
    """The page."""
    parts = [_HEAD]
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            parts.append(f"## {method.upper()} {path}\n\n{operation['summary']}\n")
            for scene, line, response in sorted(performed, key=lambda one: one[0].status):
                if scene.operation == operation["operationId"]:
                    parts.append(_scene(scene, line, response, operation["responses"][str(scene.status)]))
    return "\n".join(parts)


def _scene(scene: Scene, line: str, response: Response, documented: Any) -> str:
    while "$ref" in documented:
        documented = DOCUMENT["components"]["responses"][documented["$ref"].rpartition("/")[2]]
    headers = {name: value for name, value in response.headers.items() if name not in OMITTED}
    if "retry-after" in headers:
        headers["retry-after"] = "1"  # it is spread at random
    answer = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in sorted(headers.items()))]
    body = _shown(response, headers.get("content-type", ""))
    request = [line, *(header for header in scene.lines if not header.startswith("Content-Length") or scene.missing)]
    if scene.body:
        request += ["", scene.body]
    text = "\n".join(["```http", *map(_cut, request), "```", "```http", *answer, *(["", body] if body else []), "```"])
    return normalised(f"{_remark(scene, documented)}\n\n{text}\n").replace(f"x-request-id: {REQUEST_ID}\n", "")


def _remark(scene: Scene, documented: Any) -> str:
    where = {"open": "", "crowded": " *(the bucket is empty)*", "away": " *(Redis is stopped)*"}[scene.on]
    if scene.status == 401:
        where = " *(the operator has set a key)*"
    slow = " *(the rest never comes)*" if scene.missing else ""
    return f"**{scene.status}** {documented['description']}{where}{slow}"


def _shown(response: Response, content_type: str) -> str:
    text = response.body.decode()
    if content_type.startswith("text/plain"):
        # Figures are of their moment: the names are what a reader wants.
        text = "\n".join(line for line in text.splitlines() if line.startswith("# HELP"))
    return "\n".join(map(_cut, text.splitlines()))


def _cut(line: str) -> str:
    return line if len(line) <= LINE_MAX else f"{line[:LINE_MAX].rstrip()}..."


async def _perform(redis_url: str, directory: Path) -> str:
    async with staged(redis_url, directory) as stage:
        return write([(scene, *await perform(stage, scene)) for scene in SCENES])


def main() -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "servers").mkdir()
        with running_servers(directory / "servers") as servers:
            page = asyncio.run(_perform(servers.redis_url, directory))
    BOOK.write_text(page)
    print(
        f"{BOOK.relative_to(ROOT)}: {len(re.findall('^## ', page, re.M))} routes, {len(SCENES)} answers",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
