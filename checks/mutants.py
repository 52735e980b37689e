"""Changes the product one line at a time, in a copy of the working tree, and prints every change no test notices.

    python -m checks.mutants [--base COMMIT] [--tests FOLDER_OR_FILE …] -- [FILE …]

Without files: those that differ from COMMIT, by default where this branch left main, on main itself the commit before.
mutmut does the work; here is which tests it runs. It changes the bodies of functions, not tables or class fields.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "build" / "mutants"
PRODUCT = ("generate_on_cloud", "inference_container", "infrastructure", "lambdas", "local_cloud")
TESTS = {
    "generate_on_cloud/client": ("client",),
    "generate_on_cloud/cli": ("client",),
    "generate_on_cloud/cost.py": ("client",),
    "generate_on_cloud/contract": ("contract", "lambdas"),
    "generate_on_cloud/fetching": ("fetch",),
    "generate_on_cloud/model_files": ("lambdas", "models", "networks"),
    "generate_on_cloud/webui": ("infotext", "prompt"),
    "generate_on_cloud": ("contract",),
    "inference_container/diffusion": ("diffusion", "tasks"),
    "inference_container/drawing": ("tasks",),
    "inference_container/interrogation": ("interrogation",),
    "inference_container/models": ("models",),
    "inference_container/networks": ("networks",),
    "inference_container/pictures": ("pictures", "tasks"),
    "inference_container/prompt": ("prompt",),
    "inference_container/tasks": ("tasks",),
    "inference_container": ("container",),
    "infrastructure": ("infrastructure",),
    "lambdas": ("lambdas",),
    "local_cloud": ("local_cloud",),
}
"""Folders in `tests/` for each folder of the product; the first match counts."""


def folders_of(file: str) -> tuple[str, ...]:
    """The folders with the tests of a product file.

    Raises:
        ValueError: it is not a module of the product.
    """
    for part, folders in TESTS.items():
        if file == part or file.startswith(f"{part}/"):
            return tuple(f"tests/{folder}" for folder in folders)
    raise ValueError(f"received {file}; allowed: modules of {', '.join(PRODUCT)}")


def base_commit(asked: str | None = None, *, repository: Path = ROOT) -> str:
    """The commit to compare with: `asked`, else where the branch left main, else the previous commit.

    Raises:
        ValueError: the commit does not exist.
    """
    if asked is not None:
        found = _commit(asked, repository)
        if found is None:
            raise ValueError(f"received {asked}; allowed: a commit, branch or tag of this repository")
        return found
    head = _commit("HEAD", repository)
    for main in ("origin/main", "main"):
        if _commit(main, repository) is not None:
            (left,) = _git("merge-base", "HEAD", main, at=repository)
            if left != head:
                return left
    before = _commit("HEAD~", repository)
    if before is None:
        raise ValueError("received no files; allowed: FILES=…, as there is no earlier commit to compare with")
    return before


def _commit(name: str, repository: Path) -> str | None:
    asked = ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"]
    return subprocess.run(asked, cwd=repository, check=False, capture_output=True, text=True).stdout.strip() or None


def changed_files(base: str, *, repository: Path = ROOT) -> list[str]:
    """The product's modules that differ from the commit, including uncommitted changes."""
    listed = _git("diff", "--name-only", "--diff-filter=d", base, "--", *PRODUCT, at=repository)
    return [file for file in listed if file.endswith(".py")]


def find_survivors(files: Sequence[str], tests: Sequence[str], *, workers: int) -> list[str]:
    """Names of the mutants of `files` with which `tests` still pass.

    Raises:
        subprocess.CalledProcessError: the tests fail on the unchanged code, or none of them runs the files.
    """
    _copy_tree()
    _configure(files, tests)
    subprocess.run([*_mutmut(), "run", "--max-children", str(workers)], cwd=COPY, env=_environment(), check=True)
    listed = subprocess.run([*_mutmut(), "results"], cwd=COPY, check=True, capture_output=True, text=True).stdout
    pairs = [line.strip().rpartition(": ") for line in listed.splitlines()]
    return [name for name, _, verdict in pairs if verdict in {"survived", "no tests"}]


def _copy_tree() -> None:
    # mutmut writes the changed product next to the original, so it gets a copy of the tree.
    shutil.rmtree(COPY, ignore_errors=True)
    for file in _git("ls-files", "--cached", "--others", "--exclude-standard"):
        if (ROOT / file).is_file():
            (COPY / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, COPY / file)


def _configure(files: Sequence[str], tests: Sequence[str]) -> None:
    others = sorted({Path(file).parts[0] for file in _git("ls-files")} - {*PRODUCT, "tests", "pyproject.toml"})
    settings = {
        "source_paths": list(PRODUCT),
        "only_mutate": list(files),
        "also_copy": others,
        "pytest_add_cli_args_test_selection": [*tests, "-m", "not e2e and not slow"],
        # mutmut forks a process for each mutant, which torch's threads survive only in a process without tests.
        "process_isolation": "forkserver",
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (COPY / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def _mutmut() -> list[str]:
    return [sys.executable, "-m", "mutmut"]


def _environment() -> dict[str, str]:
    # With CI set, Hypothesis draws the same examples for every mutant.
    return {**os.environ, "CI": "true", "OMP_NUM_THREADS": "1"}


def _git(*arguments: str, at: Path = ROOT) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=at, check=True, capture_output=True, text=True).stdout.splitlines()


def _chosen(files: Sequence[str], tests: Sequence[str] | None, base: str | None) -> tuple[list[str], list[str]]:
    """The modules to change and the tests to run.

    Raises:
        ValueError: a name is wrong, or nothing has changed.
    """
    folders = {folder for file in files for folder in folders_of(file)}
    if not files:
        commit = base_commit(base)
        files = changed_files(commit)
        folders = {folder for file in files for folder in folders_of(file)}
        if not files:
            raise ValueError(
                f"no module of the product has changed since {commit[:12]}; name some (make mutants "
                "FILES=lambdas/clock.py) or another commit (BASE=HEAD~5)"
            )
    missing = [file for file in files if not (ROOT / file).is_file()]
    if missing:
        raise ValueError(f"received {', '.join(missing)}; allowed: files that exist")
    return list(files), list(tests or sorted(folders))


def main() -> None:
    parser = argparse.ArgumentParser(prog="checks.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="modules of the product; default: those changed since the base")
    parser.add_argument("--base", help="commit to compare with; default: where this branch left main, else HEAD~")
    parser.add_argument("--tests", nargs="+", help="default: the folders of tests that mirror the files")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    try:
        files, tests = _chosen(asked.files, asked.tests, asked.base)
    except ValueError as error:
        sys.exit(f"checks.mutants: {error}")
    survivors = find_survivors(files, tests, workers=asked.workers)
    for name in survivors:
        subprocess.run([*_mutmut(), "show", name], cwd=COPY, check=True)
    print(f"{len(survivors)} mutants of {', '.join(files)} survive {' '.join(tests)}")


if __name__ == "__main__":
    main()
