"""Chooses the VAE of a request: WebUI's option `sd_vae` (semantics §8.1)."""

import hashlib
import json
from dataclasses import replace
from functools import partial

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.model_files.uses import NO_VAE
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.devices import vae_dtype
from inference_container.models.files import JobFiles, ModelFile
from inference_container.models.model_cache import ModelCache
from inference_container.models.tensor_file import incompatible

AUTOMATIC, NONE = "Automatic", "None"


def with_chosen_vae(checkpoint: Checkpoint, params: ImageParams, *, files: JobFiles, models: ModelCache) -> Checkpoint:
    """`checkpoint` with the VAE that the request names, or, with `Automatic`, one with the checkpoint's name, if any.

    Raises:
        JobFailed: asset_missing; asset_corrupt or asset_incompatible, if the file is not a VAE that fits;
            asset_incompatible, if none is chosen and the checkpoint has none.
    """
    file = _chosen(checkpoint, params.options.sd_vae, files)
    if file is None and not checkpoint.has_vae:
        raise incompatible(checkpoint.file, NO_VAE)
    if file is None:
        return checkpoint
    from inference_container.models.vae_file import load_vae  # imports diffusers, which is loaded by now

    config = dict(checkpoint.vae.config)
    load = partial(
        load_vae, like=config, device=checkpoint.device, dtype=vae_dtype(checkpoint.device, checkpoint.dtype)
    )
    shape = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()
    vae = models.get(file, load, kind=f"vae {shape}").vae
    vae.use_tiling = checkpoint.vae.use_tiling  # a retry after out-of-memory uses tiles; other jobs share this VAE
    return replace(checkpoint, vae=vae, has_vae=True, vae_file=file)


def _chosen(checkpoint: Checkpoint, option: str, files: JobFiles) -> ModelFile | None:
    if option == NONE:
        return None
    if option != AUTOMATIC:
        return files.named(AssetType.VAE, option)
    beside = f"{checkpoint.file.stem}.vae"
    return next((file for file in files.of(AssetType.VAE) if file.stem.casefold() == beside.casefold()), None)
