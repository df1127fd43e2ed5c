"""The real scripts on a real Valkey, on a clock that the test sets: forward, back, and by single microseconds."""

from typing import Any

from lua import scripts
from lua.scripts import script_sha, script_text

CLOCK = "the test's clock"
NAMES = {script_sha(path.stem): path.stem for path in scripts.FOLDER.glob("*.lua")}
TIME = "redis.call('TIME')"
KEPT_UNTIL_MS = 4_000_000_000_000
"""An end that no script sets: it tells what has an end by this clock from what a script has just given one."""
EXPIRY_SLACK_MS = 1_000
"""How much of an expiry a busy machine may see gone before it looks."""


class Clocked:
    """A client whose scripts read the time from a key. Nothing else is changed in them.

    What a script lets expire ends by this clock too: a key is kept, and deleted once the clock has passed its end.
    """

    def __init__(self, redis: Any, now_us: int) -> None:
        self._redis = redis
        self._shas: dict[str, str] = {}
        self._ends_ms: dict[str, int] = {}
        self.now_us = now_us

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    async def execute_command(self, command: str, sha: str, count: int, *rest: Any) -> Any:
        """Run a script at this clock's time, in one step with the look at what it lets expire."""
        assert command == "EVALSHA"
        if sha not in self._shas:
            self._shas[sha] = await self._redis.script_load(on_this_clock(NAMES[sha]))
        keys = [str(key) for key in rest[:count]]
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(CLOCK, *(key for key, ends_ms in self._ends_ms.items() if ends_ms < self.now_us // 1000))
            pipe.rpush(CLOCK, *divmod(self.now_us, 1_000_000))
            pipe.execute_command(command, self._shas[sha], count, *rest)
            for key in keys:
                pipe.pexpiretime(key).pttl(key).pexpireat(key, KEPT_UNTIL_MS, xx=True)
            _, _, reply, *ends = await pipe.execute()
        self._ends_ms = {key: end for key, end in self._ends_ms.items() if end >= self.now_us // 1000}
        for key, ends_at_ms, ttl_ms in zip(keys, ends[::3], ends[1::3], strict=True):
            if ttl_ms < 0:
                self._ends_ms.pop(key, None)
            elif ends_at_ms != KEPT_UNTIL_MS:
                self._ends_ms[key] = self.now_us // 1000 + ttl_ms
        return reply

    def ttl_ms(self, key: str) -> int | None:
        """Milliseconds to the end of a key, none or few too few; None for a key without end."""
        return self._ends_ms[key] - self.now_us // 1000 if key in self._ends_ms else None


def on_this_clock(name: str) -> str:
    """The text of a script that reads the time from a key, if it reads it at all."""
    return script_text(name).replace(TIME, f"redis.call('LRANGE', \"{CLOCK}\", 0, 1)")
