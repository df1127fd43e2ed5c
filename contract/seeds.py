"""Seeds: the 32 bytes that secret keys are derived from, as a setting has them, or kept in the data directory.

In development none needs to be set: whoever comes first makes one in the data directory, and everybody on this machine
reads that one.
"""

import contextlib
import os
import re
import secrets
from pathlib import Path

from contract.settings import SettingsError

KEY_BYTES = 32
"""Of a seed, and of every key that is derived from one; as text they have twice as many hexadecimal digits."""


def new_seed() -> str:
    """A seed, as a setting has it."""
    return secrets.token_hex(KEY_BYTES)


def from_hex(text: str, length: int, name: str, how: str) -> bytes:
    """The bytes of a setting in hexadecimal digits. Raises SettingsError for what is none; `how` says what to do."""
    # The text itself is not repeated: it may be a seed with one digit missing.
    if not _is_hex(text, length):
        raise SettingsError(f"{name} must be {2 * length} hexadecimal digits; {how}.")
    return bytes.fromhex(text)


def kept_seed(path: Path, name: str, how: str) -> str:
    """The seed in this file, which is made when there is none. Raises SettingsError when that fails, or the file holds
    something else: `name` is the setting that it stands for, `how` what to do about the file."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _keep_first(path, new_seed())
        seed = path.read_bytes().strip().decode(errors="replace")
    except OSError as error:
        raise SettingsError(f"{name} is not set, and {path} cannot be used instead: {error.strerror}.") from None
    if not _is_hex(seed, KEY_BYTES):
        raise SettingsError(f"{path} holds no seed; {how}.")
    return seed


def _is_hex(text: str, length: int) -> bool:
    return re.fullmatch(rf"[0-9a-fA-F]{{{2 * length}}}", text) is not None


def _keep_first(path: Path, seed: str) -> None:
    """Write a seed whole, and give it its name unless somebody else was first: a link replaces nothing."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(seed)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
