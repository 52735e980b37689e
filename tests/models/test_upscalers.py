"""Upscaler files: layouts, pixels in and out, and what is refused."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.file_bytes import FileBytes
from generate_on_cloud.model_files.wrappings import WRAPPERS
from inference_container.models.files import ModelFile
from inference_container.models.upscaler import ARCHITECTURES, UpscalerModel, load_upscaler, torchvision_names
from tests.tiny_upscaler import FACTOR, tiny_upscaler_state, write_tiny_upscaler

NEAREST = Image.Resampling.NEAREST
Wrap = Callable[[dict[str, torch.Tensor]], Mapping[str, object]]


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
    assert enlarged.tobytes() == image.resize((36, 28), NEAREST).tobytes()
    assert upscaler.bytes == sum(tensor.numel() * 4 for tensor in tiny_upscaler_state().values())


PREFIXES = ("module.", "_orig_mod.", "netG.", "net_g.", "generator.", "model.", "params_ema.", "module.model.")


def prefixed(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        *(pytest.param(lambda state, key=key: {key: state}, id=key) for key in WRAPPERS),
        *(pytest.param(partial(prefixed, prefix=prefix), id=prefix) for prefix in PREFIXES),
        pytest.param(lambda state: {"epoch": 7, "optimizer": {"lr": 0.1}, "model": state}, id="optimizer"),
        pytest.param(lambda state: {"state_dict": {"params": state}}, id="twice"),
        pytest.param(lambda state: {"weights": state, "iter": 9}, id="whatever word"),
        pytest.param(lambda state: {"params": prefixed(state, "module.")}, id="both"),
        pytest.param(lambda state: {"params_ema": {}, "params": state}, id="empty"),
        pytest.param(
            lambda state: {"params": {name: tensor * 0 for name, tensor in state.items()}, "params_ema": state},
            id="ema",
        ),
        pytest.param(
            lambda state: {"state_dict": {**prefixed(state, "net_g."), "net_d.conv0.weight": torch.zeros(1)}}, id="gan"
        ),
    ],
)
def test_whatever_a_trainer_wraps_around_a_network_is_taken_off(tmp_path: Path, wrap: Wrap) -> None:
    path, image = tmp_path / "4x.pth", noisy(5, 4)
    torch.save(wrap(tiny_upscaler_state()), path)

    read_facts(FileBytes(path), name=path.name, asset_type=AssetType.UPSCALER)
    enlarged = load(path).enlarge(image)

    assert enlarged.tobytes() == image.resize((20, 16), NEAREST).tobytes()


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_are_taken_off_in_safetensors_too(tmp_path: Path, prefix: str) -> None:
    save_file(prefixed(tiny_upscaler_state(), prefix), tmp_path / "4x.safetensors")

    assert load(tmp_path / "4x.safetensors").factor == FACTOR


def test_names_that_belong_to_the_network_stay(tmp_path: Path) -> None:
    """ESRGAN's oldest layout begins every name with `model.`, as Lightning does."""
    places = {
        "conv_first": "0",
        "conv_body": "1.sub.1",
        "conv_up1": "3",
        "conv_up2": "6",
        "conv_hr": "8",
        "conv_last": "10",
    }
    renamed = {}
    for name, tensor in tiny_upscaler_state().items():
        layer, _, kind = name.rpartition(".")
        old = places.get(layer) or layer.replace("body.0.rdb", "1.sub.0.RDB") + ".0"
        renamed[f"model.{old}.{kind}"] = tensor
    save_file(renamed, tmp_path / "4x.safetensors")
    image = noisy(5, 4)

    assert load(tmp_path / "4x.safetensors").enlarge(image).tobytes() == image.resize((20, 16), NEAREST).tobytes()


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
