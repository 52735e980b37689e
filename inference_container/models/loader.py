"""Loads a single-file checkpoint in LDM layout into diffusers modules, offline and with every tensor accounted for."""

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.checkpoint_names import UNET, VAE, checkpoint_names, scale_names
from generate_on_cloud.model_files.uses import checkpoint_family, has_vae
from inference_container.diffusion.noise_schedule import rescale_to_zero_terminal_snr
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.clip_tokenizer import build_clip_tokenizer
from inference_container.models.cpu_layers import speed_up_on_cpu
from inference_container.models.devices import vae_dtype
from inference_container.models.files import ModelFile
from inference_container.models.gpu_layout import lay_out_for_gpu
from inference_container.models.model_config import PACKED_CONFIG, ModelConfig, model_config
from inference_container.models.modules import State, Target, build_module, fill_module, read_state
from inference_container.models.prediction import learned_prediction
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible, open_tensor_file
from inference_container.models.text_encoders import load_text_models
from inference_container.models.unet import build_unet
from inference_container.models.vae_file import fill_vae

TRAIN_TIMESTEPS = 1000
ZERO_TERMINAL_SNR = "ztsnr"
"""Name of an empty tensor that marks such models (semantics §8.1)."""


def load_checkpoint(
    file: ModelFile, *, device: torch.device, dtype: torch.dtype, compile_blocks: bool = False
) -> Checkpoint:
    """Read a whole model: UNet, VAE and text encoders from `file`, all on `device`, in evaluation mode.

    The VAE of a file without one is empty, on the meta device.

    `dtype` is the precision of the UNet and the text encoders; `compile_blocks` is passed to `lay_out_for_gpu`. As in
    WebUI, EMA weights in the file are ignored.

    Raises:
        JobFailed: asset_corrupt if the file cannot be read or lacks tensors, asset_incompatible if it contains
            something else or does not fit its configuration.
    """
    with open_tensor_file(file, holding=AssetType.CHECKPOINT) as opened:
        family = checkpoint_family(opened.shapes)
        tensors = opened.unscaled(scale_names(opened.shapes)).named(checkpoint_names(opened.shapes))
        config = model_config(file, family=family, packed=tensors.metadata.get(PACKED_CONFIG))
        target = Target(device, dtype)
        own_vae = has_vae(tensors.shapes)
        unet = _load_unet(file, tensors, config, target=target)
        vae = _load_vae(file, tensors, config, target=Target(device, vae_dtype(device, dtype)))
        text_models = load_text_models(file, tensors, config, family=family, target=target)
        alphas_cumprod = _alphas_cumprod(file, tensors, config)
        prediction_type = learned_prediction(tensors, config.scheduler, family=family, unet=unet)
    speed_up_on_cpu(unet, vae, *(one.encoder for one in text_models), device=device)
    lay_out_for_gpu(unet, vae if own_vae else None, device=device, compile_blocks=compile_blocks)
    sizes = [one.encoder.config.vocab_size for one in text_models]
    return Checkpoint(
        file=file,
        unet=unet,
        vae=vae,
        text_models=text_models,
        tokenizer=build_clip_tokenizer(file, config.tokenizer, vocabulary_size=min(sizes)),
        prediction_type=prediction_type,
        alphas_cumprod=alphas_cumprod,
        device=device,
        dtype=dtype,
        family=family,
        has_vae=own_vae,
    )


def _load_unet(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, target: Target) -> Any:
    def convert(state: State) -> State:
        below = {UNET + name: tensor for name, tensor in state.items()}
        converted: State = convert_ldm_unet_checkpoint(below, dict(config.unet))
        return converted

    module = build_module(file, "UNet", lambda: build_unet(config.unet))
    state = read_state(file, tensors, "UNet", prefix=UNET, target=target)
    return fill_module(file, "UNet", module, state=state, convert=convert, device=target.device)


def _load_vae(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, target: Target) -> Any:
    module = build_module(file, "VAE", lambda: AutoencoderKL.from_config(dict(config.vae)))
    if not has_vae(tensors.shapes):
        return module
    names = {name.removeprefix(VAE): name for name in tensors.shapes if name.startswith(VAE)}
    return fill_vae(file, tensors.named(names), module, target=target)


def _alphas_cumprod(file: ModelFile, tensors: TensorFile, config: ModelConfig) -> Tensor:
    """ᾱ from the buffer in the file, as in WebUI, else from the configuration (semantics §5.3)."""
    alphas = _stored_alphas(file, tensors)
    if alphas is None:
        alphas = _configured_alphas(file, config)
    return rescale_to_zero_terminal_snr(alphas) if ZERO_TERMINAL_SNR in tensors.shapes else alphas


def _stored_alphas(file: ModelFile, tensors: TensorFile) -> Tensor | None:
    if "alphas_cumprod" not in tensors.shapes:
        return None
    stored = tensors.read("alphas_cumprod")
    if stored.dtype.itemsize < torch.float32.itemsize:
        return None  # in half precision, like the weights: neighbouring values become equal
    stored = stored.to(torch.float32, copy=True)
    falling = stored.ndim == 1 and bool((stored.diff() < 0).all()) and bool(0 < stored[-1] < stored[0] < 1)
    if stored.shape != (TRAIN_TIMESTEPS,) or not falling:
        raise corrupt(file, f"its alphas_cumprod is not a list of {TRAIN_TIMESTEPS} numbers decreasing from 1 to 0")
    return stored


def _configured_alphas(file: ModelFile, config: ModelConfig) -> Tensor:
    scheduler = config.scheduler
    if scheduler.num_train_timesteps != TRAIN_TIMESTEPS:
        raise incompatible(
            file, f"it has {scheduler.num_train_timesteps} training timesteps; allowed: {TRAIN_TIMESTEPS}"
        )
    betas = np.linspace(scheduler.beta_start**0.5, scheduler.beta_end**0.5, TRAIN_TIMESTEPS, dtype=np.float64) ** 2
    return torch.from_numpy(np.cumprod(1 - betas).astype(np.float32))
