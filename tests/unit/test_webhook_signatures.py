"""Signatures of webhooks: the vectors of independent signers hold, and whatever is no signature is none."""

import base64
import time

import pytest

from contract.settings import Settings, SettingsError
from gateway.webhook_signatures import TOLERANCE_S, is_signed, is_signed_as_standard, is_timely, webhook_secrets
from tests.support.webhooks import sign, sign_as_standard, signed_by_node

KEY = b"test-api-hash"
AT = "1700000000000n-0001"
# Made with Node, which writes 10.0 as 10.
VECTORS = [
    ('{"status":"completed","amount":12.5}', "510e55fec481d34afe7566e47cb713853111431297d945646fb2d18ac1ea9002"),
    ('{"b":1,"a":{"z":null,"y":"é"}}', "469b02e3c53cea1a0d152efbad0d8aa56f875dbb0b423355c5fc20fbdc3cc2e4"),
    ('{"price":10,"note":"a/b"}', "061bc2f2663263398d65e7e6851d19fa1ac37412ac72d93bf96f8dee8bfc4ca2"),
]
TEXT, SIGNATURE = VECTORS[0]
WHSEC, WHSEC_OLD = ("whsec_" + base64.b64encode(bytes([n]) * 24).decode() for n in (1, 2))


@pytest.mark.parametrize(("payload", "signature"), VECTORS)
def test_the_vectors_hold(payload: str, signature: str) -> None:
    assert is_signed((KEY,), (payload + AT).encode(), signature)
    assert is_signed((KEY,), (payload + AT).encode(), signature.upper())


def test_a_payload_that_is_written_in_another_way_is_another_one() -> None:
    signature = VECTORS[2][1]
    for payload in ('{"price":10.0,"note":"a/b"}', '{"note":"a/b","price":10}', '{"price": 10, "note": "a/b"}'):
        assert not is_signed((KEY,), (payload + AT).encode(), signature)


@pytest.mark.slow
@pytest.mark.parametrize("payload", ["{status: 'completed', total: 10.0}", "{a: 1e21, b: 0.1 + 0.2, c: '\u2028é/'}"])
def test_what_node_signs_is_signed(payload: str) -> None:
    text, signature = signed_by_node(payload, 1_795_000_000_000, "a-nonce")
    assert is_signed((b"sandbox-hash",), f"{text}1795000000000a-nonce".encode(), signature)
    assert sign(text, 1_795_000_000_000, "a-nonce") == signature, "our own signer for tests differs from Node's"


@pytest.mark.parametrize(
    "signature",
    ["", "0", SIGNATURE[:-1], SIGNATURE[:-2], SIGNATURE + "00", "g" * 64, "é" * 64, " " + SIGNATURE[1:], "٣" * 64],
)
def test_what_is_no_digest_is_no_signature(signature: str) -> None:
    assert not is_signed((KEY,), (TEXT + AT).encode(), signature)


def test_each_secret_is_good_and_no_other_one() -> None:
    signed = (TEXT + AT).encode()
    assert is_signed((b"new", KEY), signed, SIGNATURE)
    assert is_signed((KEY, b"old"), signed, SIGNATURE)
    assert not is_signed((b"new", b"old"), signed, SIGNATURE)
    assert not is_signed((), signed, SIGNATURE)


def test_a_time_counts_in_seconds_and_in_milliseconds_within_the_tolerance() -> None:
    now = time.time()
    for off_s in (0, TOLERANCE_S - 2, 2 - TOLERANCE_S):
        assert is_timely(f"{now + off_s:.0f}")
        assert is_timely(f"{(now + off_s) * 1000:.0f}")
    for off_s in (TOLERANCE_S + 2, -TOLERANCE_S - 2):
        assert not is_timely(f"{now + off_s:.0f}")
        assert not is_timely(f"{(now + off_s) * 1000:.0f}")


@pytest.mark.parametrize("form", ["", "now", "{}.0", "-{}", "+{}", " {}", "{}\n", "0{}", "{}0000", "{}e0", "1" * 5000])
def test_what_is_no_time_is_not_timely(form: str) -> None:
    assert not is_timely(form.format(int(time.time())))


def test_a_time_in_the_digits_of_another_script_is_none() -> None:
    digits = str(int(time.time())).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert not is_timely(digits)


def test_standard_webhooks_are_checked_as_their_specification_has_it() -> None:
    # The vector of the specification's own libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    assert is_signed_as_standard((key,), signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")


def test_one_of_several_standard_signatures_is_enough() -> None:
    right = sign_as_standard("msg", 1, b"{}", WHSEC)
    key = base64.b64decode(WHSEC.removeprefix("whsec_"))
    signed = b"msg.1.{}"
    assert is_signed_as_standard((key,), signed, f"v1,AAAA {right}")
    assert is_signed_as_standard((b"another", key), signed, f"{right} v1,AAAA")
    for wrong in (
        "",
        "v1",
        "v1,",
        right.replace("v1", "v1a"),
        right[3:],
        "v1,%%%",
        "v1,é",
        right[:-1],
        " " * 9 + right,
    ):
        assert not is_signed_as_standard((key,), signed, wrong)


def test_the_secrets_are_those_of_the_settings() -> None:
    assert webhook_secrets(Settings()) == (b"sandbox-hash",)
    assert webhook_secrets(Settings(env="production", admin_key="x" * 16)) == ()
    both = Settings(g2a_webhook_secret="new", g2a_webhook_secret_old="old")
    assert webhook_secrets(both) == (b"new", b"old")
    standard = Settings(g2a_webhook_scheme="standard", g2a_webhook_secret=WHSEC, g2a_webhook_secret_old=WHSEC_OLD)
    assert webhook_secrets(standard) == (b"\x01" * 24, b"\x02" * 24)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_%%%", "whsec_" + "A" * 88, "whsec_é"])
def test_a_secret_that_standard_webhooks_cannot_have_is_told_with_its_name(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"^FLUXGATE_G2A_WEBHOOK_SECRET must be whsec_ and the base64 of 24 to 64"):
        webhook_secrets(Settings(g2a_webhook_scheme="standard", g2a_webhook_secret=secret))
    if secret:
        old = Settings(g2a_webhook_scheme="standard", g2a_webhook_secret=WHSEC, g2a_webhook_secret_old=secret)
        with pytest.raises(SettingsError, match=r"^FLUXGATE_G2A_WEBHOOK_SECRET_OLD must be"):
            webhook_secrets(old)
