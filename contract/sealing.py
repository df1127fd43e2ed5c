"""Secrets on their way: sealed by the gateway for the auth worker, and sealed by it for who asked.

A stream and its log file are read by many, so passwords and tokens cross them only sealed. The body of a command is
`{"sealed": ...}`: a box that only the worker can open, with the fields and a key that the gateway made for this one
command. What the reply holds is sealed by that key, also where the reply is kept: it is of use to nobody who does not
have the key.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.secret import SecretBox

from contract.auth_keys import PrivateKeys, PublicKeys
from contract.bus import encode
from contract.errors import FluxGateError
from contract.seeds import KEY_BYTES

_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 bytes in base64url, without padding."""


class Unopened(FluxGateError):
    """A sealed text that this key does not open: it is damaged, or was sealed for another key."""


class Sealed(msgspec.Struct, frozen=True):
    """A body or a reply on its way."""

    sealed: str


class _WithKey(msgspec.Struct, frozen=True, rename="camel"):
    reply_key: str


_sealed = msgspec.json.Decoder(Sealed)
_with_key = msgspec.json.Decoder(_WithKey)


def seal_body(public: PublicKeys, document: Mapping[str, Any]) -> tuple[Sealed, bytes]:
    """The body of a command that holds secrets, and the key that opens its reply."""
    reply_key = secrets.token_bytes(KEY_BYTES)
    plain = encode({**document, "replyKey": key_text(reply_key)})
    return Sealed(_text(SealedBox(PublicKey(public.box)).encrypt(plain))), reply_key


def open_body(private: PrivateKeys, body: bytes | msgspec.Raw) -> tuple[bytes, bytes]:
    """The fields of a sealed body as JSON, and the key for the reply.

    Raises Unopened; msgspec.ValidationError where the body is not sealed or has no such key.
    """
    found = _sealed.decode(body)
    try:
        plain = SealedBox(PrivateKey(private.box)).decrypt(_bytes(found.sealed))
    except CryptoError:
        raise Unopened("The body was sealed for another key.") from None
    try:
        reply_key = parse_key(_with_key.decode(plain).reply_key)
    except msgspec.DecodeError:
        reply_key = None
    if reply_key is None:
        raise msgspec.ValidationError("The sealed body has no key for its reply.")
    return plain, reply_key


def seal_reply(reply_key: bytes, document: Any) -> Sealed:
    """What a reply holds, for whoever has the key."""
    return Sealed(_text(SecretBox(reply_key).encrypt(encode(document))))


def open_reply(reply_key: bytes, data: bytes | msgspec.Raw) -> bytes:
    """What a sealed reply holds, as JSON. Raises Unopened; msgspec.ValidationError where it is not sealed."""
    found = _sealed.decode(data)
    try:
        return SecretBox(reply_key).decrypt(_bytes(found.sealed))
    except CryptoError:
        raise Unopened("The reply was sealed for another key.") from None


def key_text(reply_key: bytes) -> str:
    """A reply's key as it stands in a URL."""
    return _text(reply_key)


def parse_key(text: str) -> bytes | None:
    """The key that a text is; None when it is none."""
    return _bytes(text) if _KEY.fullmatch(text) else None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise Unopened("What should be sealed is not base64url.") from None
