"""The checkpoint file in Stable Diffusion's layout, read back by the product's own loader."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from demo_models import autoencoder, denoiser, text_encoder
from demo_models.captions import WORDS
from demo_models.drawing import open_checkpoint
from demo_models.export import export_checkpoint, to_ldm_unet
from demo_models.tokenizer import load_tokenizer
from inference_container.models.checkpoint import Checkpoint

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training leaves it, with random weights that fit half precision exactly."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(3)
    tokenizer = load_tokenizer(WORDS, folder / "text" / "tokenizer")
    modules = {
        "unet/unet.pt": UNet2DConditionModel(**denoiser.CONFIG),
        "vae/vae.pt": AutoencoderKL(**autoencoder.CONFIG),
        "text/text_encoder.pt": CLIPTextModel(text_encoder.build_config(tokenizer)),
    }
    for name, module in modules.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        state = module.half().float().state_dict()
        torch.save({"state": state, "scaling_factor": 0.4} if name == "vae/vae.pt" else state, file)
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    file = tmp_path_factory.mktemp("weights") / "shapes.safetensors"
    export_checkpoint(trained, file)
    yield file
    file.unlink()


@pytest.fixture(scope="module")
def loaded(exported: Path) -> Checkpoint:
    return open_checkpoint(exported)


@torch.no_grad()
def test_every_part_works_the_same_after_the_round_trip(trained: Path, loaded: Checkpoint) -> None:
    latents, context = torch.randn(1, 4, 8, 8), torch.randn(1, 77, text_encoder.WIDTH)
    picture, ids = torch.rand(1, 3, 64, 64), torch.randint(0, 700, (1, 77))
    unet, vae = denoiser.load_denoiser(trained / "unet"), autoencoder.load_autoencoder(trained / "vae")
    encoder, _ = text_encoder.load_text_encoder(trained / "text")

    step = torch.tensor([300])
    torch.testing.assert_close(loaded.unet(latents, step, context).sample, unet(latents, step, context).sample)
    torch.testing.assert_close(loaded.vae.decode(latents).sample, vae.decode(latents).sample)
    torch.testing.assert_close(loaded.vae.encode(picture).latent_dist.mean, vae.encode(picture).latent_dist.mean)
    torch.testing.assert_close(loaded.text_encoder(ids).last_hidden_state, encoder(ids).last_hidden_state)


def test_what_no_tensor_shows_comes_from_the_header(loaded: Checkpoint) -> None:
    assert loaded.vae.config.scaling_factor == 0.4
    assert loaded.unet.config.attention_head_dim == 8
    assert loaded.prediction_type == "epsilon"
    torch.testing.assert_close(loaded.alphas_cumprod, denoiser.alphas_cumprod())
    assert loaded.tokenizer("a red circle", add_special_tokens=False).input_ids == [
        loaded.tokenizer.convert_tokens_to_ids(f"{word}</w>") for word in ("a", "red", "circle")
    ]


def test_the_file_is_small_and_the_manifest_knows_it(exported: Path) -> None:
    manifest = json.loads((exported.parent / "manifest.json").read_text(encoding="utf-8"))

    assert exported.stat().st_size <= 16 * 2**20
    assert manifest == {
        "shapes.safetensors": {
            "sha256": hashlib.sha256(exported.read_bytes()).hexdigest(),
            "size": exported.stat().st_size,
        }
    }


def test_a_tensor_without_a_place_in_the_layout_is_refused() -> None:
    with pytest.raises(KeyError, match="surprise"):
        to_ldm_unet({"surprise.weight": torch.zeros(1)}, denoiser.CONFIG)
