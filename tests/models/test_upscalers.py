"""Upscaler files: layouts, pixels in and out, and what is refused."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.files import ModelFile
from inference_container.models.upscaler import ARCHITECTURES, UpscalerModel, load_upscaler, torchvision_names
from tests.tiny_upscaler import FACTOR, tiny_upscaler_state, write_tiny_upscaler


def load(path: Path) -> UpscalerModel:
    file = ModelFile(AssetType.UPSCALER, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())
    return load_upscaler(file, device=torch.device("cpu"))


def noisy(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("extension", [".safetensors", ".pth", ".pt"])
def test_every_layout_gives_the_pixels_the_network_means(tmp_path: Path, extension: str) -> None:
    upscaler = load(write_tiny_upscaler(tmp_path / f"4x{extension}"))
    image = noisy(9, 7)

    enlarged = upscaler.enlarge(image)

    assert upscaler.factor == FACTOR
    assert enlarged.tobytes() == image.resize((36, 28), Image.Resampling.NEAREST).tobytes()
    assert upscaler.bytes == sum(tensor.numel() * 4 for tensor in tiny_upscaler_state().values())


def test_the_first_channel_is_blue_as_webui_feeds_it(tmp_path: Path) -> None:
    upscaler = load(write_tiny_upscaler(tmp_path / "4x.pth", channels=(0,)))

    enlarged = np.asarray(upscaler.enlarge(Image.new("RGB", (2, 2), (200, 100, 50))))

    assert enlarged[0, 0].tolist() == [0, 0, 50]


def test_a_file_without_such_a_network_is_refused_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "lora.safetensors"
    save_file({"some_network.weight": torch.zeros(4, 4)}, path)

    with pytest.raises(JobFailed, match=r"lora\.safetensors cannot be used: .*; allowed: .*ESRGAN") as refused:
        load(path)

    assert refused.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


def test_sizes_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    state = tiny_upscaler_state() | {"conv_hr.weight": torch.zeros(3, 5, 3, 3)}
    save_file(state, tmp_path / "odd.safetensors")

    with pytest.raises(JobFailed, match="inconsistent sizes") as refused:
        load(tmp_path / "odd.safetensors")

    assert refused.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


def test_a_pickle_with_code_in_it_is_never_run(tmp_path: Path) -> None:
    torch.save({"params_ema": tiny_upscaler_state(), "bomb": Bomb()}, tmp_path / "evil.pth")

    with pytest.raises(JobFailed, match="not a plain tensor file") as refused:
        load(tmp_path / "evil.pth")

    assert refused.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE


def test_every_architecture_of_the_list_is_one_of_the_librarys() -> None:
    with torchvision_names():
        import spandrel

    assert set(ARCHITECTURES) <= {row.architecture.id for row in spandrel.MAIN_REGISTRY}
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"body.999999999.rdb1.conv1.weight": torch.zeros(1)}, "exceed the number of tensors"),
        ({"conv_first.weight": torch.zeros(300_000, 3, 1, 1)}, "inconsistent sizes"),
    ],
)
def test_a_file_that_claims_a_huge_network_is_refused_without_building_it(
    tmp_path: Path, extra: dict[str, torch.Tensor], reason: str
) -> None:
    save_file(tiny_upscaler_state() | extra, tmp_path / "huge.safetensors")

    with pytest.raises(JobFailed, match=reason):
        load(tmp_path / "huge.safetensors")
