"""The house rules, held against every file of the repository. `test_tidy_proofs.py` shows that each can fail."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sql import load_queries
from tests.support.env_example import env_example
from tests.tidy import borders, form, locks, repository, scripts
from tests.tidy.repository import ROOT, texts

Rule = Callable[[str, str], list[str]]
TESTS_AND_BENCH = ("tests/", "bench/", "chaos/")


def every(rule: Rule, files: Iterator[tuple[str, str]]) -> list[str]:
    """The complaints of a rule about files, of which there must be some."""
    complaints: list[str] = []
    count = 0
    for path, text in files:
        complaints += rule(path, text)
        count += 1
    assert count
    return complaints


@pytest.mark.parametrize("rule", borders.BORDERS, ids=lambda rule: rule.__name__)
def test_each_thing_is_done_where_it_belongs_and_nowhere_else(rule: Rule) -> None:
    assert every(rule, texts(".py", outside=TESTS_AND_BENCH)) == []


def test_the_tests_get_the_environment_of_children_from_the_settings_too() -> None:
    outside = ("tests/browser/", "tests/unit/", "tests/tidy/", "tests/test_tidy")
    assert every(borders.reads_the_environment, texts(".py", outside=outside)) == []


def test_files_functions_and_lines_can_be_taken_in_at_once() -> None:
    assert every(form.is_too_long, texts(".py", ".lua", ".sql")) == []


def test_every_module_says_what_it_is_for() -> None:
    assert every(form.lacks_a_docstring, texts(".py")) == []


@pytest.mark.parametrize("package", ["contract", "gateway", "workers"])
def test_every_module_of_a_large_package_is_on_its_map(package: str) -> None:
    inside = [Path(path).relative_to(package) for path, _ in texts(".py") if path.startswith(f"{package}/")]
    names = {path.parts[0].removesuffix(".py") for path in inside} - {"__init__"}
    docstring = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""
    assert names
    assert form.is_off_the_map(package, docstring, names) == []


def test_nothing_is_marked_as_unfinished() -> None:
    # What others have written stays as it is.
    assert every(form.is_unfinished, texts(outside=("tests/models/",))) == []


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    assert every(form.names_a_machine, texts()) == []


def test_one_thing_has_one_name() -> None:
    files = texts(".py", ".lua", ".sql", ".md", ".toml", "", outside=("tests/tidy/", "tests/test_tidy"))
    assert every(form.uses_another_word, files) == []


def test_a_worker_opens_with_its_card() -> None:
    workers = [(path, text) for path, text in texts(".py") if Path(path).parent == Path("workers")]
    assert every(form.lacks_its_card, (item for item in workers if form.holds_a_worker(item[1]))) == []


def test_each_table_is_described() -> None:
    files = (item for item in texts(".sql") if item[0].startswith("sql/schema/"))
    assert every(form.has_an_undescribed_table, files) == []


@pytest.mark.parametrize("path", sorted((ROOT / "sql" / "queries").glob("*.sql")), ids=lambda path: path.name)
def test_each_query_is_described(path: Path) -> None:
    # The loader refuses a query without a description, and one whose name stands twice.
    assert load_queries(path.stem)


def test_lua_headers_and_locals_agree() -> None:
    files = (item for item in texts(".lua") if Path(item[0]).parent == Path("lua"))
    assert every(scripts.disagrees_with_itself, files) == []


def test_lua_includes_take_parameters_only() -> None:
    files = (item for item in texts(".lua") if item[0].startswith("lua/include/"))
    assert every(scripts.include_reaches_out, files) == []


def test_env_example_is_what_the_settings_say() -> None:
    found = (ROOT / ".env.example").read_text()
    assert found == env_example(), "renew it: python -m tests.support.env_example > .env.example"


def test_locks_name_no_index_and_hash_every_package() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert locks.is_open(name, (ROOT / name).read_text()) == []


def test_locks_hold_all_that_the_project_depends_on() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    lock, dev = ((ROOT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock"))
    assert locks.is_missing(project, lock, lock + dev) == []


def test_every_file_is_imported_or_run_by_something() -> None:
    python = dict(texts(".py"))
    others = "\n".join(text for path, text in texts() if not path.endswith(".py"))
    assert locks.is_unused(python, others) == []


@pytest.mark.slow
def test_who_may_import_whom_is_kept() -> None:
    run = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    linted = subprocess.run([sys.executable, "-c", run], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_rules_look_at_the_whole_repository() -> None:
    names = set(repository.tracked())
    for package in repository.PACKAGES:
        assert f"{package}/__init__.py" in names
    assert {"lua/admit.lua", "sql/schema/0001_sales.sql", "tests/test_tidy.py", "Makefile", "pyproject.toml"} <= names
