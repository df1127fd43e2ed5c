"""Writes `.env.example` from the fields of `contract/base_settings.py` and `contract/upstream_settings.py`.

python -m tests.support.env_example > .env.example
"""

import inspect
import re

from contract.base_settings import BaseSettings
from contract.settings import PREFIX, Settings
from contract.upstream_settings import UpstreamSettings

HEAD = """\
# The settings of Flux-Gate and their defaults. Copy this file to .env and change what you need.
# The environment wins over .env; any setting may be given as <NAME>_FILE, the path of a file that holds its value.
"""


def env_example() -> str:
    """The text that `.env.example` must have: every field with its comment, its name and its default."""
    parts = [HEAD]
    for struct in (BaseSettings, UpstreamSettings):
        parts += _fields(inspect.getsource(struct))
    return "\n".join(parts)


def _fields(source: str) -> list[str]:
    """The fields of one struct, in its order."""
    defaults = Settings()
    parts: list[str] = []
    comment: list[str] = []
    for line in source.splitlines():
        line = line.strip()
        field = re.match(r"(\w+): .+ = ", line)
        if line.startswith("#"):
            comment.append(line)
        elif field:
            value = getattr(defaults, field[1])
            shown = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            parts.append("\n".join([*comment, f"{PREFIX}{field[1].upper()}={shown}", ""]))
            comment = []
        elif line.startswith("@property"):
            break
    return parts


if __name__ == "__main__":
    print(env_example(), end="")
