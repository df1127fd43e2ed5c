"""Sends one mail: what it says is a template, and whom it is for is looked up, so that the command holds neither.

A mail is sent at least once. Its Message-ID comes of the command's id, so a server or a reader that gets it twice can
tell. A server that is away, or that says "not now" (4xx), is asked again later with growing pauses; one that says
"never" (5xx) of the recipient or of the mail is believed.
"""

import asyncio
import socket
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from contract.bus import BusCommand
from contract.settings import Settings, SettingsError
from workers.accounts import check_email
from workers.bus import pause_s
from workers.service import Desk, Ending, Later, Never, Refuse, replied

SENT_WITHIN_S = 20.0
"""How long a mail server may take for a mail: a greeting that is delayed to keep robots away, and an answer to each of
six lines. The bus gives up a little later."""
PORTS = {"smtp": 25, "smtps": 465}
REASON_CHARACTERS_MAX = 200
TEMPLATES = {
    "welcome": (
        "Welcome to the shop",
        "Your account has been made: you can log in with this e-mail address and the password that you chose.\n\n"
        "If that was not you, somebody has used your address by mistake; you need not do anything.\n",
    ),
}
"""Subject and text by name. Nothing that a visitor has typed is in them: he may have typed another's address."""


class MailServer(NamedTuple):
    """Where mail goes. `tls`: from the first byte on; `starttls`: by STARTTLS, None for where the server offers it."""

    host: str
    port: int
    tls: bool
    starttls: bool | None
    user: str | None
    password: str | None
    sender: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"MailServer({self.host}:{self.port})"


class Mail(msgspec.Struct, frozen=True):
    """Which mail; the user of the command gets it."""

    template: str


_mails = msgspec.json.Decoder(Mail)


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the settings; None when no mail is sent. Raises SettingsError for a URL that names none."""
    if not settings.smtp_url:
        return None
    try:
        parts = urlsplit(settings.smtp_url)
        host, port, default = parts.hostname, parts.port, PORTS.get(parts.scheme)
    except ValueError:
        host = port = default = None
    else:
        if host and default:
            user = unquote(parts.username) if parts.username else None
            password = unquote(parts.password) if parts.password else None
            tls = parts.scheme == "smtps"
            # A password goes only over a line that nobody listens to.
            starttls = False if tls else True if user else None
            return MailServer(host, port or default, tls, starttls, user, password, _sender(settings))
    # The URL is not repeated: there may be a password in it.
    raise SettingsError("FLUXGATE_SMTP_URL must be like smtp://host:587 or smtps://user:password@host.")


async def send_mail(desk: Desk, command: BusCommand) -> Ending:
    """Send a mail to the user of the command. Later for a fault that passes, Never for one that does not."""
    template = _mails.decode(command.body).template
    server: MailServer | None = desk.tools.mail
    if server is None:
        return Later(pause_s(command.attempt), "FLUXGATE_SMTP_URL is not set")
    if template not in TEMPLATES:
        return Never(f"there is no mail {template[:50]!r}")
    address = await desk.pool.fetchval(desk.queries["read_recipient"], command.user_id)
    if address is None:
        return Never("the user is gone")
    return await _send(server, write_mail(template, server.sender, address, command.id), command.attempt)


def write_mail(template: str, sender: str, recipient: str, mail_id: str) -> EmailMessage:
    """A mail of this template, a key of TEMPLATES. Raises ValueError for an address that would end a header's line."""
    subject, text = TEMPLATES[template]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Date"] = format_datetime(localtime())
    mail["Message-ID"] = f"<{mail_id}@{sender.rpartition('@')[2]}>"
    # Asks out-of-office replies to stay away.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


async def _send(server: MailServer, mail: EmailMessage, attempt: int) -> Ending:
    try:
        async with asyncio.timeout(SENT_WITHIN_S):
            await aiosmtplib.send(
                mail,
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                # What the library would find out by asking the name server, and would wait for.
                local_hostname=socket.gethostname(),
                timeout=SENT_WITHIN_S,
                use_tls=server.tls,
                start_tls=server.starttls,
            )
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        reason = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
        return Never(reason) if _is_final(error) else Later(pause_s(attempt), reason)
    return replied({"sent": True})


def _is_final(error: Exception) -> bool:
    """Whether the server will never take this mail. Where it takes none of ours, whoever runs it can put that right."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return any(_is_final(refused) for refused in error.recipients)
    return isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError) and error.code >= 500


def _sender(settings: Settings) -> str:
    try:
        return check_email(settings.mail_from)
    except Refuse:
        raise SettingsError(f"FLUXGATE_MAIL_FROM must be an e-mail address, not {settings.mail_from!r}.") from None
