"""The one host that load may go to: this machine."""

from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"


class HostRefusedError(Exception):
    """A target that is not this machine. The message is one sentence for a person."""


def loopback_port(url: str) -> int:
    """The port of `url`, which must be plain HTTP on 127.0.0.1. Raises HostRefusedError for every other host."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "http" or parts.hostname != LOOPBACK or not port or parts.username:
        raise HostRefusedError(
            f"The bench sends load only to this machine: give it http://{LOOPBACK}:<port>, not {url!r}."
        )
    return port
