"""Reads a synthesised cloud assembly: its stacks in deployment order, and its files."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infrastructure.config import AWS_ONLY


class DeploymentError(Exception):
    """The assembly could not be deployed; the text has the real reason."""


@dataclass(frozen=True, kw_only=True)
class StackArtifact:
    """A stack of an assembly."""

    name: str
    template: str
    """JSON text."""
    asset_files: tuple[Path, ...]


def read_assembly(folder: Path) -> list[StackArtifact]:
    """The stacks of a cloud assembly that this cloud supports, in the order in which they must be deployed.

    Raises:
        DeploymentError: it is not a cloud assembly, or has no stack.
    """
    manifest_file = folder / "manifest.json"
    if not manifest_file.is_file():
        raise DeploymentError(f"{folder} is not a cloud assembly: it has no manifest.json")
    artifacts: dict[str, dict[str, Any]] = json.loads(manifest_file.read_text()).get("artifacts", {})
    stacks: list[StackArtifact] = []
    for name in _in_order(artifacts):
        artifact = artifacts[name]
        if artifact["type"] != "aws:cloudformation:stack":
            continue
        properties = artifact["properties"]
        if AWS_ONLY.items() <= properties.get("tags", {}).items():
            continue
        manifests = [
            folder / artifacts[dependency]["properties"]["file"]
            for dependency in artifact.get("dependencies", ())
            if artifacts[dependency]["type"] == "cdk:asset-manifest"
        ]
        stacks.append(
            StackArtifact(
                name=properties.get("stackName", name),
                template=(folder / properties["templateFile"]).read_text(),
                asset_files=tuple(manifests),
            )
        )
    if not stacks:
        raise DeploymentError(f"{folder} has no stack to deploy")
    return stacks


def _in_order(artifacts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for dependency in artifacts.get(name, {}).get("dependencies", ()):
            if dependency in artifacts and dependency not in ordered:
                visit(dependency)
        ordered[name] = None

    for name in artifacts:
        visit(name)
    return list(ordered)


def zip_folder(folder: Path) -> bytes:
    """A zip of `folder` that depends only on names, contents and executable bits; byte code is included."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()
