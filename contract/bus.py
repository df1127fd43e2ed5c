"""Commands between gateway and workers that are no flash sale: what is asked for, and what came of it.

A command is one entry of the stream of its worker, with the single field `command`: a BusCommand as JSON. Its reply is
kept under the id of the command, and told to the gateway process that asked. Rules of change as in `messages.py`.
"""

import re
import secrets
import time
from typing import Any

import msgspec

from contract.settings import Settings

FIELD = "command"
SERVICES = ("auth", "migration", "orders", "g2a", "amazon", "goated", "webhooks")
"""The workers that take commands; each has one stream, named after it."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class BusCommand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command. `body` is the JSON of what its kind needs; a secret in it is sealed."""

    id: str
    kind: str
    body: msgspec.Raw = msgspec.Raw(b"{}")
    # Milliseconds since 1970 after which it is answered and not run; 0: it is run however late.
    deadline_ms: int = 0
    # Who asks, as the gateway has verified it; empty for a guest.
    user_id: str = ""
    role: str = ""
    # The guest session that the request came with.
    session_id: str = ""
    # The stream that waits for the reply; empty: nobody does.
    reply_to: str = ""
    request_id: str = ""
    # The trace that it belongs to, as W3C's traceparent has it.
    trace: str = ""
    # How often it has been tried, this time included.
    attempt: int = 1


class Problem(msgspec.Struct, frozen=True):
    """Why a command was refused, as the error envelope of the contract has it."""

    code: str
    message: str
    retryable: bool = False
    action: str = ""


class BusReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a command: an HTTP status, and the data or the problem."""

    id: str
    status: int
    data: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None


_encoder = msgspec.json.Encoder(decimal_format="number")
_commands = msgspec.json.Decoder(BusCommand)
_replies = msgspec.json.Decoder(BusReply)


def idle_services(settings: Settings) -> tuple[str, ...]:
    """Workers that have nobody to speak to under these settings; who runs all of them does without."""
    parties = {"g2a": settings.g2a_at, "amazon": settings.amazon_at, "goated": settings.goated_at}
    return tuple(name for name, at in parties.items() if not at)


def encode(document: Any) -> bytes:
    """Any document as JSON; money is a number with all its digits."""
    return _encoder.encode(document)


def decode_command(text: bytes) -> BusCommand:
    """Raises msgspec.MsgspecError for what is no command."""
    return _commands.decode(text)


def decode_reply(text: bytes) -> BusReply:
    """Raises msgspec.MsgspecError for what is no reply."""
    return _replies.decode(text)


def new_command_id() -> str:
    """A UUID of version 7: milliseconds since 1970, and 74 random bits that nobody guesses."""
    random = secrets.randbits(74)
    number = (time.time_ns() // 1_000_000) << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_command_id(text: str) -> bool:
    """Whether a text has the form of a command's id."""
    return _ID.fullmatch(text) is not None
