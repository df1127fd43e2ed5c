"""`fluxgate worker`: what keeps one from starting is told in a sentence, at once."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from contract.settings import Settings, child_environ

ROOT = Path(__file__).parents[2]
WITHIN_S = 20.0

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["auth", "all"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"env": "production", "admin_key": "0123456789abcdef"}, "FLUXGATE_AUTH_SEED must be set when FLUXGATE_ENV is"),
        ({"smtp_url": "nonsense"}, "FLUXGATE_SMTP_URL must be like smtp://host:587"),
    ],
)
async def test_a_setting_that_keeps_auth_from_working_is_told_in_a_sentence(
    settings: Settings, name: str, changes: dict[str, str], sentence: str
) -> None:
    environ = child_environ(msgspec.structs.replace(settings, **changes))
    pipe = asyncio.subprocess.PIPE
    argv = [sys.executable, "-m", "fluxgate", "worker", name]
    process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=environ, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(WITHIN_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 2
    assert err.decode().startswith(f"fluxgate: {sentence}")
    assert b"Traceback" not in out + err
