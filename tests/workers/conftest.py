"""Workshops of several lanes."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from contract.settings import Settings
from tests.support.workshop import Workshop, open_workshop


@pytest.fixture(params=[1, 3])
async def gate(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[Workshop]:
    """A workshop of one lane, and of three."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=request.param)) as opened:
        yield opened


@pytest.fixture
async def three(settings: Settings) -> AsyncIterator[Workshop]:
    """A workshop of three lanes."""
    async with open_workshop(msgspec.structs.replace(settings, lanes=3)) as opened:
        yield opened
