"""`scripts.py`: EVALSHA first, the whole text on NOSCRIPT, and nothing else is ever sent twice."""

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

import lua
from lua import Answer, Status, scripts
from tests.lua.lane import Lane, make_order, outcome
from tests.tidy.scripts import MAKES_ROOM

NAMES = sorted(path.stem for path in scripts.FOLDER.glob("*.lua"))


class Recorder:
    """A client that fails as it is told, and remembers what was sent."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.sent: list[str] = []

    async def execute_command(self, name: str, *_arguments: Any) -> Any:
        self.sent.append(name)
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def test_scripts_that_redis_has_forgotten_are_sent_again(lane: Lane) -> None:
    await lane.open()
    await lane.redis.script_flush()
    assert await lane.admit(make_order()) == [Answer(Status.ACCEPTED, 0)]
    assert await lane.stock() == 9
    await lane.redis.config_resetstat()
    await lane.admit(make_order("b"))
    stats = await lane.redis.info("commandstats")
    # The text was sent once; from then on the hash is enough.
    assert "cmdstat_eval" not in stats
    assert stats["cmdstat_evalsha"]["calls"] == 1


async def test_noscript_alone_is_repeated() -> None:
    client: Any = Recorder(NoScriptError("NOSCRIPT"), b"done")
    assert await scripts.call(client, "snapshot", [], []) == b"done"
    assert client.sent == ["EVALSHA", "EVAL"]


@pytest.mark.parametrize(
    "error",
    [
        RedisConnectionError("lost"),
        RedisTimeoutError("late"),
        ResponseError("OOM command not allowed"),
        ResponseError("WRONGTYPE"),
        OSError("broken pipe"),
    ],
)
async def test_no_other_error_is_repeated(error: Exception) -> None:
    client: Any = Recorder(error)
    with pytest.raises(type(error)):
        await scripts.call(client, "snapshot", [], [])
    assert client.sent == ["EVALSHA"]


async def test_an_error_of_the_repetition_is_not_repeated_either() -> None:
    client: Any = Recorder(NoScriptError("NOSCRIPT"), NoScriptError("NOSCRIPT"))
    with pytest.raises(NoScriptError):
        await scripts.call(client, "snapshot", [], [])
    assert client.sent == ["EVALSHA", "EVAL"]


@pytest.mark.parametrize("name", NAMES)
async def test_the_hash_is_the_one_that_redis_computes(lane: Lane, name: str) -> None:
    assert await lane.redis.script_load(scripts.script_text(name)) == scripts.script_sha(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_on_the_wire_begins_with_the_shebang_and_holds_no_comment_or_include(name: str) -> None:
    lines = scripts.script_text(name).splitlines()
    assert lines[0].split()[0] == "#!lua"
    assert not [line for line in lines if line.startswith("--") or line != line.strip() or not line]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MAKES_ROOM])
async def test_a_full_redis_refuses_the_whole_script_before_its_first_line(lane: Lane, name: str) -> None:
    await lane.open()
    before = await lane.contents()
    await lane.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(ResponseError, match="command not allowed"):
            await scripts.call(lane.redis, name, [], [])
    finally:
        await lane.redis.config_set("maxmemory", 0)
    assert await lane.contents() == before


async def test_in_a_full_redis_nothing_is_taken_and_what_was_taken_is_settled(lane: Lane) -> None:
    await lane.open()
    entry = await lane.accepted(make_order("a"))
    await lane.redis.config_set("maxmemory", 1)
    try:
        before = await lane.contents()
        with pytest.raises(OutOfMemoryError):
            await lane.admit(make_order("b"))
        assert await lane.contents() == before
        assert await lane.settle([entry], outcome(make_order("a"), lua.PERSISTED)) == 1
    finally:
        await lane.redis.config_set("maxmemory", 0)
    assert await lane.state(make_order("a")) == "persisted"
