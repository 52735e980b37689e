"""Loads ControlNet files as diffusers modules for the UNet of one checkpoint."""

import hashlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.architectures import CONTEXT_WIDTHS, misfit
from generate_on_cloud.model_files.uses import (
    CONTROL_DIFFERENCE,
    CONTROL_SIGNS,
    controlnet_prefix,
    controlnet_words,
    is_control_difference,
)
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible, inspected, open_tensor_file

State = dict[str, Tensor]

LDM_SIGN, DIFFUSERS_SIGN = CONTROL_SIGNS
_TRANSFORMER = re.compile(
    r"(?:input_blocks\.(?P<input>\d{1,3})\.1|middle_block\.1|down_blocks\.(?P<down>\d{1,3})\.attentions\.\d+"
    r"|mid_block\.attentions\.\d+)\.transformer_blocks\.(?P<block>\d{1,2})\."
)
_MIDDLE = -1
_SIZE_EMBEDDING: Mapping[str, str] = {
    f"label_emb.0.{index}.{part}": f"add_embedding.linear_{number}.{part}"
    for index, number in ((0, 1), (2, 2))
    for part in ("weight", "bias")
}


@dataclass(frozen=True)
class ControlNetwork:
    """A loaded ControlNet."""

    network: Any
    """diffusers ControlNetModel."""
    pools: bool
    """Whether its outputs are averaged over the picture, as with the shuffle model."""

    @property
    def bytes(self) -> int:
        """Memory that its parameters and buffers take."""
        tensors = (*self.network.parameters(), *self.network.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def controlnet_kind(file: ModelFile, checkpoint: Checkpoint) -> str:
    """The `kind` for `ModelCache.get`: it distinguishes UNets of different shapes, and for a difference every UNet.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible, if the file is refused.
    """
    shape = json.dumps(_config_of(checkpoint), sort_keys=True, default=str)
    kind = f"controlnet {hashlib.sha256(shape.encode()).hexdigest()[:16]}"
    content = inspected(file, AssetType.CONTROLNET)
    return f"{kind} {checkpoint.file.sha256}" if is_control_difference(content.shapes) else kind


def load_controlnet(file: ModelFile, *, checkpoint: Checkpoint) -> ControlNetwork:
    """Read a ControlNet for the checkpoint's UNet, with LDM's tensor names (also `control_model.…`) or diffusers'.

    Widths and attention heads come from the UNet, because a ControlNet is a copy of it; its tensors show how deep its
    transformers are, which differs in diffusers' "mid" and "small" models for XL. To a difference the
    UNet's weights are added.

    Raises:
        JobFailed: asset_corrupt if the file cannot be read or lacks tensors; asset_incompatible if it contains
            something else or a ControlNet of another family; the message names both families.
    """
    with open_tensor_file(file, holding=AssetType.CONTROLNET) as tensors:
        state = _read(file, tensors, checkpoint)
    return ControlNetwork(_build(file, state, checkpoint), pools="shuffle" in file.stem.lower())


def _read(file: ModelFile, tensors: TensorFile, checkpoint: Checkpoint) -> State:
    prefix = controlnet_prefix(tensors.shapes)
    names = {name.removeprefix(prefix): name for name in tensors.shapes if name.startswith(prefix)}
    if CONTROL_DIFFERENCE in tensors.shapes:  # the mark has no prefix even where all others have
        names[CONTROL_DIFFERENCE] = CONTROL_DIFFERENCE
    words, wanted = controlnet_words(tensors.shapes), checkpoint.unet.config.cross_attention_dim
    if words and words != wanted:
        made_for = CONTEXT_WIDTHS.get(words)
        told = misfit(made_for, checkpoint=checkpoint.file.name, drawn_with=checkpoint.family)
        raise incompatible(file, f"{told} (token widths {words} and {wanted})")
    device, dtype = checkpoint.device, checkpoint.dtype
    return {short: tensors.load(name, device=device, dtype=dtype) for short, name in names.items()}


def _with_unet(converted: State, unet: Any) -> State:
    """The weights of a ControlNet that was stored as a difference from the UNet."""
    own = dict(unet.named_parameters())
    return {
        name: tensor + own[name].detach().to(tensor) if name in own and own[name].shape == tensor.shape else tensor
        for name, tensor in converted.items()
    }


def _build(file: ModelFile, state: State, checkpoint: Checkpoint) -> Any:
    from accelerate import init_empty_weights  # type: ignore[import-untyped]
    from diffusers import ControlNetModel
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint

    difference = state.pop(CONTROL_DIFFERENCE, None) is not None
    config = _config_of(checkpoint)
    config |= _own_depths(state, config) | {"conditioning_embedding_out_channels": _hint_widths(file, state)}
    with init_empty_weights():
        network = ControlNetModel(**config)
    try:
        converted: State = {
            name: tensor
            for name, tensor in convert_controlnet_checkpoint(dict(state), config).items()
            if tensor is not None
        }
    except (IndexError, KeyError, RuntimeError) as error:
        raise incompatible(file, f"its layout is not that of {_name(checkpoint)} ({error})") from error
    # The library's conversion lacks SDXL's embedding of sizes.
    converted |= {new: state[old] for old, new in _SIZE_EMBEDDING.items() if old in state}
    if difference:
        converted = _with_unet(converted, checkpoint.unet)
    expected = dict(network.named_parameters())
    unexpected = sorted(set(converted) - set(expected))
    for name, tensor in converted.items():
        if name in expected and tensor.shape != expected[name].shape:
            found, needed = list(tensor.shape), list(expected[name].shape)
            raise incompatible(file, f"its {name} has shape {found}, {_name(checkpoint)} needs {needed}")
    if unexpected:
        raise incompatible(file, f"it has {unexpected[0]}, which {_name(checkpoint)} does not have")
    if missing := sorted(set(expected) - set(converted)):
        raise corrupt(file, f"it lacks {missing[0]} and {len(missing) - 1} more tensors")
    if len(converted) != len(state):
        raise incompatible(
            file, f"it has {len(state)} tensors, more than the {len(converted)} that {_name(checkpoint)} needs"
        )
    network.load_state_dict(converted, strict=False, assign=True)
    return network.requires_grad_(False).eval().to(checkpoint.device)


def _name(checkpoint: Checkpoint) -> str:
    return f"the checkpoint {checkpoint.file.name} ({checkpoint.family.value})"


def _config_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """The entries of the UNet's configuration that a ControlNet has too."""
    from diffusers import ControlNetModel

    unet = dict(checkpoint.unet.config)
    shared = [name for name in inspect.signature(ControlNetModel.__init__).parameters if name in unet]
    # Inpainting and InstructPix2Pix checkpoints pass it only the latents.
    return {name: unet[name] for name in shared} | {"in_channels": unet["out_channels"]}


def _own_depths(state: State, config: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the configuration that say how deep each level's transformers are, from the tensors' names."""
    depths: dict[int, int] = {}
    for name in state:
        match = _TRANSFORMER.match(name)
        if match is None:
            continue
        level = _MIDDLE
        if match["input"]:
            level = (int(match["input"]) - 1) // (int(config["layers_per_block"]) + 1)
        elif match["down"]:
            level = int(match["down"])
        depths[level] = max(depths.get(level, 0), int(match["block"]) + 1)
    levels = range(len(config["block_out_channels"]))
    blocks = [depths.get(level, 0) for level in levels]
    middle = depths.get(_MIDDLE, 0)
    if not blocks[-1]:
        blocks[-1] = middle  # the library takes the middle's depth from the last level, whose own has no transformer
    return {
        "down_block_types": tuple("CrossAttnDownBlock2D" if depths.get(level) else "DownBlock2D" for level in levels),
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        "transformer_layers_per_block": [max(depth, 1) for depth in blocks],
    }


def _hint_widths(file: ModelFile, state: Mapping[str, Tensor]) -> tuple[int, ...]:
    """Output channels of the layers that read the map, from their tensors: those of the last layer in each pair."""
    first, rest = LDM_SIGN, [f"input_hint_block.{index}.weight" for index in (4, 8, 12)]
    if DIFFUSERS_SIGN in state:
        first, rest = DIFFUSERS_SIGN, [f"controlnet_cond_embedding.blocks.{index}.weight" for index in (1, 3, 5)]
    try:
        return tuple(int(state[name].shape[0]) for name in (first, *rest))
    except KeyError as error:
        raise corrupt(file, f"it lacks {error.args[0]}") from error


def hint_tensor(pixels: Any, *, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Convert a map, uint8 (height, width, 3), to the network's input: (1, 3, height, width) in 0..1.

    A fourth channel, as of `inpaint`, makes the pixels where it is white -1.
    """
    hint = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    if hint.shape[1] > 3:
        anew = (hint[:, 3:] > 0.5).float()
        hint = hint[:, :3] * (1 - anew) - anew
    return hint.to(device, dtype)
