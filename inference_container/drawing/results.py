"""Encodes finished pictures with infotext; builds `info` and `parameters` of the answer (semantics §1.4, §7)."""

from datetime import datetime
from typing import Any

from PIL import Image

from generate_on_cloud import __version__
from generate_on_cloud.contract.controlnet import without_pictures
from generate_on_cloud.contract.options import Options
from generate_on_cloud.contract.params import ImageParams, Img2ImgParams, Txt2ImgParams
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.webui.infotext.record import GenerationRecord, InfoValue, schedule_label_of
from generate_on_cloud.webui.infotext.writer import build_info, write_infotext
from inference_container.drawing.drawings import Drawing
from inference_container.drawing.fitted_checkpoints import asks_for_tiling
from inference_container.drawing.prompts import Prompts
from inference_container.drawing.sampling_record import noted_seed_delta
from inference_container.drawing.seeds import Seeds
from inference_container.drawing.token_merging import token_merging_ratio
from inference_container.models.checkpoint import Checkpoint
from inference_container.pictures.encoding import PictureFormat, encode_picture
from inference_container.task import EncodedImage

SOFTWARE = f"generate-on-cloud {__version__}"
"""The value of `Version` in infotext."""
FORMATS: dict[str, PictureFormat] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp", "avif": "avif"}
"""Picture formats by the option `samples_format`."""
PICTURE_FIELDS = frozenset({"init_images", "mask", "firstpass_image"})


def record_of(
    params: ImageParams,
    *,
    checkpoint: Checkpoint,
    prompts: Prompts,
    seeds: Seeds,
    batch_size: int,
    drawn: int | None = None,
    denoising_strength: float | None,
    extra: dict[str, InfoValue],
    hires_prompts: Prompts | None = None,
    image_cfg_scale: float | None = None,
    shown_a_picture: bool = True,
    now: datetime | None = None,
) -> GenerationRecord:
    """The record for infotext; `extra` has the entries of task and sampling in WebUI's order.

    `shown_a_picture`: an inpainting checkpoint was conditioned on a picture; in txt2img it is not.
    """
    # WebUI fails to record it when SDXL's inpainting checkpoints get no picture.
    conditioned = checkpoint.inpainting and (shown_a_picture or checkpoint.family is not Family.SDXL_INPAINT)
    choice, options = params.sampler_choice(), params.options
    count = len(seeds.seeds)
    hires = hires_prompts or prompts
    return GenerationRecord(
        prompts=(prompts.prompt,) * count,
        negative_prompts=(prompts.negative_prompt,) * count,
        seeds=seeds.seeds,
        subseeds=seeds.subseeds,
        steps=params.steps,
        sampler=choice.sampler,
        schedule_label=schedule_label_of(choice),
        cfg_scale=params.cfg_scale,
        image_cfg_scale=image_cfg_scale,
        width=params.width,
        height=params.height,
        batch_size=batch_size,
        drawn=drawn,
        model_name=checkpoint.file.stem,
        model_sha256=checkpoint.file.sha256,
        vae_name=None if checkpoint.vae_file is None else checkpoint.vae_file.name,
        vae_sha256=None if checkpoint.vae_file is None else checkpoint.vae_file.sha256,
        version=SOFTWARE,
        job_timestamp=(now or datetime.now()).strftime("%Y%m%d%H%M%S"),
        styles=tuple(params.styles),
        subseed_strength=params.subseed_strength,
        seed_resize_from=(params.seed_resize_from_w, params.seed_resize_from_h),
        denoising_strength=denoising_strength,
        conditional_mask_weight=options.inpainting_mask_weight if conditioned else None,
        is_using_inpainting_conditioning=conditioned,
        eta_noise_seed_delta=noted_seed_delta(params, hires=hires_prompts is not None),
        tiling=asks_for_tiling(params),
        restore_faces=params.restores_faces(),
        face_restoration_model=options.face_restoration_model,
        hires_prompt=_other(hires.prompt, than=prompts.prompt),
        hires_negative_prompt=_other(hires.negative_prompt, than=prompts.negative_prompt),
        hidden=frozenset(entry for entry, shown in _shown(options).items() if not shown),
        extra=extra,
        **option_entries(params),
    )


def option_entries(params: ImageParams) -> dict[str, Any]:
    """The fields of a record whose options WebUI reads when it writes an infotext, not when it draws."""
    options = params.options
    hires = isinstance(params, Txt2ImgParams) and params.enable_hr
    return {
        "clip_skip": options.CLIP_stop_at_last_layers,
        "token_merging_ratio": token_merging_ratio(params),
        "token_merging_ratio_hr": token_merging_ratio(params, hires=True) if hires else 0,
        "randn_source": options.randn_source,
    }


def _shown(options: Options) -> dict[str, bool]:
    """Whether the options want these entries of infotexts."""
    return {
        "Model hash": options.add_model_hash_to_info,
        "Model": options.add_model_name_to_info,
        "VAE hash": options.add_vae_hash_to_info,
        "VAE": options.add_vae_name_to_info,
        "Version": options.add_version_to_infotext,
    }


def _other(text: str, *, than: str) -> str | None:
    return None if text == than else text


def encode_drawing(drawing: Drawing) -> tuple[EncodedImage, ...]:
    """All pictures of a drawing as files in the request's format, in order.

    Raises:
        JobFailed: invalid_params, if the format does not support such a picture.
    """
    encoded = []
    for number, image in enumerate(drawing.images):
        text, seed = write_infotext(drawing.record, number), drawing.record.seeds[number]
        encoded.append(encode_result(image, drawing.params, infotext=text, seed=seed))
        followers = drawing.beside[number] if drawing.beside else ()
        encoded += [encode_result(follower, drawing.params) for follower in followers]
    return tuple(encoded)


def encode_result(
    image: Image.Image, params: ImageParams, *, infotext: str = "", seed: int | None = None
) -> EncodedImage:
    """A picture as a file, with its infotext inside if `enable_pnginfo` is on.

    Raises:
        JobFailed: invalid_params, if the format does not support such a picture.
    """
    options = params.options
    picture_format = FORMATS[options.samples_format]
    data = encode_picture(
        image,
        picture_format=picture_format,
        infotext=infotext if options.enable_pnginfo else "",
        quality=options.jpeg_quality,
        lossless=options.webp_lossless,
    )
    return EncodedImage(data, picture_format, image.width, image.height, seed, infotext)


def info_of(record: GenerationRecord) -> dict[str, Any]:
    """WebUI's `info` document."""
    return dict(build_info(record))


def parameters_of(params: ImageParams) -> dict[str, Any]:
    """All request fields including defaults; pictures are null unless `include_init_images`."""
    hidden = frozenset() if isinstance(params, Img2ImgParams) and params.include_init_images else PICTURE_FIELDS
    echo = {name: None if name in hidden else value for name, value in params.model_dump(mode="json").items()}
    return echo | {"alwayson_scripts": without_pictures(params.alwayson_scripts)}
