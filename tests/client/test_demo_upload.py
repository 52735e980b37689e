"""The demo's checkpoint has the name that the README's commands use."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from generate_on_cloud.cli.demo import _upload
from generate_on_cloud.client.assets import file_sha256
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.assets import AssetStatus


class Assets:
    """A cloud's model files: names and hashes."""

    def __init__(self, **there: str) -> None:
        self.there = there
        self.sent: list[str] = []

    def list(self, **_: object) -> list[Any]:
        return [SimpleNamespace(name=n, sha256=h, status=AssetStatus.ACTIVE) for n, h in self.there.items()]

    def upload(self, path: Path, asset_type: str, *, name: str, sha256: str) -> Any:
        self.sent.append(name)
        return SimpleNamespace(name=name, size=path.stat().st_size)


@pytest.mark.parametrize(
    ("there", "name", "sent"),
    [
        ({}, "shapes.safetensors", True),
        ({"shapes.safetensors": "same"}, "shapes.safetensors", False),
        ({"mine.safetensors": "same"}, "mine.safetensors", False),
        ({"shapes.safetensors": "other"}, "shapes-{digest}.safetensors", True),
    ],
)
def test_the_checkpoint_keeps_its_name_unless_another_has_it(
    there: dict[str, str], name: str, sent: bool, tmp_path: Path
) -> None:
    file = tmp_path / "shapes.safetensors"
    file.write_bytes(b"weights")
    digest = file_sha256(file)
    assets = Assets(**{each: digest if kind == "same" else "0" * 64 for each, kind in there.items()})
    cloud = cast("GenerateOnCloud", SimpleNamespace(assets=assets))

    used = _upload(cloud, file, Console(quiet=True))

    assert used == name.format(digest=digest[:8])
    assert assets.sent == ([used] if sent else [])
