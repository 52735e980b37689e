"""Tiny VAEs (TAESD): which parts a file has, in every layout, and by which names WebUI's option finds them."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.refusals import RefusedFileError

METHOD = "TAESD"
"""Value of the options `sd_vae_encode_method`, `sd_vae_decode_method` and `show_progress_type`."""
LATENT_CHANNELS = 4


class TinyPart(StrEnum):
    ENCODER = "encoder"
    DECODER = "decoder"


PART_OF_OPTION: Mapping[str, TinyPart] = {
    "sd_vae_encode_method": TinyPart.ENCODER,
    "sd_vae_decode_method": TinyPart.DECODER,
    "show_progress_type": TinyPart.DECODER,
}
"""The part that acts when an option is TAESD."""
PREVIEWS = "show_progress_type"
_XL = (Family.SDXL, Family.SDXL_INPAINT, Family.SDXL_EDIT, Family.SDXL_REFINER)

# diffusers numbers layers below `layers`; its decoder has no layer for the clamp, which is WebUI's number 0.
_IN_FILE = re.compile(r"^(?:taesd_|vae\.)?(encoder|decoder)\.(layers\.)?(\d+)\.(.+)$")
_ALONE = re.compile(r"^(\d+)\.(.+)$")


def tiny_vae_file_names(family: str | None, part: TinyPart) -> tuple[str, str]:
    """Names without extension of the files that WebUI would use for a checkpoint of this family, the best first."""
    model = "taesdxl" if family in _XL else "taesd"
    return f"{model}_{part}", model


def tiny_vae_layers(shapes: Shapes) -> Mapping[TinyPart, Mapping[str, str]]:
    """For each part in the file: the stored names of its tensors by diffusers' names below `layers.`.

    Raises:
        RefusedFileError: no part is recognized, or it is for latents of another model.
    """
    parts: dict[TinyPart, dict[str, str]] = {}
    alone = _part_alone(shapes)
    for name in shapes:
        whole, single = _IN_FILE.match(name), _ALONE.match(name)
        if whole is not None:
            part, numbered_as_diffusers = TinyPart(whole[1]), bool(whole[2])
            number, rest = int(whole[3]), whole[4]
        elif single is not None and alone is not None:
            part, numbered_as_diffusers = alone, False
            number, rest = int(single[1]), single[2]
        else:
            continue
        clamped = part is TinyPart.DECODER and not numbered_as_diffusers
        parts.setdefault(part, {})[f"{number - clamped}.{rest}"] = name
    if not parts:
        raise RefusedFileError("it holds neither the encoder nor the decoder of a tiny VAE (TAESD)")
    _refuse_other_latents(parts, shapes)
    return parts


def _part_alone(shapes: Shapes) -> TinyPart | None:
    """Which part a file is whose tensors are named by numbers alone: only the encoder begins with a convolution."""
    if "0.weight" in shapes:
        return TinyPart.ENCODER
    return TinyPart.DECODER if "1.weight" in shapes else None


def _refuse_other_latents(parts: Mapping[TinyPart, Mapping[str, str]], shapes: Shapes) -> None:
    for part, layers in parts.items():
        numbers = [int(name.split(".", 1)[0]) for name in layers]
        end, axis = (max(numbers), 0) if part is TinyPart.ENCODER else (0, 1)
        shape = shapes.get(layers.get(f"{end}.weight", ""), ())
        if len(shape) == 4 and shape[axis] != LATENT_CHANNELS:
            raise RefusedFileError(
                f"it holds a tiny VAE with {shape[axis]} latent channels, for Flux or SD3; allowed: {LATENT_CHANNELS}"
            )


def listed_names(families: Iterable[str | None], part: TinyPart) -> str:
    """How messages say which names are allowed."""
    return " or ".join(dict.fromkeys(name for family in families for name in tiny_vae_file_names(family, part)))
