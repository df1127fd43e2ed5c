"""The waiting room's server over real sockets, with no gateway, no Redis and no Postgres anywhere."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, create_subprocess_exec
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from bench.ports import free_port
from contract.settings import Settings, child_environ
from fluxgate.refusal import Refusal
from fluxgate.waiting_room import make_replies, origin_of, render_page
from tests.support.http import Response, get, read_response, request, send
from tests.support.processes import ROOT, listening, running

PAGE = ROOT / "waiting_room"
COMMAND = [sys.executable, "-m", "fluxgate", "waiting-room"]
FILES = ["/", "/waiting_room.css", "/waiting_room.js"]
# All that a diverted buyer downloads.
SIZE_MAX_BYTES = 30_000
STOP_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def nothing_else(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings whose gateway, Redis and Postgres do not exist."""
    return Settings(
        waiting_room_port=free_port(),
        gateway_url="https://gate.example/sale",
        return_origins="https://shop.example http://localhost:8080",
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        postgres_url=f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        data_dir=tmp_path_factory.mktemp("waiting-room"),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(nothing_else: Settings) -> AsyncIterator[int]:
    async with running(nothing_else, "waiting-room") as process:
        await listening(nothing_else.waiting_room_port, process)
        yield nothing_else.waiting_room_port


def assert_guarded(response: Response) -> None:
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src https://gate.example;" in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"


async def test_the_page_comes_whole_with_any_query_while_everything_else_is_down(room: int) -> None:
    for path in ("/", "/?return=%2Fcart&productId=ps5", "/?" + "x" * 4000):
        response = await get(room, path)
        assert response.status == 200
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert b"The shop is full just now" in response.body
        assert_guarded(response)


async def test_the_settings_are_in_the_page_and_nowhere_else(room: int) -> None:
    page = (await get(room, "/")).body.decode()
    assert '<meta name="flux-gate-gateway" content="https://gate.example/sale">' in page
    assert 'content="https://gate.example https://shop.example http://localhost:8080"' in page
    assert 'id="back" href="https://gate.example/sale/"' in page
    for path in FILES[1:]:
        assert (await get(room, path)).body == (PAGE / path[1:]).read_bytes()


async def test_everything_together_is_small_and_asks_for_nothing_elsewhere(room: int) -> None:
    responses = [await get(room, path) for path in FILES]
    assert sum(len(response.body) for response in responses) < SIZE_MAX_BYTES
    page = responses[0].body.decode()
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', page)
    assert {url for url in loaded if not url.startswith("data:image/svg+xml,")} == {path[1:] for path in FILES[1:]}
    for response in responses[1:]:
        assert not re.search(rb"url\(|@import|import\(|//[a-z]+\.", response.body)


@pytest.mark.parametrize("path", [*FILES, "/livez", "/nowhere"])
async def test_head_says_what_get_would_and_has_no_body(room: int, path: str) -> None:
    full = await get(room, path)
    reader, writer = await asyncio.open_connection("127.0.0.1", room)
    writer.write(request("HEAD", path))
    answer = await asyncio.wait_for(reader.read(), STOP_WITHIN_S)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b""
    assert head.startswith(b"HTTP/1.1 %d " % full.status)
    for name in ("content-type", "content-length", "etag", "cache-control"):
        if name in full.headers:
            assert f"{name}: {full.headers[name]}".encode() in head


@pytest.mark.parametrize("path", FILES)
async def test_a_copy_that_is_still_good_is_not_sent_again(room: int, path: str) -> None:
    first = await get(room, path)
    assert first.headers["cache-control"] == "public, max-age=30, must-revalidate"
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        raw = request("GET", path, If_None_Match=known)
        reader, writer = await asyncio.open_connection("127.0.0.1", room)
        writer.write(raw)
        answer = await asyncio.wait_for(reader.read(), STOP_WITHIN_S)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 304 ")
        assert f"etag: {etag}".encode() in head
        assert body == b""
    assert (await get(room, path, If_None_Match='"other"')).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", [*FILES, "/livez"])
async def test_another_method_is_told_which_ones_there_are(room: int, method: str, path: str) -> None:
    response = await send(room, request(method, path, b"x=1"))
    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert_guarded(response)


@pytest.mark.parametrize(
    "path",
    ["/index.html", "/waiting_room.py", "/__init__.py", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "//", "/%00"],
)
async def test_any_other_path_is_not_found(room: int, path: str) -> None:
    response = await get(room, path)
    assert response.status == 404
    assert_guarded(response)


async def test_livez_says_ok_and_is_never_stored(room: int) -> None:
    response = await get(room, "/livez")
    assert response.json() == {"status": "ok"}
    assert response.headers["cache-control"] == "no-store"


async def test_one_connection_serves_many_requests(room: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room)
    for path in FILES * 3:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert (await asyncio.wait_for(read_response(reader), STOP_WITHIN_S)).status == 200
    writer.close()


async def test_a_burst_of_buyers_is_served_to_the_last(room: int) -> None:
    responses = await asyncio.gather(*(get(room, "/") for _ in range(300)))
    assert {response.status for response in responses} == {200}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_although_a_browser_holds_connections_open(
    nothing_else: Settings, number: signal.Signals
) -> None:
    settings = msgspec.structs.replace(nothing_else, waiting_room_port=free_port())
    process = await create_subprocess_exec(*COMMAND, cwd=ROOT, env=child_environ(settings), stdout=PIPE, stderr=PIPE)
    await listening(settings.waiting_room_port, process)
    idle = [await asyncio.open_connection("127.0.0.1", settings.waiting_room_port) for _ in range(3)]
    idle[1][1].write(b"GET / HTTP/1.1\r\nHost: loc")
    idle[2][1].write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await read_response(idle[2][0])
    process.send_signal(number)
    _, errors = await asyncio.wait_for(process.communicate(), STOP_WITHIN_S)
    for _, writer in idle:
        writer.close()
    assert process.returncode == 0
    assert errors == b""


async def test_a_busy_port_ends_it_with_one_plain_sentence(room: int, nothing_else: Settings) -> None:
    errors = await refused(nothing_else)
    assert f"Port {room}, for the waiting room, is taken" in errors
    assert "FLUXGATE_WAITING_ROOM_PORT" in errors


async def test_an_origin_that_is_none_ends_it_with_one_plain_sentence(nothing_else: Settings) -> None:
    settings = msgspec.structs.replace(nothing_else, return_origins="shop.example")
    assert "'shop.example', in FLUXGATE_GATEWAY_URL or FLUXGATE_RETURN_ORIGINS" in await refused(settings)


async def refused(settings: Settings) -> str:
    process = await create_subprocess_exec(*COMMAND, cwd=ROOT, env=child_environ(settings), stdout=DEVNULL, stderr=PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), STOP_WITHIN_S * 2)
    assert process.returncode == 2
    assert errors.count(b"\n") == 1
    return errors.decode()


def test_the_files_as_they_lie_there_hold_the_default_settings() -> None:
    assert make_replies(Settings())["/"].body == (PAGE / "index.html").read_bytes()


def test_what_is_written_into_the_page_cannot_break_out_of_its_place() -> None:
    page = (PAGE / "index.html").read_text("utf-8")
    rendered = render_page(page, Settings(gateway_url='https://gate.example/a"><script>b&c\\1'))
    assert 'content="https://gate.example/a&quot;&gt;&lt;script&gt;b&amp;c\\1"' in rendered
    assert rendered.count("<script") == page.count("<script")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Shop.Example", "https://shop.example"),
        ("https://shop.example:443/", "https://shop.example"),
        ("http://shop.example:80", "http://shop.example"),
        ("http://shop.example:443/a?b#c", "http://shop.example:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_origin_has_the_form_that_browsers_give_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "", "shop.example", "//shop.example", "ftp://shop.example", "javascript:alert(1)", "https://", "https://a:b",
        "https://user@shop.example", "https://shop.example;script-src", "https://a,b", "https://a'b", "https://*",
        "https://bücher.example", "https://[::1", "https://shop.example:99999",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refusal):
        origin_of(url)
