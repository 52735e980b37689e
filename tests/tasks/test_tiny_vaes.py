"""TAESD: tiny VAEs that encode, decode and preview, from files as WebUI, diffusers and ComfyUI have them."""

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.model_files.tiny_vaes import TinyPart
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.tiny_vae import load_tiny_vae
from inference_container.pictures.pixels import from_model_range
from inference_container.task import TaskInput
from inference_container.tasks import TASKS
from tests.tasks.running import SMALL, pixels, run
from tests.tiny_vae import as_diffusers, decoded, encoded, tiny_decoder, tiny_encoder

ENCODER, DECODER = tiny_encoder(), tiny_decoder()
CPU = torch.device("cpu")
BOTH = {"sd_vae_encode_method": "TAESD", "sd_vae_decode_method": "TAESD"}


def below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def written(folder: Path, name: str, state: dict[str, Tensor]) -> ModelFile:
    path = folder / name
    if name.endswith(".safetensors"):
        save_file(state, path)
    else:
        torch.save(state, path)
    return ModelFile(AssetType.VAE, name, path, hashlib.sha256(path.read_bytes()).hexdigest())


LAYOUTS: dict[str, tuple[dict[str, Tensor], set[TinyPart]]] = {
    "taesd_decoder.pth": (DECODER, {TinyPart.DECODER}),
    "taesd_encoder.safetensors": (ENCODER, {TinyPart.ENCODER}),
    "original.pth": ({**below("encoder.", ENCODER), **below("decoder.", DECODER)}, set(TinyPart)),
    "comfy.safetensors": ({**below("taesd_encoder.", ENCODER), **below("taesd_decoder.", DECODER)}, set(TinyPart)),
    "diffusers.safetensors": (as_diffusers(ENCODER, DECODER), set(TinyPart)),
    "half.safetensors": (
        {name: tensor.half() for name, tensor in as_diffusers(ENCODER, DECODER).items()},
        set(TinyPart),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_computes_what_the_layers_say(tmp_path: Path, name: str) -> None:
    state, parts = LAYOUTS[name]

    tiny = load_tiny_vae(written(tmp_path, name, state), device=CPU, dtype=torch.float32)

    latents = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(3)) * 2
    picture = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    assert set(tiny.parts) == parts
    tolerance = 2e-3 if name.startswith("half") else 1e-5
    if TinyPart.DECODER in parts:
        assert torch.allclose(
            (tiny.parts[TinyPart.DECODER](latents) + 1) / 2, decoded(DECODER, latents), atol=tolerance
        )
    if TinyPart.ENCODER in parts:
        assert torch.allclose(tiny.parts[TinyPart.ENCODER](picture * 2 - 1), encoded(ENCODER, picture), atol=tolerance)


def test_txt2img_decodes_with_it_and_says_so(checkpoint: Checkpoint, tmp_path: Path) -> None:
    file = written(tmp_path, "taesd_decoder.pth", DECODER)
    with Recording(checkpoint) as recording:
        run(checkpoint, Task.TXT2IMG)

    output = run(checkpoint, Task.TXT2IMG, files=[file], override_settings={"sd_vae_decode_method": "TAESD"})

    wanted = from_model_range((decoded(DECODER, torch.from_numpy(recording.latents[0])[None])[0] * 2 - 1).numpy())
    assert np.abs(pixels(output).astype(int) - np.asarray(wanted)).max() <= 1
    assert "VAE Decoder: TAESD" in output.images[0].infotext
    assert "VAE Encoder" not in output.images[0].infotext


def test_img2img_starts_from_latents_that_it_encodes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    file = written(tmp_path, "taesd.safetensors", as_diffusers(ENCODER, DECODER))
    shown = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    stored = io.BytesIO()
    Image.fromarray(shown).save(stored, "PNG")
    body: dict[str, Any] = {"init_images": [base64.b64encode(stored.getvalue()).decode()], "denoising_strength": 0}

    output = run(checkpoint, Task.IMG2IMG, files=[file], override_settings=BOTH, **body)

    picture = torch.from_numpy(shown.astype(np.float32).transpose(2, 0, 1) / 255)[None]
    drawn = decoded(DECODER, encoded(ENCODER, picture))[0]
    differences = np.abs(pixels(output).astype(int) - np.asarray(from_model_range((drawn * 2 - 1).numpy())))
    # One step of hardly any noise is left at strength 0.
    assert differences.mean() < 8
    assert "VAE Encoder: TAESD, VAE Decoder: TAESD" in output.images[0].infotext
    assert np.abs(pixels(run(checkpoint, Task.IMG2IMG, **body)).astype(int) - pixels(output)).mean() > 20


@pytest.mark.parametrize(
    ("upscaler", "noted"), [("Lanczos", ["VAE Encoder: TAESD"]), ("Latent", [])], ids=["pixels", "latents"]
)
def test_hires_fix_encodes_what_was_enlarged_as_a_picture(
    checkpoint: Checkpoint, tmp_path: Path, upscaler: str, noted: list[str]
) -> None:
    file = written(tmp_path, "taesd.safetensors", as_diffusers(ENCODER, DECODER))
    hires: dict[str, Any] = {"enable_hr": True, "hr_upscaler": upscaler, "hr_scale": 2, "denoising_strength": 0.5}

    infotext = run(checkpoint, Task.TXT2IMG, files=[file], override_settings=BOTH, **hires).images[0].infotext

    assert [entry for entry in infotext.split(", ") if entry.startswith("VAE ")] == noted


def test_previews_are_made_by_it_and_without_one_roughly(checkpoint: Checkpoint, tmp_path: Path) -> None:
    def previews(*files: ModelFile) -> np.ndarray[Any, Any]:
        offered: list[Callable[[], bytes]] = []
        output = run(checkpoint, Task.TXT2IMG, files=files, override_settings={"show_progress_type": "TAESD"})
        job = TaskInput(**{**output_job(files), "preview": offered.append})
        assert (pixels(TASKS[Task.TXT2IMG](job)) == pixels(output)).all()
        with Image.open(io.BytesIO(offered[-1]())) as picture:
            return np.asarray(picture).astype(int)

    def output_job(files: tuple[ModelFile, ...]) -> dict[str, Any]:
        from generate_on_cloud.contract.params import Txt2ImgParams
        from inference_container.models.files import JobFiles
        from inference_container.models.model_cache import ModelCache
        from inference_container.task import load_nothing

        settings = {**SMALL["override_settings"], "show_progress_type": "TAESD"}
        return {
            "params": Txt2ImgParams(**{**SMALL, "override_settings": settings}),
            "checkpoint": checkpoint,
            "report": lambda _: None,
            "files": JobFiles(files),
            "models": ModelCache(max_bytes=2**30, load=load_nothing),
        }

    fine, rough = previews(written(tmp_path, "taesd_decoder.pth", DECODER)), previews()

    assert fine.shape == rough.shape == (64, 64, 3)
    assert np.abs(fine - rough).mean() > 5


@pytest.mark.parametrize(
    ("names", "settings", "reason"),
    [
        ([], {"sd_vae_decode_method": "TAESD"}, "the decoder of a tiny VAE for {}, called taesd_decoder or taesd"),
        (["taesdxl_decoder.pth"], {"sd_vae_decode_method": "TAESD"}, "called taesd_decoder or taesd"),
        (["taesd_decoder.pth"], {"sd_vae_encode_method": "TAESD"}, "called taesd_encoder or taesd"),
        (["taesd.pth"], {"sd_vae": "taesd"}, "is a tiny VAE; allowed: a whole one here"),
    ],
)
def test_a_job_without_the_file_says_which_one_it_lacks(
    checkpoint: Checkpoint, tmp_path: Path, names: list[str], settings: dict[str, str], reason: str
) -> None:
    files = [written(tmp_path, name, DECODER) for name in names]

    init = io.BytesIO()
    Image.new("RGB", (64, 64)).save(init, "PNG")
    with pytest.raises(JobFailed) as caught:
        run(
            checkpoint,
            Task.IMG2IMG,
            files=files,
            override_settings=settings,
            init_images=[base64.b64encode(init.getvalue()).decode()],
        )

    wanted = JobErrorCode.ASSET_INCOMPATIBLE if "sd_vae" in settings else JobErrorCode.ASSET_MISSING
    assert caught.value.error.code is wanted
    assert reason.format(checkpoint.file.name) in str(caught.value)


@pytest.mark.parametrize("state", [tiny_decoder(channels=16), tiny_encoder(channels=16)], ids=["decoder", "encoder"])
def test_a_tiny_vae_of_another_model_is_refused_by_its_channels(tmp_path: Path, state: dict[str, Tensor]) -> None:
    file = written(tmp_path, "taef1.safetensors", state)

    with pytest.raises(JobFailed, match="a tiny VAE with 16 latent channels, for Flux or SD3; allowed: 4"):
        load_tiny_vae(file, device=CPU, dtype=torch.float32)
