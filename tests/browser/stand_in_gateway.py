"""A gateway and a shop, as far as a browser can tell: a process of its own that shares no code with the page.

`python stand_in_gateway.py PORT` answers `GET /admission` with what `PUT /stand-in/answer` last told it, and tells at
`GET /stand-in/asked` what it was asked. Every other path is a page of the shop; `/product?to=URL` has a button that
orders at `URL`, and an order is diverted to the waiting room that `PUT /stand-in/room` named.
"""

import html
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

BUSY = {"status": 200, "headers": {}, "body": {"status": "busy", "retryAfterMs": 10_000, "msg": "Busy"}}


class StandIn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer = BUSY
    room = "http://localhost/"
    asked: ClassVar[list[dict[str, object]]] = []

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/admission":
            StandIn.asked.append({"query": url.query, "headers": {k.lower(): v for k, v in self.headers.items()}})
            answer = StandIn.answer
            cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
            body = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
            headers = {"Content-Type": "application/json", "Cache-Control": "no-store", **cors, **answer["headers"]}
            self.reply(answer["status"], body, headers)
        elif url.path == "/stand-in/asked":
            self.reply(200, json.dumps(StandIn.asked), {"Content-Type": "application/json"})
        elif url.path != "/favicon.ico":
            self.reply(200, self.shop(url.path, parse_qs(url.query)), self.referrer_policy(url.query))
        else:
            self.reply(204, "", {})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(302, "", {"Location": StandIn.room, "Cache-Control": "no-store"})

    def do_PUT(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/stand-in/room":
            StandIn.room = given
        else:
            StandIn.answer = given or BUSY
            StandIn.asked = StandIn.asked if given else []
        self.reply(204, "", {})

    def shop(self, path: str, query: dict[str, list[str]]) -> str:
        target = html.escape(query.get("to", ["/order"])[0])
        form = f'<form method="post" action="{target}"><button>Buy</button></form>'
        return f'<!doctype html><html lang="en"><title>The shop</title><h1>{html.escape(path)}</h1>{form}'

    def referrer_policy(self, query: str) -> dict[str, str]:
        policy = {"Referrer-Policy": "no-referrer-when-downgrade"} if "full-referrer" in query else {}
        return {"Content-Type": "text/html; charset=utf-8", **policy}

    def reply(self, status: int, body: str, headers: dict[str, str]) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the test's own output is what counts."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), StandIn) as server:
        print("ready", flush=True)
        server.serve_forever()
