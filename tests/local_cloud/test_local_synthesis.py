"""When the stacks are synthesised anew, and what is said when that fails."""

import asyncio
import sys
from pathlib import Path

import pytest

from local_cloud.assembly import DeploymentError, read_assembly, zip_folder
from local_cloud.settings import LocalSettings
from local_cloud.synthesis import SOURCES, SynthesisError, source_hash, synthesise

COUNT = """
import os, pathlib
folder = pathlib.Path(os.environ["CDK_OUTDIR"])
folder.mkdir()
(folder / "manifest.json").write_text("{}")
with open("runs", "a") as runs:
    runs.write("x")
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    root = tmp_path / "sources"
    for name in SOURCES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_text(name)
        else:
            path.mkdir()
            (path / "module.py").write_text(name)
    return root


def synthesised(root: Path, tmp_path: Path, script: str = COUNT, **context: str) -> Path:
    local = LocalSettings(
        state_dir=tmp_path, port=4747, synthesis_command=(sys.executable, "-c", script), context=tuple(context.items())
    )
    return asyncio.run(synthesise(local, root=root))


def test_it_runs_once_for_the_same_sources_and_again_for_a_changed_one(sources: Path, tmp_path: Path) -> None:
    synthesised(sources, tmp_path)
    synthesised(sources, tmp_path)
    unchanged = (sources / "runs").read_text()
    (sources / "lambdas" / "module.py").write_text("changed")

    assembly = synthesised(sources, tmp_path)

    assert unchanged == "x"
    assert (sources / "runs").read_text() == "xx"
    assert (assembly / "manifest.json").exists()


def test_the_stages_options_reach_the_app_and_another_value_synthesises_again(sources: Path, tmp_path: Path) -> None:
    script = COUNT.replace('"{}"', 'os.environ["CDK_CONTEXT_JSON"]')
    synthesised(sources, tmp_path, script)

    assembly = synthesised(sources, tmp_path, script, sdapi="true")

    assert (assembly / "manifest.json").read_text() == '{"sdapi": "true", "local": "true"}'


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_counts(sources: Path, name: str) -> None:
    before = source_hash(sources)
    path = sources / name
    (path if path.is_file() else path / "module.py").write_text("changed")

    assert source_hash(sources) != before


def test_byte_code_does_not_count(sources: Path) -> None:
    before = source_hash(sources)
    cache = sources / "lambdas" / "__pycache__"
    cache.mkdir()
    (cache / "module.pyc").write_bytes(b"x")

    assert source_hash(sources) == before


def test_a_failure_says_what_the_command_said_and_keeps_the_assembly_there_was(sources: Path, tmp_path: Path) -> None:
    synthesised(sources, tmp_path)
    (sources / "app.py").write_text("changed")

    with pytest.raises(SynthesisError, match="exited with 1:\nno such construct"):
        synthesised(sources, tmp_path, "raise SystemExit('no such construct')")

    assert (tmp_path / "assembly" / "manifest.json").exists()


def test_a_folder_that_is_no_assembly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"is not a cloud assembly: it has no manifest\.json"):
        read_assembly(tmp_path)


def test_the_same_folder_gives_the_same_zip_whenever_it_was_written(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "package").mkdir(parents=True)
        (folder / "package" / "module.py").write_text("x = 1")
        (folder / "package" / "module.pyc").write_bytes(b"code")
        archives.append(zip_folder(folder))

    assert archives[0] == archives[1]
    assert b"module.pyc" in archives[0]
