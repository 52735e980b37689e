"""Tiny VAEs (TAESD): which parts a file has, in every layout, and by which names WebUI's option finds them."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

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
_LAYERS: Mapping[TinyPart, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    TinyPart.ENCODER: ((2, 6, 10), (1, 3, 4, 5, 7, 8, 9, 11, 12, 13), (0, 14)),
    TinyPart.DECODER: ((6, 11, 16), (2, 3, 4, 7, 8, 9, 12, 13, 14, 17), (0, 18)),
}
"""Numbers of the layers that resize, which have no bias, of the blocks, and of the first and last layer."""
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
    for part, layers in parts.items():
        _check_layers(part, layers, shapes)
    return parts


def _part_alone(shapes: Shapes) -> TinyPart | None:
    """Which part a file is whose tensors are named by numbers alone: only the encoder begins with a convolution."""
    if "0.weight" in shapes:
        return TinyPart.ENCODER
    return TinyPart.DECODER if "1.weight" in shapes else None


def _check_layers(part: TinyPart, layers: Mapping[str, str], shapes: Shapes) -> None:
    """Refuse latents of another model, and layers that are missing or that no tiny VAE has."""
    latents, axis = ("14.weight", 0) if part is TinyPart.ENCODER else ("0.weight", 1)
    shape = shapes.get(layers.get(latents, ""), ())
    if len(shape) == 4 and shape[axis] != LATENT_CHANNELS:
        raise RefusedFileError(
            f"it holds a tiny VAE with {shape[axis]} latent channels, for Flux or SD3; allowed: {LATENT_CHANNELS}"
        )
    wanted = set(_layer_names(part))
    if missing := sorted(wanted - set(layers)):
        raise BrokenFileError(f"its {part} lacks {missing[0]} and {len(missing) - 1} more tensors")
    if unknown := sorted(set(layers) - wanted):
        raise RefusedFileError(f"its {part} has {layers[unknown[0]]}, which no tiny VAE has")


def _layer_names(part: TinyPart) -> Iterator[str]:
    """The tensors of a part by diffusers' names."""
    plain, blocks, ends = _LAYERS[part]
    for number in (*plain, *ends):
        yield f"{number}.weight"
    for number in ends:
        yield f"{number}.bias"
    for number in blocks:
        for layer in (0, 2, 4):
            yield from (f"{number}.conv.{layer}.weight", f"{number}.conv.{layer}.bias")


def listed_names(family: str | None, part: TinyPart) -> str:
    """How messages say which names are allowed."""
    return " or ".join(tiny_vae_file_names(family, part))
