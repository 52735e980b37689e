"""HyperTile in whole requests: what it changes, what infotext says, and that nothing of it stays."""

from typing import Any

import numpy as np
import pytest

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.webui.infotext.fill import fill_in
from inference_container.drawing.hypertile import unet_layers
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.conftest import load
from tests.tasks.running import pixels, run
from tests.tiny_families import write_family

LARGE: dict[str, Any] = {"width": 256, "height": 256, "steps": 1}
SMALL_TILES = {"hypertile_max_tile_unet": 128, "hypertile_swap_size_unet": 1}


def told(infotext: str) -> str:
    return infotext.partition(", RNG: CPU")[2].partition(", Version: ")[0].removeprefix(", ")


def draw(checkpoint: Checkpoint, options: dict[str, Any], **body: Any) -> Any:
    return run(checkpoint, Task.TXT2IMG, **{**LARGE, **body}, override_settings=options)


@pytest.mark.parametrize(
    ("options", "entries"),
    [
        (
            {"hypertile_enable_unet": True, **SMALL_TILES},
            "Hypertile U-Net: True, Hypertile U-Net max tile size: 128, Hypertile U-Net swap size: 1",
        ),
        (
            {"hypertile_enable_vae": True, "hypertile_swap_size_vae": 1},
            "Hypertile VAE: True, Hypertile VAE swap size: 1",
        ),
    ],
)
def test_tiles_change_the_picture_are_noted_and_leave_no_trace(
    checkpoint: Checkpoint, options: dict[str, Any], entries: str
) -> None:
    plain = draw(checkpoint, {})

    cut = draw(checkpoint, options)
    again = draw(checkpoint, {})

    assert not np.array_equal(pixels(cut), pixels(plain))
    assert np.array_equal(pixels(again), pixels(plain))
    assert told(cut.images[0].infotext) == entries


def test_a_picture_of_one_tile_is_the_same_and_info_has_the_defaults_as_null(checkpoint: Checkpoint) -> None:
    plain = draw(checkpoint, {}, width=128, height=128)
    cut = draw(checkpoint, {"hypertile_enable_unet": True}, width=128, height=128)

    assert np.array_equal(pixels(cut), pixels(plain))
    assert cut.info["extra_generation_params"] == {
        "Hypertile U-Net": True,
        "Hypertile U-Net max depth": None,
        "Hypertile U-Net max tile size": None,
        "Hypertile U-Net swap size": None,
    }


def test_the_second_pass_alone_can_be_tiled(checkpoint: Checkpoint) -> None:
    hires: dict[str, Any] = {"width": 128, "height": 128, "enable_hr": True, "denoising_strength": 0.9, "hr_scale": 2}
    options = {"hypertile_enable_unet_secondpass": True, **SMALL_TILES}

    cut = draw(checkpoint, options, **hires)

    assert not np.array_equal(pixels(cut), pixels(draw(checkpoint, {}, **hires)))
    assert "Hypertile U-Net second pass: True, Hypertile U-Net max tile size: 128" in cut.images[0].infotext
    assert told(draw(checkpoint, options).images[0].infotext) == ""


def test_tiles_and_token_merging_go_together(checkpoint: Checkpoint) -> None:
    options = {"hypertile_enable_unet": True, **SMALL_TILES, "token_merging_ratio": 0.5}

    assert "Token merging ratio: 0.5" in draw(checkpoint, options).images[0].infotext


def test_an_infotext_switches_it_on() -> None:
    text = "a\nSteps: 2, Seed: 1, Size: 64x64, Hypertile U-Net: True, Hypertile U-Net swap size: 1"

    options = fill_in(Txt2ImgParams(infotext=text)).override_settings

    assert options == {"hypertile_enable_unet": True, "hypertile_swap_size_unet": 1}


def test_the_layers_are_webuis(checkpoint: Checkpoint, tmp_path: Any) -> None:
    depths = [depth for _, depth in unet_layers(checkpoint)]

    assert sorted(depths) == [0] * 5 + [1] * 5 + [2] * 5 + [3]
    sdxl = load(write_family(tmp_path / "xl.safetensors", Family.SDXL))
    assert {depth for _, depth in unet_layers(sdxl)} <= {0, 1, 2}
