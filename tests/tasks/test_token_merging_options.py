"""Token merging in whole requests: which option counts, what infotext tells, and that nothing of it stays."""

from typing import Any

import numpy as np
import pytest
import torch

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from inference_container.diffusion.token_merging import merging_tokens
from inference_container.drawing.token_merging import token_merging_ratio
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.running import pixels, run


def predict(checkpoint: Checkpoint) -> torch.Tensor:
    unet = checkpoint.unet
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    context = torch.randn(2, 77, unet.config.cross_attention_dim, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        found: torch.Tensor = unet(latents, torch.tensor(500), context).sample
    return found


def test_the_unet_predicts_otherwise_inside_and_the_same_to_the_bit_afterwards(checkpoint: Checkpoint) -> None:
    before = predict(checkpoint)

    with merging_tokens(checkpoint.unet, 0.5):
        inside = predict(checkpoint)
    with merging_tokens(checkpoint.unet, 0.0):
        nothing = predict(checkpoint)

    assert not torch.equal(inside, before)
    assert torch.equal(nothing, before)
    assert torch.equal(predict(checkpoint), before)
    assert not [layer for layer in checkpoint.unet.modules() if layer._forward_pre_hooks or "forward" in vars(layer)]


def test_a_request_is_drawn_with_fewer_tokens_and_tells_the_ratio(checkpoint: Checkpoint) -> None:
    plain = run(checkpoint, Task.TXT2IMG)

    merged = run(checkpoint, Task.TXT2IMG, override_settings={"token_merging_ratio": 0.6})
    again = run(checkpoint, Task.TXT2IMG)

    assert not np.array_equal(pixels(merged), pixels(plain))
    assert np.array_equal(pixels(again), pixels(plain))
    assert "Token merging ratio: 0.6" in merged.info["infotexts"][0]
    assert "Token merging" not in again.info["infotexts"][0]


def test_the_second_pass_has_a_ratio_of_its_own(checkpoint: Checkpoint) -> None:
    hires: dict[str, Any] = {"enable_hr": True, "denoising_strength": 0.7, "hr_scale": 2, "hr_upscaler": "Latent"}

    output = run(checkpoint, Task.TXT2IMG, **hires, override_settings={"token_merging_ratio_hr": 0.4})

    assert "Token merging ratio hr: 0.4" in output.info["infotexts"][0]
    assert "Token merging ratio:" not in output.info["infotexts"][0]


@pytest.mark.parametrize(
    ("task", "hires", "options", "ratio"),
    [
        (Task.TXT2IMG, False, {}, 0.0),
        (Task.TXT2IMG, False, {"token_merging_ratio": 0.3, "token_merging_ratio_img2img": 0.5}, 0.3),
        (Task.TXT2IMG, True, {"token_merging_ratio": 0.3}, 0.3),
        (Task.TXT2IMG, True, {"token_merging_ratio": 0.3, "token_merging_ratio_hr": 0.2}, 0.2),
        (Task.IMG2IMG, False, {"token_merging_ratio_img2img": 0.5}, 0.5),
        (Task.IMG2IMG, False, {"token_merging_ratio": 0.3, "token_merging_ratio_img2img": 0.5}, 0.3),
    ],
)
def test_the_option_that_counts_is_that_of_the_pass_then_the_general_one(
    task: Task, hires: bool, options: dict[str, float], ratio: float
) -> None:
    pictures = {"init_images": ["AA=="]} if task is Task.IMG2IMG else {}
    params = PARAMS_BY_TASK[task].model_validate({**pictures, "override_settings": options})

    assert token_merging_ratio(params, hires=hires) == ratio  # type: ignore[arg-type]
