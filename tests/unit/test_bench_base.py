"""The earlier version that the bench compares with: which one it is, and what is taken out of the repository."""

import subprocess
from pathlib import Path

import pytest

from bench.base import checked_out, describe_base, find_base
from fluxgate.refusal import Refusal

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *WHO, *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A file `version` with 1, then 2."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    for number in ("1", "2"):
        (root / "version").write_text(number)
        git(root, "add", "version")
        git(root, "commit", "-q", "-m", f"version {number}")
    return root


def test_without_changes_the_commit_before_is_the_base(repository: Path):
    assert find_base("", repository) == git(repository, "rev-parse", "HEAD~1")


def test_with_changes_the_last_commit_is_the_base(repository: Path):
    (repository / "version").write_text("3")
    assert find_base("", repository) == git(repository, "rev-parse", "HEAD")


def test_any_revision_can_be_asked_for(repository: Path):
    first = git(repository, "rev-parse", "HEAD~1")
    git(repository, "tag", "first", "HEAD~1")
    assert find_base("first", repository) == find_base(first[:8], repository) == first
    assert describe_base(first, repository).endswith(" version 1")


def test_what_is_no_revision_is_refused_in_one_sentence(repository: Path):
    with pytest.raises(Refusal, match="'nonsense' is no revision"):
        find_base("nonsense", repository)


def test_the_first_commit_has_nothing_before_it(tmp_path: Path):
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    assert find_base("", tmp_path) == ""


def test_without_a_repository_there_is_no_base(tmp_path: Path, repository: Path):
    assert find_base("", tmp_path) == ""
    inside = repository / "inside"
    inside.mkdir()
    assert find_base("", inside) == ""


def test_a_base_is_taken_out_beside_the_work_tree_and_removed_again(repository: Path):
    with checked_out(find_base("", repository), repository) as root:
        assert (root / "version").read_text() == "1"
    assert not root.exists()
    assert (repository / "version").read_text() == "2"
    assert git(repository, "status", "--porcelain") == ""
