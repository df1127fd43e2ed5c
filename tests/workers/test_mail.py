"""Mail by a real SMTP server: sent once that is there, again when it says so, and never in the way of an answer."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from bench.ports import free_port
from contract.bus import decode_command
from contract.settings import Settings, SettingsError
from tests.support.desk import command, deliver, open_desk
from tests.support.people import PASSWORD, ask, fresh_email, opened, registered, sealed
from tests.support.postbox import SENDER, Postbox, listening, waiting
from workers.auth import AUTH
from workers.mail import mail_server, send_mail, write_mail
from workers.service import Desk, Later, Never, Replied


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
async def desk(settings: Settings, port: int) -> AsyncIterator[Desk]:
    """The auth worker with a mail server at `port`, which has to be started."""
    changed = msgspec.structs.replace(settings, smtp_url=f"smtp://127.0.0.1:{port}", mail_from=SENDER)
    async with open_desk(changed, AUTH) as opened_desk:
        yield opened_desk


async def test_who_registers_gets_a_mail_whose_command_holds_no_address(desk: Desk, port: int) -> None:
    address = fresh_email()
    user = (await registered(desk, email=address, nickname="Click http here"))["user"]
    own = await waiting(desk, user["id"])
    assert (own.kind, bytes(own.body)) == ("mail", b'{"template":"welcome"}')
    postbox = Postbox()
    with listening(postbox, port):
        await deliver(desk, AUTH, own)
    [mail] = postbox.mails
    assert postbox.recipients == [address]
    assert (mail["To"], mail["From"], mail["Subject"]) == (address, SENDER, "Welcome to the shop")
    assert mail["Message-ID"] == f"<{own.id}@shop.example>"
    text = mail.as_string()
    for typed in (PASSWORD, "Click http here"):
        assert typed not in text


async def test_a_mail_that_is_sent_twice_has_one_id(desk: Desk, port: int) -> None:
    own = await waiting(desk, (await registered(desk))["user"]["id"])
    postbox = Postbox()
    with listening(postbox, port):
        for _ in range(2):
            assert isinstance(await send_mail(desk, own), Replied)
    assert len({mail["Message-ID"] for mail in postbox.mails}) == 1


async def test_a_registration_is_answered_while_the_mail_server_is_away(desk: Desk, port: int) -> None:
    own, key = sealed(desk, "register", {"email": fresh_email(), "password": PASSWORD})
    answer = opened(await deliver(desk, AUTH, own), key)
    assert answer.status == 201
    mail = await waiting(desk, answer.data["user"]["id"])
    away = await send_mail(desk, mail)
    assert isinstance(away, Later)
    postbox = Postbox()
    with listening(postbox, port):
        assert isinstance(await send_mail(desk, mail), Replied)
    assert postbox.recipients == [answer.data["user"]["email"]]


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
async def test_a_server_that_is_busy_is_asked_again_ever_later(desk: Desk, port: int, where: str) -> None:
    mail = await waiting(desk, (await registered(desk))["user"]["id"])
    postbox = Postbox(**{where: ("451 4.7.1 come back later",) * 3})
    pauses: list[float] = []
    with listening(postbox, port):
        for attempt in (1, 2, 3):
            ending = await send_mail(desk, msgspec.structs.replace(mail, attempt=attempt))
            assert isinstance(ending, Later)
            assert "451" in ending.reason
            pauses.append(ending.after_s)
        assert isinstance(await send_mail(desk, mail), Replied)
    assert pauses[0] < pauses[1] < pauses[2]
    assert len(postbox.mails) == 1


async def test_a_busy_server_gets_the_mail_in_the_end_by_way_of_the_outbox(desk: Desk, port: int) -> None:
    mail = await waiting(desk, (await registered(desk))["user"]["id"])
    await desk.pool.execute("DELETE FROM outbox WHERE command_id = $1", mail.id)
    postbox = Postbox(at_rcpt=("451 4.7.1 come back later",))
    with listening(postbox, port):
        await deliver(desk, AUTH, mail)
        row = await desk.pool.fetchrow(
            "SELECT command, due_at > now() AS later FROM outbox WHERE command_id=$1", mail.id
        )
        again = decode_command(row["command"])
        assert (row["later"], again) == (True, msgspec.structs.replace(mail, attempt=2))
        await deliver(desk, AUTH, again)
    assert len(postbox.mails) == 1


@pytest.mark.parametrize("where", ["at_rcpt", "at_data"])
async def test_a_server_that_says_never_is_believed(desk: Desk, port: int, where: str) -> None:
    mail = await waiting(desk, (await registered(desk))["user"]["id"])
    with listening(Postbox(**{where: ("550 5.1.1 no such user",)}), port):
        ending = await send_mail(desk, mail)
    assert isinstance(ending, Never)
    assert "550" in ending.reason


async def test_a_server_that_does_not_let_us_in_is_asked_again_once_somebody_has_put_it_right(
    desk: Desk, port: int
) -> None:
    mail = await waiting(desk, (await registered(desk))["user"]["id"])
    with listening(Postbox(at_mail=("530 5.7.0 authentication required",)), port):
        ending = await send_mail(desk, mail)
    assert isinstance(ending, Later)
    assert "530" in ending.reason


async def test_a_server_that_says_nothing_is_left_after_a_while(
    desk: Desk, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.mail.SENT_WITHIN_S", 0.2)
    mail = await waiting(desk, (await registered(desk))["user"]["id"])
    with socket.create_server(("127.0.0.1", port)):
        assert isinstance(await send_mail(desk, mail), Later)


async def test_a_mail_for_nobody_and_a_mail_that_there_is_not_are_parked(desk: Desk) -> None:
    assert isinstance(await send_mail(desk, command("mail", {"template": "welcome"}, user_id="nobody")), Never)
    user = (await registered(desk))["user"]
    assert isinstance(await send_mail(desk, command("mail", {"template": "spam"}, user_id=user["id"])), Never)


async def test_without_a_mail_server_nothing_is_left_to_be_sent(settings: Settings) -> None:
    async with open_desk(settings, AUTH) as desk:
        answer = await ask(desk, "register", email=fresh_email(), password=PASSWORD)
        rows = await desk.pool.fetch("SELECT command FROM outbox WHERE worker = 'auth'")
        assert [row for row in rows if decode_command(row["command"]).user_id == answer.data["user"]["id"]] == []
        # One from the time when there was one waits until there is one again.
        mail = command("mail", {"template": "welcome"}, user_id=answer.data["user"]["id"])
        assert isinstance(await send_mail(desk, mail), Later)


@pytest.mark.parametrize("address", ["ann@shop.example\r\nBcc: all@shop.example", "ann@shop.example\n\nHello"])
def test_no_address_ends_the_line_of_a_header(address: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|newline|carriage"):
        write_mail("welcome", SENDER, address, "id")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 25, False, None, None, None)),
        ("smtp://mail.example:2525", ("mail.example", 2525, False, None, None, None)),
        ("smtp://me:p%40ss%3A@mail.example:587", ("mail.example", 587, False, True, "me", "p@ss:")),
        ("smtps://me:pass@mail.example", ("mail.example", 465, True, False, "me", "pass")),
    ],
)
def test_the_url_says_where_and_how(url: str, expected: tuple[Any, ...]) -> None:
    found = mail_server(Settings(smtp_url=url))
    assert found is not None
    assert found[:6] == expected
    assert "pass" not in repr(found)


@pytest.mark.parametrize("url", ["mail.example", "http://mail.example", "smtp://", "smtp://me:secret@host:port"])
def test_a_url_that_names_no_mail_server_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_SMTP_URL must be like smtp://host:587") as refused:
        mail_server(Settings(smtp_url=url))
    assert "secret" not in str(refused.value)


def test_a_sender_that_is_no_address_is_told() -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_MAIL_FROM must be an e-mail address"):
        mail_server(Settings(smtp_url="smtp://mail.example", mail_from="The Shop"))
