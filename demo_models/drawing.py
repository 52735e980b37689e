"""Draws with a checkpoint file through the product's code, many prompts at a time, for measurements."""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from inference_container.diffusion.guidance import Guidance
from inference_container.diffusion.noise import ImageNoise
from inference_container.diffusion.sampling import ImageStart, SamplingRequest, sample
from inference_container.drawing.conditioner import Conditioner
from inference_container.drawing.latents import decode_image, encode_images
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.loader import load_checkpoint
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, load_nothing
from inference_container.tasks.img2img import img2img
from inference_container.tasks.txt2img import txt2img

SIDE = 64
BATCH = 32
MASKED_PADDING = 8
"""Pixels around the mask that "only masked" includes."""


def describe_file(path: Path, kind: AssetType) -> ModelFile:
    """A weights file in the form that jobs get."""
    return ModelFile(kind, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def open_checkpoint(file: Path) -> Checkpoint:
    """The file as the container loads it, in float32 on the CPU."""
    model = describe_file(file, AssetType.CHECKPOINT)
    return load_checkpoint(model, device=torch.device("cpu"), dtype=torch.float32)


def to_image(picture: Tensor) -> Image.Image:
    """A uint8 picture of shape (3, height, width) as an image."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def to_picture(image: Image.Image) -> Tensor:
    """An image as uint8 of shape (3, height, width)."""
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)


def draw_pictures(
    checkpoint: Checkpoint,
    prompts: Sequence[str],
    *,
    steps: int = 20,
    cfg_scale: float = 6.0,
    sampler: str = "Euler a",
    first_seed: int = 1000,
    init: Tensor | None = None,
    denoising_strength: float = 0.6,
) -> Tensor:
    """One picture for each prompt, with seeds `first_seed`, `first_seed` + 1, …

    Args:
        init: pictures to start from, uint8, one for each prompt; None draws from noise.

    Returns:
        uint8, shape (prompts, 3, 64, 64).
    """
    params = Txt2ImgParams(steps=steps, cfg_scale=cfg_scale, sampler_name=sampler, width=SIDE, height=SIDE)
    conditioner = Conditioner(checkpoint=checkpoint, params=params)
    drawn = []
    for start in range(0, len(prompts), BATCH):
        batch = list(prompts[start : start + BATCH])
        seeds = range(first_seed + start, first_seed + start + len(batch))
        guidance = Guidance(
            cond=conditioner.positive(batch), uncond=conditioner.negative([""] * len(batch)), cfg_scale=cfg_scale
        )
        begin = None
        if init is not None:
            images = [to_image(picture) for picture in init[start : start + BATCH]]
            begin = ImageStart(latent=encode_images(checkpoint, images), denoising_strength=denoising_strength)
        request = SamplingRequest(
            choice=params.sampler_choice(),
            steps=steps,
            guidance=guidance,
            noise=ImageNoise(tuple(seeds), (4, SIDE // 8, SIDE // 8), source="CPU"),
            start=begin,
        )
        with torch.inference_mode():
            latents = sample(checkpoint, request)
            drawn += [to_picture(decode_image(checkpoint, one)) for one in latents]
    return torch.stack(drawn)


def encode_png(image: Image.Image) -> str:
    """A picture in the form used in requests."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def inpaint_picture(
    checkpoint: Checkpoint, picture: Tensor, mask: Image.Image, prompt: str, *, only_masked: bool, seed: int
) -> Tensor:
    """Redraw the part of the picture under the mask (L, 255 = repaint) with the whole img2img task."""
    params = Img2ImgParams(
        prompt=prompt,
        init_images=[encode_png(to_image(picture))],
        mask=encode_png(mask),
        mask_blur=0,
        inpainting_fill=1,
        inpaint_full_res=only_masked,
        inpaint_full_res_padding=MASKED_PADDING,
        denoising_strength=0.95,
        steps=20,
        cfg_scale=6,
        sampler_name="Euler a",
        seed=seed,
        width=SIDE,
        height=SIDE,
    )
    output = img2img(TaskInput(params, checkpoint, lambda _progress: None))
    return _decode(output.images[0].data)


def draw_with_files(
    checkpoint: Checkpoint,
    prompt: str,
    *,
    count: int,
    seed: int,
    files: Sequence[ModelFile] = (),
    options: Mapping[str, object] | None = None,
    scripts: Mapping[str, object] | None = None,
) -> Tensor:
    """Draw `count` pictures of one prompt with the whole txt2img task and any files.

    Args:
        options: `override_settings`.
        scripts: `alwayson_scripts`.

    Returns:
        uint8, shape (count, 3, 64, 64).
    """
    params = Txt2ImgParams.model_validate(
        {
            "prompt": prompt,
            "batch_size": count,
            "seed": seed,
            "steps": 20,
            "cfg_scale": 6,
            "sampler_name": "Euler a",
            "width": SIDE,
            "height": SIDE,
            "override_settings": dict(options or {}),
            "alwayson_scripts": dict(scripts or {}),
        }
    )
    models = ModelCache(max_bytes=2**28, load=load_nothing)
    output = txt2img(TaskInput(params, checkpoint, lambda _progress: None, files=JobFiles(files), models=models))
    return torch.stack([_decode(image.data) for image in output.images[:count]])


def _decode(data: bytes) -> Tensor:
    with Image.open(io.BytesIO(data)) as image:
        return to_picture(image)
