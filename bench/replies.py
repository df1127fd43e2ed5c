"""What the bench reads of an HTTP/1.1 reply: the status and the body. Nothing else, so that it costs a microsecond."""

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
# A reply of the gateway is a few hundred bytes; what grows beyond this is not a reply.
REPLY_BYTES_MAX = 1_048_576
# Statuses that have no body and so may come without a length.
BODILESS = (204, 304)


class BadReplyError(Exception):
    """Bytes that are not a reply with a known length."""


def parse_reply(data: bytes) -> tuple[int, bytes] | None:
    """The status and the body of a reply, or None when more bytes must come. Raises BadReplyError."""
    end = data.find(HEAD_END)
    if end < 0:
        if len(data) > REPLY_BYTES_MAX:
            raise BadReplyError("The head of the reply has no end.")
        return None
    body = end + len(HEAD_END)
    try:
        start = data.find(LENGTH, 0, end)
        if start < 0:
            length = _length_in_any_case(data[:end])
        else:
            length = int(data[start + len(LENGTH) : data.find(b"\r\n", start, body)])
        status = int(data[9:12])
    except ValueError:
        raise BadReplyError(f"The reply begins with {data[:40]!r}.") from None
    if not 0 <= length <= REPLY_BYTES_MAX:
        raise BadReplyError(f"The reply has {length} bytes.")
    if len(data) < body + length:
        return None
    return status, data[body : body + length]


def _length_in_any_case(head: bytes) -> int:
    """The value of Content-Length however it is spelled; the quick way above knows only how our server spells it."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    if int(head[9:12]) in BODILESS:
        return 0
    raise BadReplyError("The reply has no Content-Length.")
