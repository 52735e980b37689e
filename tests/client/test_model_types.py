"""`goc assets upload` finds the type of a file by its content, else by its folder."""

import shutil
from pathlib import Path

import pytest

from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.model_types import FOLDERS, models_in, type_by_folder, type_of
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType
from tests.client.goc import Goc
from tests.client.small_service import SmallService

WEIGHTS = Path(__file__).parents[2] / "demo_models" / "weights"
OF_DEMO = {
    "shapes.safetensors": AssetType.CHECKPOINT, "shapes-inpaint.safetensors": AssetType.CHECKPOINT,
    "cyanotype.safetensors": AssetType.LORA, "moon.safetensors": AssetType.LORA, "night.safetensors": AssetType.LORA,
    "amber.vae.safetensors": AssetType.VAE, "hearts.pt": AssetType.HYPERNETWORK, "sunny.pt": AssetType.EMBEDDING,
    "edges.safetensors": AssetType.CONTROLNET,
}  # fmt: skip


@pytest.mark.parametrize("name", OF_DEMO)
def test_the_content_shows_the_type(name: str) -> None:
    assert type_of(WEIGHTS / name) is OF_DEMO[name]


def test_the_content_comes_before_the_folder(tmp_path: Path) -> None:
    (tmp_path / "Lora").mkdir()
    shutil.copyfile(WEIGHTS / "hearts.pt", tmp_path / "Lora" / "hearts.pt")

    assert type_of(tmp_path / "Lora" / "hearts.pt") is AssetType.HYPERNETWORK


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_of_webui_names_a_type_in_any_letter_case(tmp_path: Path, folder: str) -> None:
    ending = ASSET_TYPES[FOLDERS[folder]].extensions[0]

    assert type_by_folder(tmp_path / folder.upper() / "anime" / f"x{ending}") is FOLDERS[folder]
    assert type_by_folder(tmp_path / folder / "x.exe") is None


def test_a_file_that_shows_nothing_needs_its_type(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"12345")

    with pytest.raises(CloudError, match=r"neither x.safetensors nor its folder shows what it is; give --type: checkp"):
        type_of(tmp_path / "x.safetensors")
    assert type_of(tmp_path / "x.safetensors", AssetType.LORA) is AssetType.LORA


def test_a_wrong_type_is_told_before_anything_is_sent(service: SmallService, goc: Goc) -> None:
    said = goc("assets", "upload", str(WEIGHTS / "hearts.pt"), "--type", "embedding")

    assert "hearts.pt is a hypernetwork and not a embedding".replace("a embedding", "an embedding") in said.err
    assert said.code == ExitCode.FAILED
    assert service.asked == []


def test_a_folder_gives_its_models_and_leaves_previews_and_notes(tmp_path: Path) -> None:
    for folder in ("Lora", "embeddings", ".cache", "ESRGAN"):
        (tmp_path / folder).mkdir()
    shutil.copyfile(WEIGHTS / "hearts.pt", tmp_path / "Lora" / "hearts.pt")
    shutil.copyfile(WEIGHTS / "hearts.pt", tmp_path / ".cache" / "hearts.pt")
    (tmp_path / "Lora" / "hearts.png").write_bytes(b"a preview")
    (tmp_path / "Lora" / "hearts.txt").write_text("notes")
    (tmp_path / "embeddings" / "sunny.png").write_bytes(b"an embedding")
    (tmp_path / "ESRGAN" / "x4.pth").write_bytes(b"an upscaler")

    models, skipped = models_in([tmp_path], None)

    assert [(model.path.name, model.type) for model in models] == [
        ("x4.pth", AssetType.UPSCALER), ("hearts.pt", AssetType.HYPERNETWORK), ("sunny.png", AssetType.EMBEDDING),
    ]  # fmt: skip
    assert [path.name for path in skipped] == ["hearts.png", "hearts.txt"]


def test_a_folder_without_models_is_named(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match=r"has no model files; allowed: \.bin"):
        models_in([tmp_path], None)


def test_an_unknown_type_lists_the_allowed_ones(goc: Goc, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"12345")

    said = goc("assets", "upload", "x.safetensors", "--type", "lorra")

    assert "received 'lorra'; allowed: checkpoint, vae, lora" in " ".join(said.err.split())
    assert said.code == ExitCode.USAGE
