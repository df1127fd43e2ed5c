"""How webhooks are signed: over their bytes as they came, and never over a document that is made of them anew.

contract   signature = hex(HMAC-SHA256(secret, payload + timestamp + nonce + secret)), the payload as its text
standard   signature = base64(HMAC-SHA256(secret, id + "." + timestamp + "." + body)), as Standard Webhooks have it

Nothing stands between the parts of the first: the digits at the end of a timestamp may as well be the beginning of a
nonce. So it is the text that was signed that counts as seen before, and not the nonce alone.
"""

import base64
import hmac
import re
import time

from contract.settings import Settings, SettingsError

TOLERANCE_S = 300
"""How far the clock of a sender may be from ours; what is older could be a copy."""
STANDARD_PREFIX = "whsec_"
STANDARD_KEY_BYTES = (24, 64)
"""How long a secret of Standard Webhooks is, at least and at most."""
SIGNATURES_MAX = 8
"""Signatures of one webhook that are looked at: while its secret is renewed, a sender sends two."""
_DIGITS = re.compile(r"[0-9]{10}(?:[0-9]{3})?", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


def webhook_secrets(settings: Settings) -> tuple[bytes, ...]:
    """The secrets that a webhook of G2A may be signed with; none where none are set.

    Raises SettingsError where Standard Webhooks need one, or could not have the one that is set.
    """
    if settings.g2a_webhook_scheme == "contract":
        return tuple(secret.encode() for secret in settings.g2a_webhook_secrets)
    new = _standard_key("FLUXGATE_G2A_WEBHOOK_SECRET", settings.g2a_webhook_secret)
    old = settings.g2a_webhook_secret_old
    return (new, _standard_key("FLUXGATE_G2A_WEBHOOK_SECRET_OLD", old)) if old else (new,)


def is_timely(timestamp: str) -> bool:
    """Whether a time, in seconds or milliseconds since 1970, is now, give or take TOLERANCE_S."""
    if not _DIGITS.fullmatch(timestamp):
        return False
    seconds = int(timestamp) / (1000 if len(timestamp) > 10 else 1)
    return abs(time.time() - seconds) <= TOLERANCE_S


def is_signed(secrets: tuple[bytes, ...], signed: bytes, signature: str) -> bool:
    """Whether the contract's signature of this text is made with one of the secrets; each of them is tried."""
    if not _HEX.fullmatch(signature):
        return False
    given = bytes.fromhex(signature)
    # All of them, so that nobody learns from the time that it takes which of them it was.
    return True in [hmac.compare_digest(hmac.digest(secret, signed + secret, "sha256"), given) for secret in secrets]


def is_signed_as_standard(secrets: tuple[bytes, ...], signed: bytes, signatures: str) -> bool:
    """Whether one of the signatures `v1,...` of Standard Webhooks is that of this text with one of the secrets."""
    made = [hmac.digest(secret, signed, "sha256") for secret in secrets]
    given = [_v1(one) for one in signatures.split(" ", SIGNATURES_MAX)[:SIGNATURES_MAX]]
    return True in [hmac.compare_digest(own, theirs) for own in made for theirs in given]


def _v1(signature: str) -> bytes:
    version, _, text = signature.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else b""
    except ValueError:
        return b""


def _standard_key(name: str, secret: str) -> bytes:
    least, most = STANDARD_KEY_BYTES
    try:
        key = base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not least <= len(key) <= most:
        raise SettingsError(
            f"{name} must be {STANDARD_PREFIX} and the base64 of {least} to {most} bytes, "
            "when FLUXGATE_G2A_WEBHOOK_SCHEME is standard."
        )
    return key
