"""People in the tests: fresh addresses, and commands of the auth worker as a gateway seals them."""

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from contract.bus import BusCommand, BusReply
from contract.sealing import open_reply, seal_body
from tests.support.desk import command, deliver
from workers.auth import AUTH
from workers.service import Desk

PASSWORD = "correct horse battery"


class Answer(NamedTuple):
    """A reply, and what was sealed in it; empty where nothing was."""

    reply: BusReply
    data: dict[str, Any]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.reply.status

    @property
    def code(self) -> str:
        """The code of the problem; empty where there is none."""
        return self.reply.problem.code if self.reply.problem else ""


def fresh_email() -> str:
    """An address that nobody else has."""
    return f"ann.{secrets.token_hex(8)}@shop.example"


def sealed(desk: Desk, kind: str, fields: Mapping[str, Any], **more: Any) -> tuple[BusCommand, bytes]:
    """A command with a sealed body, and the key of its reply."""
    body, key = seal_body(desk.tools.keys.public, fields)
    return command(kind, body, **more), key


async def ask(desk: Desk, kind: str, **fields: Any) -> Answer:
    """Seal, submit, handle, and open what came back."""
    own, key = sealed(desk, kind, fields)
    return opened(await deliver(desk, AUTH, own), key)


def opened(reply: BusReply, key: bytes) -> Answer:
    """A reply with what is sealed in it."""
    is_sealed = reply.problem is None and bytes(reply.data).startswith(b'{"sealed":')
    return Answer(reply, msgspec.json.decode(open_reply(key, reply.data)) if is_sealed else {})


async def registered(desk: Desk, **fields: Any) -> dict[str, Any]:
    """A new account, logged in: what its registration gave."""
    answer = await ask(desk, "register", **{"email": fresh_email(), "password": PASSWORD, **fields})
    assert answer.status == 201, answer.reply
    return answer.data
