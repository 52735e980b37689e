"""Finished pictures with infotext, and the `info` and `parameters` documents of the answer (semantics §1.4, §7)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PIL import Image

from inference_container.contract.params import ImageParams
from inference_container.infotext.record import GenerationRecord, InfoValue, schedule_label_of
from inference_container.infotext.writer import build_info, write_infotext
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.encoding import PictureFormat, encode_picture
from inference_container.tasks.seeds import Seeds
from inference_container.tasks.task import EncodedImage
from inference_container.tasks.wording import Wording

SOFTWARE = "generate-on-cloud 0.1.0"
"""What infotext names as `Version`."""
FORMATS: dict[str, PictureFormat] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
"""By the option `samples_format`."""
PICTURE_FIELDS = frozenset({"init_images", "mask", "firstpass_image"})


def record_of(
    params: ImageParams,
    *,
    checkpoint: Checkpoint,
    wording: Wording,
    seeds: Seeds,
    batch_size: int,
    denoising_strength: float | None,
    extra: dict[str, InfoValue],
    now: datetime | None = None,
) -> GenerationRecord:
    """What infotext says of this request; `extra` holds the task's own entries in WebUI's order."""
    choice = params.sampler_choice()
    count = len(seeds.seeds)
    emphasis = str(params.option("emphasis"))
    weighted = any(bracket in text for text in (wording.prompt, wording.negative_prompt) for bracket in "([")
    if emphasis != "Original" and weighted:
        extra = {**extra, "Emphasis": emphasis}
    return GenerationRecord(
        prompts=(wording.prompt,) * count,
        negative_prompts=(wording.negative_prompt,) * count,
        seeds=seeds.seeds,
        subseeds=seeds.subseeds,
        steps=params.steps,
        sampler=choice.sampler,
        schedule_label=schedule_label_of(choice),
        cfg_scale=params.cfg_scale,
        width=params.width,
        height=params.height,
        batch_size=batch_size,
        model_name=checkpoint.file.stem,
        model_sha256=checkpoint.file.sha256,
        version=SOFTWARE,
        job_timestamp=(now or datetime.now()).strftime("%Y%m%d%H%M%S"),
        styles=tuple(params.styles),
        subseed_strength=params.subseed_strength,
        seed_resize_from=(params.seed_resize_from_w, params.seed_resize_from_h),
        denoising_strength=denoising_strength,
        clip_skip=int(params.option("CLIP_stop_at_last_layers")),
        conditional_mask_weight=float(params.option("inpainting_mask_weight")) if checkpoint.inpainting else None,
        is_using_inpainting_conditioning=checkpoint.inpainting,
        randn_source=str(params.option("randn_source")),
        extra=extra,
    )


def encode_results(
    images: Sequence[Image.Image], *, record: GenerationRecord, params: ImageParams
) -> tuple[EncodedImage, ...]:
    """The pictures as files in the format the request asks for, each with its infotext unless `enable_pnginfo` is off.

    Raises:
        JobFailed: invalid_params, the format cannot hold such a picture.
    """
    picture_format = FORMATS[str(params.option("samples_format"))]
    encoded = []
    for number, image in enumerate(images):
        infotext = write_infotext(record, number)
        data = encode_picture(
            image,
            picture_format=picture_format,
            infotext=infotext if params.option("enable_pnginfo") else "",
            quality=int(params.option("jpeg_quality")),
            lossless=bool(params.option("webp_lossless")),
        )
        encoded.append(EncodedImage(data, picture_format, image.width, image.height, record.seeds[number], infotext))
    return tuple(encoded)


def info_of(record: GenerationRecord) -> dict[str, Any]:
    """WebUI's `info` document."""
    return dict(build_info(record))


def parameters_of(params: ImageParams) -> dict[str, Any]:
    """The echo of all request fields incl. defaults; pictures are null."""
    return {name: None if name in PICTURE_FIELDS else value for name, value in params.model_dump(mode="json").items()}
