"""The vault: secrets as they lie in Postgres, sealed, and each bound to its place.

They are the keys of games, and the refresh tokens of accounts at Amazon. A secret is sealed (XChaCha20-Poly1305) under
a seed that only workers have, together with where it lies: in another row, for another order or another user, it does
not open. The name of its seed stands before it, so that seeds can be changed: the first one of the setting seals, every
one of them opens.
"""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from contract.sealing import Unopened
from contract.seeds import KEY_BYTES, from_hex, kept_seed
from contract.settings import Settings, SettingsError

SEED_FILE = "vault.seed"
NAME_BYTES = 8
"""Of the name of a seed, which says nothing about it."""
_SETTING = "FLUXGATE_VAULT_SEEDS"


class Vault:
    """Seals with the first of these seeds, opens with any. Raises SettingsError for a text that is no seed."""

    def __init__(self, seeds: Sequence[str]) -> None:
        raws = [from_hex(seed, KEY_BYTES, _SETTING, "or several such, separated by spaces") for seed in seeds]
        self._boxes = {_derived(raw, b"vault name")[:NAME_BYTES]: Aead(_derived(raw, b"vault key")) for raw in raws}
        self._first = next(iter(self._boxes))

    def __repr__(self) -> str:
        """Only the names of the seeds: they are in no log and in no traceback."""
        return f"Vault({', '.join(name.hex() for name in self._boxes)})"

    def seal(self, text: str, place: bytes) -> bytes:
        """A secret as it is kept at this place."""
        return self._first + self._boxes[self._first].encrypt(text.encode(), place)

    def open(self, sealed: bytes, place: bytes) -> str:
        """The secret of this place. Raises Unopened where it is not of here, or no seed here has sealed it."""
        box = self._boxes.get(sealed[:NAME_BYTES])
        if box is None:
            raise Unopened("It was sealed with a seed that is not here.")
        try:
            return box.decrypt(sealed[NAME_BYTES:], place).decode()
        except (CryptoError, ValueError):
            raise Unopened("It is damaged, or was sealed for another place.") from None


def place_of_key(purchase_id: UUID, number: int) -> bytes:
    """Where a key of a game lies: it is this one of the keys of a purchase."""
    return purchase_id.bytes + number.to_bytes(4, "big")


def place_of_token(user_id: str) -> bytes:
    """Where the token of an account at Amazon lies: with its user."""
    return b"amazon " + user_id.encode()


def open_vault(settings: Settings) -> Vault:
    """The vault of these settings. Raises SettingsError where it is missing in production, or does not fit."""
    seeds = settings.vault_seeds.split()
    if not seeds and settings.env == "production":
        raise SettingsError(
            f"{_SETTING} must be set when FLUXGATE_ENV is production; `openssl rand -hex 32` makes one."
        )
    how = "put back the one that was there, for nothing else opens what it has sealed"
    return Vault(seeds or [kept_seed(settings.data_dir / SEED_FILE, _SETTING, how)])


def _derived(raw: bytes, name: bytes) -> bytes:
    return blake2b(raw, digest_size=KEY_BYTES, person=b"fg " + name).digest()
