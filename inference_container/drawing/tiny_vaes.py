"""Chooses the tiny VAEs of a request: WebUI's value `TAESD` of the options for encoding, decoding and previews."""

from dataclasses import replace
from functools import partial
from typing import Any

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.model_files.tiny_vaes import METHOD, PART_OF_OPTION, PREVIEWS, listed_names, tiny_vae_file_names
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache


def with_tiny_vaes(checkpoint: Checkpoint, params: ImageParams, *, files: JobFiles, models: ModelCache) -> Checkpoint:
    """`checkpoint` with the tiny VAE's parts wherever an option is TAESD; previews go without one that is not there.

    Raises:
        JobFailed: asset_missing; asset_corrupt or asset_incompatible, if the file is no tiny VAE.
    """
    options = params.options
    return replace(
        checkpoint,
        tiny_encoder=_part("sd_vae_encode_method", options.sd_vae_encode_method, checkpoint, files, models),
        tiny_decoder=_part("sd_vae_decode_method", options.sd_vae_decode_method, checkpoint, files, models),
        preview_decoder=_part(PREVIEWS, options.show_progress_type, checkpoint, files, models),
    )


def _part(option: str, value: str, checkpoint: Checkpoint, files: JobFiles, models: ModelCache) -> Any:
    if value != METHOD:
        return None
    part = PART_OF_OPTION[option]
    file = _file(tiny_vae_file_names(checkpoint.family, part), files)
    if file is not None:
        # Imports diffusers, which is loaded by now.
        from inference_container.models.tiny_vae import load_tiny_vae

        load = partial(load_tiny_vae, device=checkpoint.device, dtype=checkpoint.dtype)
        parts = models.get(file, load, kind=f"tiny vae {checkpoint.dtype}").parts
        if part in parts:
            return parts[part]
    if option == PREVIEWS:
        return None
    names = listed_names(checkpoint.family, part)
    wanted = f"the {part} of a tiny VAE for {checkpoint.file.name}, called {names}"
    message = f"{option}: received {METHOD}, but the job's files lack {wanted}"
    raise JobFailed(JobErrorCode.ASSET_MISSING, message)


def _file(names: tuple[str, str], files: JobFiles) -> ModelFile | None:
    return next((file for name in names for file in files.of(AssetType.VAE) if file.is_called(name)), None)
