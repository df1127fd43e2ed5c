"""Loads the scripts and calls them: EVALSHA, and the whole text only when Redis says that it does not know the hash."""

import re
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

FOLDER = Path(__file__).parent
Client = Redis
"""A client whose replies are bytes (decode_responses off)."""


class Runner(Protocol):
    """Whatever can run a script: a client, or any other connection with redis-py's errors and replies as bytes."""

    async def execute_command(self, *command: Any) -> Any:
        """The reply to one command."""
        ...


@cache
def script_text(name: str) -> str:
    """The text of `name`.lua with its includes in place, comments and indentation stripped for the wire."""
    text = (FOLDER / f"{name}.lua").read_text()
    text = re.sub(
        r"^-- @include (\w+)$", lambda found: (FOLDER / "include" / f"{found[1]}.lua").read_text(), text, flags=re.M
    )
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("--"))


@cache
def script_sha(name: str) -> str:
    """The hash that Redis knows the script by."""
    return sha1(script_text(name).encode(), usedforsecurity=False).hexdigest()


async def call(client: Runner, name: str, keys: list[str], args: list[Any]) -> Any:
    """Run a script. Repeats it on NOSCRIPT only: that answer alone proves that nothing has been done."""
    run = cast(Any, client).execute_command
    try:
        return await run("EVALSHA", script_sha(name), len(keys), *keys, *args)
    except NoScriptError:
        return await run("EVAL", script_text(name), len(keys), *keys, *args)
