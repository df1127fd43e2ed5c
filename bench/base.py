"""An earlier Flux-Gate to be compared with: a revision of this repository, taken out into a directory of its own."""

import contextlib
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

from bench.children import ROOT
from fluxgate.refusal import Refusal

# No question to git takes longer; on a cold disk the first one may take a second.
GIT_MAX_S = 60.0


def find_base(asked: str, root: Path = ROOT) -> str:
    """The commit that is asked for, in full; empty where there is no repository.

    Asked for nothing, it is HEAD where the work tree differs from it, else the commit before. Raises Refusal when
    something is asked for that is no commit.
    """
    # A copy of the files inside another repository is not that repository.
    if (_git(root, "rev-parse", "--show-prefix") or b"none").strip():
        return ""
    changed = _git(root, "diff", "--quiet", "HEAD") is None
    found = _git(root, "rev-parse", "--verify", "--quiet", f"{asked or ('HEAD' if changed else 'HEAD~1')}^{{commit}}")
    if found is None and asked:
        raise Refusal(f"{asked!r} is no revision of this repository: give --base a commit, a branch or a tag.")
    return (found or b"").decode().strip()


def describe_base(commit: str, root: Path = ROOT) -> str:
    """A commit for people: its abbreviated hash and its first line."""
    return (_git(root, "log", "-1", "--format=%h %s", commit) or b"").decode().strip()


@contextlib.contextmanager
def checked_out(commit: str, root: Path = ROOT) -> Generator[Path]:
    """The files of a commit in a directory of their own, which is gone after the block."""
    archive = _git(root, "archive", "--format=tar", commit)
    if archive is None:
        raise Refusal(f"git could not take out {commit}.")
    with tempfile.TemporaryDirectory(prefix="fluxgate-base-") as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=archive, timeout=GIT_MAX_S, check=True)
        yield Path(directory)


def _git(root: Path, *question: str) -> bytes | None:
    """What git answers; None when it ends with another code than 0, or is not there."""
    try:
        done = subprocess.run(["git", *question], cwd=root, capture_output=True, timeout=GIT_MAX_S, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
