"""Which tests `make mutants` runs for a file."""

import os
import subprocess
from pathlib import Path

import pytest

from checks.mutants import PRODUCT, ROOT, TESTS, base_commit, changed_files, folders_of, main


def test_every_module_of_the_product_has_folders_of_tests() -> None:
    modules = [str(path.relative_to(ROOT)) for part in PRODUCT for path in (ROOT / part).rglob("*.py")]

    named = {folder for module in modules for folder in folders_of(module) if not module.endswith("/__init__.py")}

    assert len(modules) > 200
    assert named == {f"tests/{folder}" for folders in TESTS.values() for folder in folders}
    assert [folder for folder in named if not (ROOT / folder).is_dir()] == []


def test_the_narrowest_folder_counts() -> None:
    assert folders_of("inference_container/worker.py") == ("tests/container",)
    assert folders_of("inference_container/prompt/encoder.py") == ("tests/prompt",)
    assert folders_of("generate_on_cloud/contract/samplers.py") == ("tests/contract", "tests/lambdas")


@pytest.mark.parametrize("file", ["README.md", "tests/lambdas/cloud.py", "checks/mutants.py", "lambda/api.py"])
def test_a_file_outside_the_product_is_refused_by_name(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["checks.mutants", file])

    with pytest.raises(SystemExit, match=f"received {file}; allowed: modules of generate_on_cloud, "):
        main()


def test_a_commit_that_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["checks.mutants", "--base", "no-such-branch"])

    with pytest.raises(SystemExit, match="received no-such-branch; allowed: a commit, branch or tag"):
        main()


def _git(repository: Path, *arguments: str) -> None:
    names = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, env={**os.environ, **names})


def _commit_module(repository: Path, module: str) -> None:
    (repository / "lambdas").mkdir(exist_ok=True)
    (repository / "lambdas" / f"{module}.py").write_text("ONE = 1\n")
    _git(repository, "add", ".")
    _git(repository, "commit", "-m", module)


def test_by_default_a_branch_is_compared_with_where_it_left_main_and_main_with_the_commit_before(
    tmp_path: Path,
) -> None:
    _git(tmp_path, "init", "--initial-branch", "main")
    for module in ("first", "second"):
        _commit_module(tmp_path, module)
    on_main = changed_files(base_commit(repository=tmp_path), repository=tmp_path)
    _git(tmp_path, "checkout", "-b", "feature")
    for module in ("third", "fourth"):
        _commit_module(tmp_path, module)

    on_branch = changed_files(base_commit(repository=tmp_path), repository=tmp_path)
    asked = changed_files(base_commit("HEAD~", repository=tmp_path), repository=tmp_path)

    assert on_main == ["lambdas/second.py"]
    assert on_branch == ["lambdas/fourth.py", "lambdas/third.py"]
    assert asked == ["lambdas/fourth.py"]
