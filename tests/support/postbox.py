"""A real SMTP server for the tests, which keeps what it is given, and says no when it was told to."""

import email
from collections.abc import Generator
from contextlib import contextmanager
from email.message import Message
from threading import Condition
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from contract.bus import BusCommand, decode_command
from workers.service import Desk

SENDER = "shop@shop.example"


class Postbox:
    """What an SMTP server takes, after it has given the answers that it was told to give first."""

    def __init__(
        self, at_mail: tuple[str, ...] = (), at_rcpt: tuple[str, ...] = (), at_data: tuple[str, ...] = ()
    ) -> None:
        self.mails: list[Message] = []
        self.recipients: list[str] = []
        self.at_mail, self.at_rcpt, self.at_data = list(at_mail), list(at_rcpt), list(at_data)
        self._came = Condition()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """MAIL FROM."""
        if self.at_mail:
            return self.at_mail.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """RCPT TO."""
        if self.at_rcpt:
            return self.at_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """DATA, up to its end."""
        if self.at_data:
            return self.at_data.pop(0)
        assert isinstance(envelope.content, bytes)
        self.recipients += envelope.rcpt_tos
        with self._came:
            self.mails.append(email.message_from_bytes(envelope.content))
            self._came.notify_all()
        return "250 OK"

    def took(self, count: int, within_s: float) -> bool:
        """Wait until it has so many mails; whether it has. The server runs in a thread of its own."""
        with self._came:
            return self._came.wait_for(lambda: len(self.mails) >= count, within_s)


@contextmanager
def listening(postbox: Postbox, port: int, **more: Any) -> Generator[None]:
    """An SMTP server inside the block."""
    controller = Controller(postbox, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


class Doorman:
    """An authenticator that lets one user in, and notes what it was shown."""

    def __init__(self) -> None:
        self.shown: list[LoginPassword] = []

    def __call__(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        self.shown.append(given)
        return AuthResult(success=given == LoginPassword(b"shop", b"secret"))


async def waiting(desk: Desk, user_id: str) -> BusCommand:
    """The command for a user's mail, out of the outbox."""
    rows = await desk.pool.fetch("SELECT worker, command FROM outbox WHERE due_at <= now()")
    [own] = [
        told for row in rows if row["worker"] == "auth" and (told := decode_command(row["command"])).user_id == user_id
    ]
    return own
