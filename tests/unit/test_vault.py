"""The vault: a secret opens in its own place, with its own seed, and nowhere else."""

import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from contract.sealing import Unopened
from contract.seeds import new_seed
from contract.settings import Settings, SettingsError
from workers.vault import NAME_BYTES, SEED_FILE, Vault, open_vault, place_of_key, place_of_token

SEED, OTHER = "ab" * 32, "cd" * 32
KEY = "ABCDE-FGHIJ-KLMNO"
PURCHASE, ANOTHER = uuid4(), uuid4()
PLACE = place_of_key(PURCHASE, 1)
KEPT = bytes.fromhex(
    "f6c581694e4ffc117ecee149d875a58758453e07db534151df69321662dcd1aa"
    "2f13e669dfbb29f91d8cd785c590ab28c70e40b457d7c20234f82cabb1b3ff48a6"
)


def test_a_key_comes_back_as_it_was() -> None:
    vault = Vault([SEED])
    for key in (KEY, "", "ключ\n" * 100):
        assert vault.open(vault.seal(key, PLACE), PLACE) == key


def test_what_was_sealed_by_another_version_still_opens() -> None:
    # Another derivation would make every key that was ever sold worthless.
    assert Vault([SEED]).open(KEPT, place_of_key(UUID(int=7), 3)) == KEY


def test_equal_keys_look_different_and_nothing_of_them_is_seen() -> None:
    vault = Vault([SEED])
    one, two = vault.seal(KEY, PLACE), vault.seal(KEY, PLACE)
    assert one[NAME_BYTES:] != two[NAME_BYTES:]
    assert KEY.encode() not in one


@pytest.mark.parametrize(
    "place",
    [place_of_key(ANOTHER, 1), place_of_key(PURCHASE, 2), place_of_token("ann"), b""],
    ids=["another purchase", "another key", "a token", "nowhere"],
)
def test_in_another_row_it_does_not_open(place: bytes) -> None:
    vault = Vault([SEED])
    with pytest.raises(Unopened, match="another place"):
        vault.open(vault.seal(KEY, PLACE), place)


def test_the_token_of_an_account_opens_for_its_own_user() -> None:
    vault = Vault([SEED])
    sealed = vault.seal("Atzr|token", place_of_token("ann"))
    assert vault.open(sealed, place_of_token("ann")) == "Atzr|token"
    with pytest.raises(Unopened, match="another place"):
        vault.open(sealed, place_of_token("anna"))


@pytest.mark.parametrize("index", [0, NAME_BYTES, -1])
def test_a_changed_bit_does_not_open(index: int) -> None:
    vault = Vault([SEED])
    sealed = bytearray(vault.seal(KEY, PLACE))
    sealed[index] ^= 1
    with pytest.raises(Unopened):
        vault.open(bytes(sealed), PLACE)


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(100)])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(Unopened):
        Vault([SEED]).open(sealed, PLACE)


def test_a_new_seed_seals_and_the_old_one_still_opens() -> None:
    old = Vault([SEED]).seal(KEY, PLACE)
    both = Vault([OTHER, SEED])
    assert both.open(old, PLACE) == KEY
    new = both.seal(KEY, PLACE)
    assert Vault([OTHER]).open(new, PLACE) == KEY
    with pytest.raises(Unopened, match="a seed that is not here"):
        Vault([SEED]).open(new, PLACE)


def test_no_seed_is_in_what_a_log_would_say() -> None:
    assert SEED not in f"{Vault([SEED])} {Vault([SEED, OTHER])!r}"


def test_production_needs_seeds_and_a_text_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FLUXGATE_VAULT_SEEDS must be set when FLUXGATE_ENV is production"):
        open_vault(Settings(env="production", data_dir=tmp_path))
    broken = f"{SEED} {OTHER[:-1]}"
    with pytest.raises(SettingsError, match="FLUXGATE_VAULT_SEEDS must be 64 hexadecimal digits") as refused:
        open_vault(Settings(env="production", vault_seeds=broken, data_dir=tmp_path))
    assert OTHER[:-1] not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    sealed = open_vault(Settings(env="production", vault_seeds=f"{OTHER} {SEED}")).seal(KEY, PLACE)
    assert Vault([OTHER]).open(sealed, PLACE) == KEY


def test_in_development_a_seed_is_made_once_and_only_we_may_read_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    sealed = open_vault(settings).seal(KEY, PLACE)
    assert open_vault(settings).open(sealed, PLACE) == KEY
    [kept] = settings.data_dir.iterdir()
    assert (kept.name, stat.S_IMODE(kept.stat().st_mode)) == (SEED_FILE, 0o600)
    kept.write_text(new_seed()[:-1])
    with pytest.raises(SettingsError, match=f"{SEED_FILE} holds no seed; put back the one that was there"):
        open_vault(settings)
