"""What `pip install` puts into somebody's Python: the client with its tables and pictures, `goc`, WebUI's panel."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from generate_on_cloud import __version__

ROOT = Path(__file__).parents[2]
PACKAGES = ("generate_on_cloud", "webui_extension")
BUILD = "import sys; from setuptools.build_meta import {0}; {0}(sys.argv[1])"
GOC = """
import sys
from generate_on_cloud.cli import command, demo
assert demo.PHOTOGRAPH.is_file(), demo.PHOTOGRAPH
print(command.__file__, file=sys.stderr)
command.main()
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, for setuptools leaves folders behind next to what it builds."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    for name in (*PACKAGES, "lambdas", "inference_container"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "configs"))
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-c", BUILD.format("build_wheel"), built], cwd=source, check=True)
    return next(built.glob("*.whl"))


@pytest.mark.parametrize("build", ["build_editable", "build_wheel"])
def test_its_build_prints_no_warning(source: Path, tmp_path: Path, build: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", BUILD.format(build), tmp_path],
        cwd=source, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert list(tmp_path.glob("*.whl"))
    assert "*****" not in ran.stdout + ran.stderr  # setuptools frames what it warns of


def test_it_installs_both_packages_whole_and_nothing_else(wheel: Path) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    held = set(zipfile.ZipFile(wheel).namelist())

    information = f"generate_on_cloud-{__version__}.dist-info/"
    assert {name for name in held if not name.startswith(information)} == ours
    assert {"generate_on_cloud/py.typed", "generate_on_cloud/prices.json"} <= ours


def test_goc_works_from_it(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(installed)

    ran = subprocess.run(
        [sys.executable, "-c", GOC, "cost", "estimate", "--json"],
        cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.strip() == str(installed / "generate_on_cloud" / "cli" / "command.py")
    assert json.loads(ran.stdout)["total"] > 0


def test_goc_from_it_puts_the_panel_into_a_webui(wheel: Path, tmp_path: Path) -> None:
    installed, webui = tmp_path / "site-packages", tmp_path / "webui"
    zipfile.ZipFile(wheel).extractall(installed)
    (webui / "modules").mkdir(parents=True)
    (webui / "webui.py").touch()

    ran = subprocess.run(
        [sys.executable, "-c", GOC, "webui", "install", webui, "--json"],
        cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["version"] == __version__
    assert (webui / "extensions" / "generate-on-cloud" / "core" / "languages" / "ja.json").is_file()
