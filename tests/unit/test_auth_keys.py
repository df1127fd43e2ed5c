"""The keys of the auth worker: one seed, two halves, and a sentence for whatever does not fit."""

import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from contract import seeds
from contract.auth_keys import SEED_FILE, derive_keys, parse_public, private_keys, public_keys
from contract.seeds import new_seed
from contract.settings import Settings, SettingsError

ROOT = Path(__file__).parents[2]
SEED, OTHER = "ab" * 32, "cd" * 32
PUBLIC = derive_keys(SEED).public.text
READ = (
    "import sys; from pathlib import Path; from contract.settings import Settings; "
    "from contract.auth_keys import public_keys; sys.stdin.readline(); "
    "print(public_keys(Settings(data_dir=Path(sys.argv[1]))).text)"
)


def test_a_seed_gives_the_same_keys_for_ever() -> None:
    # Another derivation would make every gateway and every login of an installation worthless.
    assert derive_keys(SEED.upper()).public.text == PUBLIC
    assert PUBLIC == (
        "1ec4085564f88c4ffb6f425b1a378dc8b50e19f9637bc7b94e8dc0a99c72bfc0"
        "83ee7b167d73d94387933354decfc4ce5d35f5bbdb604d6f69b555859d137471"
    )
    assert parse_public(PUBLIC) == derive_keys(SEED).public


def test_the_keys_of_a_seed_have_nothing_in_common_and_none_is_the_seed() -> None:
    keys = derive_keys(SEED)
    assert len({keys.signing, keys.box, keys.refresh, *keys.public, bytes.fromhex(SEED)}) == 6


def test_no_private_key_is_in_what_a_log_would_say() -> None:
    keys = derive_keys(SEED)
    said = f"{keys} {keys!r} {[keys]}"
    assert keys.public.text in said
    for secret in (keys.signing, keys.box, keys.refresh):
        assert secret.hex() not in said
        assert repr(secret)[2:-1] not in said


def test_a_gateway_that_has_the_public_half_needs_no_seed_and_makes_none(tmp_path: Path) -> None:
    settings = Settings(auth_public=PUBLIC, data_dir=tmp_path, env="production")
    assert public_keys(settings) == derive_keys(SEED).public
    assert list(tmp_path.iterdir()) == []


def test_without_a_public_half_it_is_that_of_the_seed(tmp_path: Path) -> None:
    settings = Settings(auth_seed=SEED, data_dir=tmp_path)
    assert public_keys(settings) == private_keys(settings).public == derive_keys(SEED).public
    assert list(tmp_path.iterdir()) == []


def test_production_refuses_to_start_without_keys(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_AUTH_SEED must be set when FLUXGATE_ENV is production"):
        private_keys(Settings(env="production", auth_public=PUBLIC, data_dir=tmp_path))
    with pytest.raises(SettingsError, match="FLUXGATE_AUTH_PUBLIC must be set when FLUXGATE_ENV is production"):
        public_keys(Settings(env="production", auth_seed=SEED, data_dir=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_halves_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(SettingsError, match=f"is not the public half .* or FLUXGATE_AUTH_PUBLIC to {PUBLIC}"):
        private_keys(Settings(auth_seed=SEED, auth_public=derive_keys(OTHER).public.text))


@pytest.mark.parametrize("text", ["x", "ab" * 31, "ab" * 33, "zz" * 32, " " + "ab" * 31 + "a"])
def test_a_seed_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_AUTH_SEED must be 64 hexadecimal digits") as refused:
        private_keys(Settings(auth_seed=text))
    assert text == "x" or text not in str(refused.value)


def test_a_public_half_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_AUTH_PUBLIC must be 128 hexadecimal digits"):
        public_keys(Settings(auth_public=SEED))


def test_where_nothing_is_set_a_seed_is_made_once_and_only_we_may_read_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "place")
    keys = private_keys(settings)
    assert public_keys(settings) == keys.public
    [kept] = settings.data_dir.iterdir()
    assert (kept.name, stat.S_IMODE(kept.stat().st_mode)) == (SEED_FILE, 0o600)
    assert derive_keys(kept.read_text()) == keys


def test_processes_that_start_at_once_agree_on_one_seed(tmp_path: Path) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    outputs = {starter.communicate()[0] for starter in starters}
    assert len(outputs) == 1
    assert re.fullmatch(r"[0-9a-f]{128}\n", outputs.pop())
    assert [path.name for path in tmp_path.iterdir()] == [SEED_FILE]


def test_of_many_seeds_that_are_written_at_one_moment_all_read_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Barrier(8, timeout=10)

    def made() -> str:
        # Everybody has found no seed, and has made one, before anybody writes.
        meeting.wait()
        return new_seed()

    monkeypatch.setattr(seeds, "new_seed", made)
    with ThreadPoolExecutor(8) as crowd:
        found = set(crowd.map(lambda _: public_keys(Settings(data_dir=tmp_path)), range(8)))
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == [SEED_FILE]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 64, b"ab" * 31])
def test_a_damaged_seed_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SEED_FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=f"{SEED_FILE} holds no seed; delete it"):
        private_keys(Settings(data_dir=tmp_path))


def test_a_data_directory_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"FLUXGATE_AUTH_SEED is not set, and .* cannot be used instead"):
        private_keys(Settings(data_dir=tmp_path / "file"))
