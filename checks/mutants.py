"""Changes the product one line at a time, in a copy of the working tree, and prints every change no test notices.

    python -m checks.mutants [--tests FOLDER_OR_FILE …] -- [FILE …]

Without files: those that differ from HEAD~. mutmut does the work; here is which tests it runs. It
changes the bodies of functions, not tables or class fields.
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
    """The folders with the tests of a product file."""
    folders = next(folders for part, folders in TESTS.items() if file == part or file.startswith(f"{part}/"))
    return tuple(f"tests/{folder}" for folder in folders)


def changed_files() -> list[str]:
    """The product's modules that differ from HEAD~, committed or not."""
    listed = _git("diff", "--name-only", "--diff-filter=d", "HEAD~", "--", *PRODUCT)
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


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(prog="checks.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", help="modules of the product; default: those changed since HEAD~")
    parser.add_argument("--tests", nargs="+", help="default: the folders of tests that mirror the files")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    files = asked.files or changed_files()
    if not files:
        sys.exit("no module of the product has changed since HEAD~; name some: make mutants FILES=lambdas/clock.py")
    tests = asked.tests or sorted({folder for file in files for folder in folders_of(file)})
    survivors = find_survivors(files, tests, workers=asked.workers)
    for name in survivors:
        subprocess.run([*_mutmut(), "show", name], cwd=COPY, check=True)
    print(f"{len(survivors)} mutants of {', '.join(files)} survive {' '.join(tests)}")


if __name__ == "__main__":
    main()
