"""The keys of the auth worker: it signs access tokens and opens sealed bodies; everybody else only checks and seals.

All keys come from one seed, which only workers have. A gateway has the public half, with which nobody can make a token
and nobody can read what was sealed. In development neither needs to be set: whoever comes first makes a seed in the
data directory, and everybody on this machine reads that one.
"""

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.public import PrivateKey

from contract.seeds import KEY_BYTES, from_hex, kept_seed
from contract.settings import Settings, SettingsError

SEED_FILE = "auth.seed"
_NAME = "FLUXGATE_AUTH_SEED"
_HOW = "`fluxgate user keys` makes one"


class PublicKeys(NamedTuple):
    """What checks an access token (Ed25519), and what seals a body (X25519)."""

    verify: bytes
    box: bytes

    @property
    def text(self) -> str:
        """As the setting has it."""
        return (self.verify + self.box).hex()


class PrivateKeys(NamedTuple):
    """What signs access tokens, what opens sealed bodies, what refresh tokens are renewed with, and the public half."""

    signing: bytes
    box: bytes
    refresh: bytes
    public: PublicKeys

    def __repr__(self) -> str:
        """Only the public half: a key is in no log and in no traceback."""
        return f"PrivateKeys(public={self.public.text})"


def derive_keys(seed: str) -> PrivateKeys:
    """The keys of a seed. Raises SettingsError for a text that is none."""
    raw = from_hex(seed, KEY_BYTES, _NAME, _HOW)
    # The names make the keys independent of each other: one of them tells nothing about the next.
    signing, box, refresh = (
        blake2b(raw, digest_size=KEY_BYTES, person=name).digest()
        for name in (b"fluxgate sign", b"fluxgate box", b"fluxgate refresh")
    )
    verify = Ed25519PrivateKey.from_private_bytes(signing).public_key().public_bytes_raw()
    return PrivateKeys(signing, box, refresh, PublicKeys(verify, bytes(PrivateKey(box).public_key)))


def private_keys(settings: Settings) -> PrivateKeys:
    """The keys of the auth worker. Raises SettingsError where they are missing in production, or do not fit."""
    if settings.env == "production" and not settings.auth_seed:
        raise SettingsError(f"FLUXGATE_AUTH_SEED must be set when FLUXGATE_ENV is production; {_HOW}.")
    keys = derive_keys(settings.auth_seed or _kept_seed(settings.data_dir))
    if settings.auth_public and parse_public(settings.auth_public) != keys.public:
        raise SettingsError(
            "FLUXGATE_AUTH_PUBLIC is not the public half of the auth worker's seed: set FLUXGATE_AUTH_SEED to the seed "
            f"that it belongs to, or FLUXGATE_AUTH_PUBLIC to {keys.public.text}."
        )
    return keys


def public_keys(settings: Settings) -> PublicKeys:
    """The public half, which is all that a gateway needs. Raises SettingsError where it is missing in production."""
    if settings.auth_public:
        return parse_public(settings.auth_public)
    if settings.env == "production":
        raise SettingsError(f"FLUXGATE_AUTH_PUBLIC must be set when FLUXGATE_ENV is production; {_HOW}.")
    return derive_keys(settings.auth_seed or _kept_seed(settings.data_dir)).public


def parse_public(text: str) -> PublicKeys:
    """The public half from its text. Raises SettingsError for a text that is none."""
    raw = from_hex(text, 2 * KEY_BYTES, "FLUXGATE_AUTH_PUBLIC", _HOW)
    return PublicKeys(raw[:KEY_BYTES], raw[KEY_BYTES:])


def _kept_seed(directory: Path) -> str:
    return kept_seed(directory / SEED_FILE, _NAME, "delete it, and everybody logs in anew")
