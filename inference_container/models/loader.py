"""Turns a single-file checkpoint in LDM layout into diffusers modules, offline and with every tensor accounted for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from inference_container.models.checkpoint import Checkpoint
from inference_container.models.clip_tokenizer import build_clip_tokenizer
from inference_container.models.devices import vae_dtype
from inference_container.models.families import detect_family
from inference_container.models.files import ModelFile
from inference_container.models.model_config import CONFIG_FOLDERS, PACKED_CONFIG, ModelConfig, model_config
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible, open_tensor_file

State = dict[str, Tensor]

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIX = "cond_stage_model.transformer."
PREDICTION_TYPES = ("epsilon", "v_prediction")
TRAIN_TIMESTEPS = 1000


@dataclass(frozen=True)
class Target:
    """Where a module's tensors go, and in which precision."""

    device: torch.device
    dtype: torch.dtype


def load_checkpoint(file: ModelFile, *, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """Read a whole model: UNet, VAE and text encoder from `file`, all on `device`, in evaluation mode.

    `dtype` is the UNet's and the text encoder's precision. EMA weights in the file are ignored, as WebUI does.

    Raises:
        JobFailed: asset_corrupt when the file cannot be read or lacks tensors, asset_incompatible when it holds
            something else or does not fit its configuration.
    """
    with open_tensor_file(file) as tensors:
        family = detect_family(tensors.shapes)
        if family not in CONFIG_FOLDERS:
            supported = ", ".join(CONFIG_FOLDERS)
            raise incompatible(file, f"it holds {family.value}; checkpoints this version loads: {supported}")
        config = model_config(file, family=family, packed=tensors.metadata.get(PACKED_CONFIG))
        if config.scheduler.prediction_type not in PREDICTION_TYPES:
            received = config.scheduler.prediction_type
            raise incompatible(file, f"its prediction type is {received!r}; allowed: {', '.join(PREDICTION_TYPES)}")
        target = Target(device, dtype)
        unet = _load_unet(file, tensors, config, target=target)
        vae = _load_vae(file, tensors, config, target=Target(device, vae_dtype(device, dtype)))
        text_encoder = _load_text_encoder(file, tensors, config, target=target)
        alphas_cumprod = _alphas_cumprod(file, tensors, config)
    return Checkpoint(
        file=file,
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=build_clip_tokenizer(file, config.tokenizer, vocabulary_size=config.text_encoder.get("vocab_size")),
        prediction_type=config.scheduler.prediction_type,
        alphas_cumprod=alphas_cumprod,
        device=device,
        dtype=dtype,
        family=family,
    )


def _load_unet(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, target: Target) -> Any:
    def convert(state: State) -> State:
        converted: State = convert_ldm_unet_checkpoint(state, dict(config.unet))
        return converted

    module = _build(file, "UNet", lambda: UNet2DConditionModel.from_config(dict(config.unet)))
    state = _read(file, tensors, "UNet", UNET_PREFIX, target=target)
    return _fill(file, "UNet", module, state=state, convert=convert, device=target.device)


def _load_vae(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, target: Target) -> Any:
    def convert(state: State) -> State:
        converted: State = convert_ldm_vae_checkpoint(state, dict(config.vae))
        return converted

    module = _build(file, "VAE", lambda: AutoencoderKL.from_config(dict(config.vae)))
    # Leftovers of training the VAE, which no inference uses.
    skip = tuple(VAE_PREFIX + part for part in ("loss.", "model_ema."))
    state = _read(file, tensors, "VAE", VAE_PREFIX, target=target, skip=skip)
    return _fill(file, "VAE", module, state=state, convert=convert, device=target.device)


def _load_text_encoder(file: ModelFile, tensors: TensorFile, config: ModelConfig, *, target: Target) -> Any:
    def convert(state: State) -> State:
        # The oldest files have no `text_model.`, nor has transformers since 5.6.
        return {name.removeprefix(TEXT_PREFIX).removeprefix("text_model."): tensor for name, tensor in state.items()}

    module = _build(file, "text encoder", lambda: CLIPTextModel(CLIPTextConfig.from_dict(dict(config.text_encoder))))
    skip = tuple(f"{TEXT_PREFIX}{part}embeddings.position_ids" for part in ("", "text_model."))
    state = _read(file, tensors, "text encoder", TEXT_PREFIX, target=target, skip=skip)
    return _fill(file, "text encoder", module, state=state, convert=convert, device=target.device)


def _build(file: ModelFile, part: str, build: Callable[[], Any]) -> Any:
    """An empty module: parameters without memory, buffers real."""
    try:
        with init_empty_weights():
            return build()
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise incompatible(file, f"the configuration of its {part} is not valid: {error}") from error


def _read(
    file: ModelFile, tensors: TensorFile, part: str, prefix: str, *, target: Target, skip: tuple[str, ...] = ()
) -> State:
    names = [name for name in tensors.shapes if name.startswith(prefix) and not name.startswith(skip or ("\0",))]
    if not names:
        raise incompatible(file, f"it has no {part} (no tensor is named {prefix}…)")
    # Converted and moved one by one, so that the model never lies in memory twice.
    return {name: tensors.load(name, device=target.device, dtype=target.dtype) for name in names}


def _fill(
    file: ModelFile, part: str, module: Any, *, state: State, convert: Callable[[State], State], device: torch.device
) -> Any:
    wanted: Mapping[str, Tensor] = dict(module.named_parameters())
    try:
        converted = convert(state)
    except (IndexError, KeyError, RuntimeError) as error:
        raise incompatible(file, f"its {part} has another layout than its configuration ({error})") from error
    for name, tensor in converted.items():
        if name in wanted and tensor.shape != wanted[name].shape:
            found, needed = list(tensor.shape), list(wanted[name].shape)
            raise incompatible(file, f"its {part} has {name} of shape {found}, its configuration says {needed}")
    missing = sorted(set(wanted) - set(converted))
    unexpected = sorted(set(converted) - set(wanted))
    if unexpected or (len(converted) != len(state) and not missing):
        raise incompatible(file, f"its {part} has {_listed(unexpected or state)} that its configuration does not name")
    if missing:
        raise corrupt(file, f"its {part} lacks {_listed(missing)}")
    module.load_state_dict(converted, strict=False, assign=True)
    return module.requires_grad_(False).eval().to(device)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 1} more tensors" if len(ordered) > 1 else ""
    return f"{ordered[0]}{more}"


def _alphas_cumprod(file: ModelFile, tensors: TensorFile, config: ModelConfig) -> Tensor:
    """ᾱ from the file's own buffer, as WebUI takes it, else from the configuration (semantics §5.3)."""
    if "alphas_cumprod" in tensors.shapes:
        stored = tensors.read("alphas_cumprod").to(torch.float32, copy=True)
        falling = stored.ndim == 1 and bool((stored.diff() < 0).all()) and bool(0 < stored[-1] < stored[0] < 1)
        if stored.shape != (TRAIN_TIMESTEPS,) or not falling:
            raise corrupt(file, f"its alphas_cumprod is not {TRAIN_TIMESTEPS} numbers falling from 1 to 0")
        return stored
    scheduler = config.scheduler
    if scheduler.num_train_timesteps != TRAIN_TIMESTEPS:
        raise incompatible(
            file, f"it has {scheduler.num_train_timesteps} training timesteps; allowed: {TRAIN_TIMESTEPS}"
        )
    betas = np.linspace(scheduler.beta_start**0.5, scheduler.beta_end**0.5, TRAIN_TIMESTEPS, dtype=np.float64) ** 2
    return torch.from_numpy(np.cumprod(1 - betas).astype(np.float32))
