"""What a fault is, as data: a name, and what it does to a house while a sale runs in it."""

import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from chaos.house import House

# A silence that is shorter may be chance, or a busy machine.
SILENCE_S = 0.3


class Unavailable(Exception):
    """This machine does not let the suite do what a fault needs. The message says what is missing."""


class Scene(NamedTuple):
    """What a fault finds. The same seed draws the same."""

    house: House
    product: str
    draw: random.Random


class Struck(NamedTuple):
    """A fault that has happened: from when to when its cause was there, in seconds of `perf_counter`."""

    at: float
    ended: float


@dataclass(frozen=True)
class Fault:
    """A fault by its name."""

    name: str
    strike: Callable[[Scene], Awaitable[Struck]]
    # What is the case from before the fault until the sale has recovered from it.
    around: Callable[[Scene], contextlib.AbstractAsyncContextManager[Any]] = lambda _: contextlib.nullcontext()
    # The shortest silence that counts as an outage.
    silence_s: float = SILENCE_S
    # Words of log lines that belong to this fault, and would otherwise be a complaint.
    allowed: tuple[str, ...] = ()
    # Whether the servers' clocks cannot be compared with ours, so that the age of a row is not known.
    clock_lies: bool = False
