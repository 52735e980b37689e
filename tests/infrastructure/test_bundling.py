"""Building bundles: offline, once, and the same from the same sources."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.bundling import (
    LOCAL,
    SDAPI,
    SHARED,
    BundleError,
    Contents,
    Platform,
    build_bundle,
    find_interpreter,
    read_group,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository: one Lambda, one contract, what must not be bundled, and the real locked versions."""
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ("lambdas/__init__.py", "generate_on_cloud/__init__.py", "generate_on_cloud/contract/jobs.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("NUMBER = 1\n")
    (tmp_path / "inference_container").mkdir()
    (tmp_path / "inference_container" / "server.py").write_text("import torch\n")
    return tmp_path


@pytest.fixture
def with_dependencies(repository: Path) -> Path:
    """The repository with the dependencies this checkout has installed already."""
    build_bundle(platform=LOCAL)
    shutil.copytree(ROOT / "build" / "dependencies", repository / "build" / "dependencies", copy_function=os.link)
    return repository


def listing(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_a_local_bundle_needs_no_network_where_everything_is_installed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_network(monkeypatch)

    bundle = build_bundle(platform=LOCAL, root=repository)

    assert (bundle.path / "pydantic" / "__init__.py").is_file()
    assert not (bundle.path / "inference_container").exists()


def test_the_same_sources_give_the_same_hash_and_bytes(repository: Path) -> None:
    first = build_bundle(platform=LOCAL, root=repository)
    before = listing(first.path)
    shutil.rmtree(repository / "build")

    second = build_bundle(platform=LOCAL, root=repository)

    assert second.hash == first.hash
    assert listing(second.path) == before


def test_a_changed_source_changes_the_hash_and_keeps_the_dependencies(with_dependencies: Path) -> None:
    repository = with_dependencies
    installed = sorted((repository / "build" / "dependencies").iterdir())
    first = build_bundle(platform=LOCAL, root=repository)
    (repository / "lambdas" / "__init__.py").write_text("NUMBER = 2\n")

    second = build_bundle(platform=LOCAL, root=repository)

    assert second.hash != first.hash
    assert (first.path / "lambdas" / "__init__.py").read_text() == "NUMBER = 1\n"
    assert (second.path / "lambdas" / "__init__.py").read_text() == "NUMBER = 2\n"
    assert sorted((repository / "build" / "dependencies").iterdir()) == installed


def test_another_version_of_a_dependency_is_never_copied(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constraints = repository / "constraints.txt"
    lines = constraints.read_text().splitlines()
    pins = ["jmespath==0.0.1" if line.startswith("jmespath==") else line for line in lines]
    constraints.write_text("\n".join(pins))
    without_network(monkeypatch)

    with pytest.raises(BundleError, match="installing the lambdas group for local failed:\nERROR"):
        build_bundle(platform=LOCAL, root=repository)

    assert not list((repository / "build" / "dependencies").iterdir())


def test_what_does_not_compile_is_no_bundle(with_dependencies: Path) -> None:
    repository = with_dependencies
    (repository / "lambdas" / "broken.py").write_text("def (:\n")

    with pytest.raises(BundleError, match="compiling"):
        build_bundle(platform=LOCAL, root=repository)

    assert not list((repository / "build" / "lambda").iterdir())


def test_without_an_interpreter_of_its_version_a_bundle_carries_no_byte_code(repository: Path) -> None:
    unknown = Platform(name="future", python=(3, 99))

    bundle = build_bundle(platform=unknown, root=repository)

    assert find_interpreter((3, 99)) is None
    assert not list(bundle.path.rglob("*.pyc"))


def test_the_interpreter_to_compile_with_is_of_the_asked_version() -> None:
    found = find_interpreter((sys.version_info.major, sys.version_info.minor))

    assert found is not None
    shown = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"Python {sys.version_info.major}.{sys.version_info.minor}.")
    assert os.access(found, os.X_OK)


def test_the_group_is_read_from_pyproject() -> None:
    assert {"aws-lambda-powertools", "pydantic"} <= set(read_group())
    assert "boto3" not in read_group()


@pytest.mark.parametrize("contents", [SHARED, SDAPI], ids=lambda contents: contents.group)
def test_what_a_bundled_module_imports_of_ours_is_in_the_bundle(contents: Contents) -> None:
    files = set(contents.files(ROOT))
    bundled = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files}

    missing = {
        (path.name, node.module)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith(("generate_on_cloud", "inference_container", "lambdas"))
        if node.module not in bundled
    }

    assert len(files) > 50
    assert missing == set()
