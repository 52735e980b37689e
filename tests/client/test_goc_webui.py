"""`goc webui`: install, update, remove, status."""

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from generate_on_cloud.cli.webui_commands import NAME, PARTS, SOURCE, app
from generate_on_cloud.client.errors import CloudError
from webui_extension import __version__


@pytest.fixture
def webui(tmp_path: Path) -> Path:
    folder = tmp_path / "stable-diffusion-webui"
    (folder / "modules").mkdir(parents=True)
    (folder / "webui.py").touch()
    return folder


def goc(*words: str | Path) -> dict[str, str | None]:
    ran = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    document: dict[str, str | None] = json.loads(ran.stdout)
    return document


def files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in paths}


def test_it_is_installed_whole_updated_and_removed(webui: Path) -> None:
    target = webui / "extensions" / NAME
    assert goc("status", webui) == {"folder": str(target), "version": None}

    assert goc("install", webui)["version"] == __version__
    assert files(target) == files(SOURCE)

    (target / "core" / "old.py").touch()
    (target / "__init__.py").write_text('__version__ = "0.0.1"\n')
    assert goc("status", webui)["version"] == "0.0.1"
    assert goc("update", webui)["version"] == __version__
    assert files(target) == files(SOURCE)

    assert goc("remove", webui)["version"] is None
    assert not list((webui / "extensions").iterdir())
    assert goc("remove", webui)["version"] is None


def test_a_release_zip_does_the_same(webui: Path, tmp_path: Path) -> None:
    release = tmp_path / "release.zip"
    with zipfile.ZipFile(release, "w") as archive:
        for name in files(SOURCE):
            archive.write(SOURCE / name, f"{NAME}/{name}")

    goc("install", webui, "--from", release)

    assert files(webui / "extensions" / NAME) == files(SOURCE)


def test_the_parts_are_all_that_the_extension_has() -> None:
    assert {path.name for path in SOURCE.iterdir() if path.name != "__pycache__"} == set(PARTS)


@pytest.mark.parametrize(
    ("command", "said"), [("install", "not a WebUI's folder"), ("update", "not a WebUI's"), ("remove", "not a WebUI's")]
)
def test_another_folder_is_refused(tmp_path: Path, command: str, said: str) -> None:
    with pytest.raises(CloudError, match=said):
        goc(command, tmp_path)


def test_what_is_there_or_is_not_there_is_said(webui: Path, tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="goc webui install"):
        goc("update", webui)
    with pytest.raises(CloudError, match="does not hold the extension"):
        goc("install", webui, "--from", tmp_path)
    goc("install", webui)
    with pytest.raises(CloudError, match="goc webui update"):
        goc("install", webui)
