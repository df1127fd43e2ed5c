"""A short soak: `python -m chaos --soak 5` is the long one."""

from pathlib import Path

import pytest

from chaos.soak import soak

pytestmark = [pytest.mark.slow, pytest.mark.fault]

SECONDS = 15


async def test_what_sale_after_sale_needs_goes_again(tmp_path: Path) -> None:
    said: list[str] = []
    soaked = await soak(tmp_path, SECONDS, said.append)
    assert soaked.problems == []
    assert soaked.grown == []
    assert soaked.restarts > 0
    assert said
