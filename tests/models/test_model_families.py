"""Checkpoints of every family, in the layout other tools write, through the real loader."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from generate_on_cloud.model_files.family_names import Family
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.loader import load_checkpoint
from inference_container.prompt.text_models import TextKind
from tests.models.conftest import model_file
from tests.tiny_families import OPEN_WIDTH, PROJECTION, RECIPES, family_config, family_state, write_family

LoadFamily = Callable[[Family], Checkpoint]
CPU = torch.device("cpu")


def load(path: Path) -> Checkpoint:
    return load_checkpoint(model_file(path), device=CPU, dtype=torch.float32)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> LoadFamily:
    folder, loaded = tmp_path_factory.mktemp("families"), dict[Family, Checkpoint]()

    def get(wanted: Family) -> Checkpoint:
        if wanted not in loaded:
            loaded[wanted] = load(write_family(folder / f"{wanted.name}.safetensors", wanted))
        return loaded[wanted]

    return get


@pytest.mark.parametrize(
    ("wanted", "kinds", "channels"),
    [
        (Family.SD2, [TextKind.CLIP_H], 4),
        (Family.SD2_INPAINT, [TextKind.CLIP_H], 9),
        (Family.SDXL, [TextKind.CLIP_L, TextKind.CLIP_G], 4),
        (Family.SDXL_INPAINT, [TextKind.CLIP_L, TextKind.CLIP_G], 9),
        (Family.SDXL_REFINER, [TextKind.CLIP_G], 4),
    ],
)
def test_a_family_is_loaded_with_its_text_encoders(
    family: LoadFamily, wanted: Family, kinds: list[TextKind], channels: int
) -> None:
    checkpoint = family(wanted)

    assert checkpoint.family is wanted
    assert [text.kind for text in checkpoint.text_models] == kinds
    assert checkpoint.unet.config.in_channels == channels
    assert checkpoint.inpainting is (channels == 9)


def test_open_clips_joined_projections_come_apart_in_order(family: LoadFamily) -> None:
    state = family_state(Family.SDXL)
    joined = state["conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight"]

    model = family(Family.SDXL).text_models[1].encoder

    attention = model.text_model.encoder.layers[1].self_attn
    assert torch.equal(torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]), joined)
    assert torch.equal(model.text_projection.weight, state["conditioner.embedders.1.model.text_projection"].T)
    assert model.text_projection.weight.shape == (PROJECTION, OPEN_WIDTH)


def test_the_layer_stable_diffusion_2_never_reads_is_not_loaded(family: LoadFamily) -> None:
    (text,) = family(Family.SD2).text_models

    assert len(text.encoder.encoder.layers) == 2
    assert "cond_stage_model.model.transformer.resblocks.2.ln_1.weight" in family_state(Family.SD2)


def test_the_latents_of_xl_have_a_scale_of_their_own(family: LoadFamily) -> None:
    assert family(Family.SDXL).vae.config.scaling_factor == 0.13025
    assert family(Family.SD2).vae.config.scaling_factor == 0.18215


@pytest.mark.parametrize(("bias", "prediction"), [(0.0, "epsilon"), (-2.0, "v_prediction")])
def test_stable_diffusion_2_tells_noise_from_velocity_by_its_answer(
    tmp_path: Path, bias: float, prediction: str
) -> None:
    state = family_state(Family.SD2)
    weight, offset = "model.diffusion_model.out.2.weight", "model.diffusion_model.out.2.bias"
    silent = {weight: torch.zeros_like(state[weight]), offset: torch.full_like(state[offset], bias)}

    checkpoint = load(write_family(tmp_path / "two.safetensors", Family.SD2, extra=silent))

    assert checkpoint.prediction_type == prediction


def test_xl_says_velocity_and_zero_terminal_snr_by_empty_tensors(tmp_path: Path, family: LoadFamily) -> None:
    signs = {"v_pred": torch.empty(0), "ztsnr": torch.empty(0)}

    checkpoint = load(write_family(tmp_path / "v.safetensors", Family.SDXL, extra=signs))

    assert (family(Family.SDXL).prediction_type, checkpoint.prediction_type) == ("epsilon", "v_prediction")
    assert checkpoint.alphas_cumprod[-1] < 1e-7 < family(Family.SDXL).alphas_cumprod[-1]


def test_halved_noise_levels_are_not_taken_for_the_models_own(tmp_path: Path, family: LoadFamily) -> None:
    halved = family(Family.SD2).alphas_cumprod.half()

    checkpoint = load(write_family(tmp_path / "half.safetensors", Family.SD2, extra={"alphas_cumprod": halved}))

    assert torch.equal(checkpoint.alphas_cumprod, family(Family.SD2).alphas_cumprod)


def test_every_tensor_of_a_file_is_accounted_for(tmp_path: Path, family: LoadFamily) -> None:
    for wanted in RECIPES:
        path = write_family(tmp_path / "a.safetensors", wanted)
        with safe_open(path, "pt") as opened:
            known = sum(opened.get_tensor(name).numel() for name in opened.keys())  # noqa: SIM118 - not a dict

        held = family(wanted)

        modules = [held.unet, held.vae, *(text.encoder for text in held.text_models)]
        loaded = sum(one.numel() for module in modules for one in module.parameters())
        unread = 1  # logit_scale
        if wanted in (Family.SD2, Family.SD2_INPAINT):
            block = "cond_stage_model.model.transformer.resblocks.2."
            state = family_state(wanted)
            unread += sum(one.numel() for name, one in state.items() if name.startswith(block))
            unread += OPEN_WIDTH * PROJECTION
        assert loaded + unread == known
    assert family_config(Family.SDXL)["unet/config.json"]["cross_attention_dim"] == 80
