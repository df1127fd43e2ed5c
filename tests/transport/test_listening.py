"""A line that listens: what is published comes in the order in which Redis did things, and a gap is never hidden."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chaos.waiting import until
from contract.settings import Settings
from contract.transport import Line, open_line, open_redis
from tests.support.servers import Servers

CHANNEL = "news"
TELL = "redis.call('PUBLISH', ARGV[1], ARGV[2]) return ARGV[2]"


class Notebook:
    """Notes what a listener is told, and what the line's caller was answered, in their order."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def begin(self) -> None:
        self.notes.append("begin")

    def hear(self, message: bytes) -> None:
        self.notes.append(message)

    def end(self) -> None:
        self.notes.append("end")


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Any]:
    client = open_redis(Settings(redis_url=servers.redis_url))
    yield client
    await client.aclose()


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
async def line(servers: Servers, notebook: Notebook) -> AsyncIterator[Line]:
    opened = open_line(Settings(redis_url=servers.redis_url), CHANNEL, notebook)
    assert isinstance(opened, Line)
    yield opened
    await opened.aclose()


async def test_listening_begins_with_the_first_command(line: Line, notebook: Notebook, redis: Any) -> None:
    assert notebook.notes == []
    assert await line.execute_command("PING") == b"PONG"
    assert notebook.notes == ["begin"]
    await redis.publish(CHANNEL, b"from elsewhere")

    async def heard() -> bool:
        return notebook.notes == ["begin", b"from elsewhere"]

    await until(heard)


async def test_what_a_command_publishes_is_heard_before_its_answer(line: Line, notebook: Notebook) -> None:
    for i in range(100):
        told = b"%d" % i
        assert await line.execute_command("EVAL", TELL, 0, CHANNEL, told) == told
        assert notebook.notes[-1] == told
    assert notebook.notes == ["begin", *(b"%d" % i for i in range(100))]


async def test_answers_and_news_of_many_commands_at_once_are_not_mixed_up(line: Line, notebook: Notebook) -> None:
    told = [b"%d" % i for i in range(500)]
    assert await asyncio.gather(*(line.execute_command("EVAL", TELL, 0, CHANNEL, one) for one in told)) == told
    assert notebook.notes[1:] == told


async def test_a_lost_connection_is_told_at_once_and_the_next_one_begins_anew(
    line: Line, notebook: Notebook, redis: Any
) -> None:
    own = await line.execute_command("CLIENT", "ID")
    await redis.client_kill_filter(_id=own)

    async def ended() -> bool:
        return notebook.notes == ["begin", "end"]

    await until(ended)
    assert await line.execute_command("PING") == b"PONG"
    assert notebook.notes == ["begin", "end", "begin"]
