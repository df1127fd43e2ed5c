"""Mail over TLS: a password is shown to the right server, over a line that nobody reads, or to nobody."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bench.ports import free_port
from contract.settings import Settings
from tests.support.desk import open_desk
from tests.support.people import registered
from tests.support.postbox import SENDER, Doorman, Postbox, listening, waiting
from workers.auth import AUTH
from workers.mail import send_mail
from workers.service import Later, Replied


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    return free_port()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine with its key, which nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    address, now = x509.IPAddress(ip_address("127.0.0.1")), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "mail.pem"
    path.write_bytes(private + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_password_goes_only_over_a_line_that_is_sealed_for_the_right_server(
    settings: Settings, port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    url = f"{scheme}://shop:secret@127.0.0.1:{port}"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    tls = {"tls_context": context} if scheme == "smtp" else {"ssl_context": context, "auth_require_tls": False}
    doorman, postbox = Doorman(), Postbox()
    async with open_desk(msgspec.structs.replace(settings, smtp_url=url, mail_from=SENDER), AUTH) as desk:
        mail = await waiting(desk, (await registered(desk))["user"]["id"])
        with listening(postbox, port, authenticator=doorman, **tls):
            strange = await send_mail(desk, mail)
            assert isinstance(strange, Later)
            assert "certificate" in strange.reason
            assert doorman.shown == []
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert isinstance(await send_mail(desk, mail), Replied)
    assert (len(doorman.shown), len(postbox.mails)) == (1, 1)


async def test_a_password_is_not_sent_to_a_server_that_would_take_it_in_the_clear(
    settings: Settings, port: int
) -> None:
    url, doorman = f"smtp://shop:secret@127.0.0.1:{port}", Doorman()
    async with open_desk(msgspec.structs.replace(settings, smtp_url=url, mail_from=SENDER), AUTH) as desk:
        mail = await waiting(desk, (await registered(desk))["user"]["id"])
        with listening(Postbox(), port, auth_require_tls=False, authenticator=doorman):
            ending = await send_mail(desk, mail)
    assert isinstance(ending, Later)
    assert "STARTTLS" in ending.reason
    assert doorman.shown == []
