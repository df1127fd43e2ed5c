"""How the bench reads HTTP replies."""

import pytest

from bench.replies import BadReplyError, parse_reply


def test_a_reply_is_read_as_status_and_body():
    assert parse_reply(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody") == (200, b"body")


def test_the_length_is_found_however_it_is_spelled():
    assert parse_reply(b"HTTP/1.1 409 Conflict\r\nX: y\r\nContent-Length:2\r\n\r\n{}") == (409, b"{}")


@pytest.mark.parametrize("cut", range(len(b"HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\n{}")))
def test_a_part_of_a_reply_is_no_reply_yet(cut: int):
    assert parse_reply(b"HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\n{}"[:cut]) is None


def test_a_status_without_a_body_needs_no_length():
    assert parse_reply(b"HTTP/1.1 204 No Content\r\n\r\n") == (204, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n",
        b"x" * 2_000_000,
    ],
)
def test_what_is_not_a_reply_is_said_to_be_none(data: bytes):
    with pytest.raises(BadReplyError):
        parse_reply(data)
