"""The supervisor, with small children that do as they are told."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from chaos.system import lives
from chaos.waiting import until
from fluxgate import supervisor as supervisor_module
from fluxgate.probes import Probe, alive
from fluxgate.process import Child, ChildFailed
from fluxgate.supervisor import BACKOFF_FIRST_S, BACKOFF_MAX_S, Supervisor, backoff_s

WAIT = "while :; do sleep 0.05; done"


class Stage:
    """A supervisor with what it says, and children that are one shell command each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.supervisor = Supervisor(directory / "logs", self.said.append)

    def child(self, name: str, script: str, ready: Probe = alive, stop_within_s: float = 1.0) -> Child:
        argv = ["/bin/sh", "-c", script]
        return Child(name=name, argv=argv, ready=ready, stop_within_s=stop_within_s)

    def wrote(self, name: str) -> Probe:
        """A probe that says yes when a child has written this file."""

        async def probe() -> bool:
            return (self.directory / name).exists()

        return probe

    async def heard(self, words: str) -> None:
        async def said() -> bool:
            return any(words in sentence for sentence in self.said)

        await until(said)


async def gone(processes: list[psutil.Process]) -> None:
    """Wait until processes that were killed are dead; the kernel takes a moment."""

    async def dead() -> bool:
        return not any(lives(process) for process in processes)

    await until(dead, within_s=1.0)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    await stage.supervisor.stop()


async def test_a_child_that_dies_is_started_again(stage: Stage) -> None:
    await stage.supervisor.start(stage.child("sleeper", "exec sleep 60"))
    first = stage.supervisor.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)
    await stage.heard("sleeper is back.")
    assert stage.said[0] == "sleeper was ended by SIGKILL; it is started again in 0.1 s."
    second = stage.supervisor.pids()["sleeper"]
    assert second != first
    assert lives(psutil.Process(second))


async def test_a_child_that_keeps_dying_shows_the_end_of_its_log(stage: Stage) -> None:
    await stage.supervisor.start(stage.child("doomed", "echo the disk is full; exit 3"))
    await stage.heard("doomed keeps dying")
    assert stage.said[0] == "doomed ended with code 3; it is started again in 0.1 s."
    assert "    the disk is full" in next(sentence for sentence in stage.said if "keeps dying" in sentence)


def test_the_wait_doubles_up_to_its_cap() -> None:
    waits = [backoff_s(deaths) for deaths in (1, 2, 3, 4, 50, 5000)]
    assert waits == [BACKOFF_FIRST_S, 0.2, 0.4, 0.8, BACKOFF_MAX_S, BACKOFF_MAX_S]


async def test_after_a_good_life_the_wait_is_short_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "STEADY_AFTER_S", 0.0)
    await stage.supervisor.start(stage.child("doomed", "exit 1"))

    async def died_thrice() -> bool:
        return sum("started again" in sentence for sentence in stage.said) >= 3

    await until(died_thrice)
    assert {s for s in stage.said if "again" in s} == {"doomed ended with code 1; it is started again in 0.1 s."}


async def test_a_child_that_does_not_come_up_ends_in_an_error_with_its_last_words(stage: Stage) -> None:
    never = stage.wrote("never")
    with pytest.raises(ChildFailed, match=r"(?s)server ended with code 7.*    no such thing"):
        await stage.supervisor.start(stage.child("server", "echo no such thing >&2; exit 7", ready=never))


async def test_start_returns_when_all_are_ready(stage: Stage) -> None:
    script = f"sleep 0.2; touch {stage.directory}/ready; exec sleep 60"
    await stage.supervisor.start(stage.child("server", script, ready=stage.wrote("ready")))
    assert (stage.directory / "ready").exists()


async def test_what_was_started_last_stops_first(stage: Stage) -> None:
    note = f"trap 'echo %s >> {stage.directory}/ends; exit' TERM; touch {stage.directory}/%s; {WAIT}"
    for name in ("first", "second", "third"):
        await stage.supervisor.start(stage.child(name, note % (name, name), ready=stage.wrote(name)))
    await stage.supervisor.stop()
    assert (stage.directory / "ends").read_text().split() == ["third", "second", "first"]


async def test_a_child_that_does_not_listen_is_killed_with_its_children(stage: Stage) -> None:
    deaf = f"trap '' TERM; (trap '' TERM; exec sleep 60) & touch {stage.directory}/up; {WAIT}"
    await stage.supervisor.start(stage.child("deaf", deaf, ready=stage.wrote("up")))
    child = psutil.Process(stage.supervisor.pids()["deaf"])
    family = [child, *child.children(recursive=True)]
    await stage.supervisor.stop(within_s=0.2)
    assert stage.said == ["deaf did not end in time and was killed."]
    await gone(family)


async def test_a_stage_leaves_the_others_their_time(stage: Stage) -> None:
    polite = f"trap 'sleep 0.3; touch {stage.directory}/ended; exit' TERM; touch {stage.directory}/1; {WAIT}"
    await stage.supervisor.start(stage.child("polite", polite, stage.wrote("1"), stop_within_s=2.0))
    await stage.supervisor.start(
        stage.child("deaf", f"trap '' TERM; touch {stage.directory}/2; {WAIT}", stage.wrote("2"))
    )
    await stage.supervisor.stop(within_s=2.5)
    assert stage.said == ["deaf did not end in time and was killed."]
    assert (stage.directory / "ended").exists()


async def test_what_a_dead_child_left_behind_is_swept_away(stage: Stage) -> None:
    await stage.supervisor.start(
        stage.child("parent", f"sleep 60 & touch {stage.directory}/up; wait", stage.wrote("up"))
    )
    parent = psutil.Process(stage.supervisor.pids()["parent"])
    (orphan,) = parent.children()
    parent.kill()
    await stage.heard("parent is back.")
    await gone([orphan])


async def test_children_sit_in_sessions_of_their_own_so_that_ctrl_c_does_not_reach_them(stage: Stage) -> None:
    await stage.supervisor.start(stage.child("sleeper", "exec sleep 60"))
    pid = stage.supervisor.pids()["sleeper"]
    assert os.getsid(pid) == pid != os.getsid(0)


async def test_a_log_that_has_grown_too_large_is_put_aside(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "LOG_BYTES_MAX", 10)
    script = (
        f"echo much too much; touch {stage.directory}/1; while [ ! -e {stage.directory}/go ]; do sleep 0.02; done; "
    )
    child = stage.child("talker", script + f"echo more; touch {stage.directory}/2; exec sleep 60", stage.wrote("1"))
    await stage.supervisor.start(child)
    stage.supervisor.rotate_logs()
    (stage.directory / "go").touch()
    await until(stage.wrote("2"))
    log = stage.supervisor.log(child)
    assert log.with_name("talker.log.1").read_text() == "much too much\n"
    assert log.read_text() == "more\n"


async def test_a_fault_of_the_supervisor_itself_is_loud(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_deaths: int) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(supervisor_module, "backoff_s", broken)
    await stage.supervisor.start(stage.child("doomed", "exit 1"))
    with pytest.raises(ZeroDivisionError):
        await stage.supervisor.broken


async def test_a_program_that_does_not_exist_is_named(stage: Stage) -> None:
    child = Child(name="ghost", argv=["/nowhere/ghost"], ready=stage.wrote("never"))
    with pytest.raises(ChildFailed, match="/nowhere/ghost cannot be started: No such file"):
        await stage.supervisor.start(child)


async def test_a_child_sees_the_environment_it_is_given(stage: Stage) -> None:
    script = f"import os, pathlib; pathlib.Path({str(stage.directory / 'seen')!r}).write_text(os.environ['COLOUR'])"
    argv = [sys.executable, "-c", script]
    child = Child(name="seer", argv=argv, ready=stage.wrote("seen"), environ={"COLOUR": "blue"})
    await stage.supervisor.start(child)
    assert (stage.directory / "seen").read_text() == "blue"
