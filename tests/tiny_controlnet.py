"""Writes a random ControlNet for the tiny checkpoint, in the layouts other tools write."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny_checkpoint import TEXT_WIDTH, UNET_LAYERS, UNET_WIDTHS, tiny_state

HINT_WIDTHS = (4, 4, 8, 8, 8, 8, 12, UNET_WIDTHS[0])
UNET = "model.diffusion_model."
LAYERS = 13


def tiny_controlnet_state(*, seed: int = 5, words: int = TEXT_WIDTH) -> dict[str, Tensor]:
    """Tensors by LDM's names without a prefix; `words` other than the checkpoint's make it one of another family."""
    generator = torch.Generator().manual_seed(seed)
    shared = ("time_embed.", "input_blocks.", "middle_block.")
    unet = {name.removeprefix(UNET): tensor for name, tensor in tiny_state(seed=seed).items() if name.startswith(UNET)}
    state = {name: tensor for name, tensor in unet.items() if name.startswith(shared)}
    for name, tensor in state.items():
        if ".attn2.to_k." in name or ".attn2.to_v." in name:
            state[name] = torch.randn(tensor.shape[0], words, generator=generator)

    def layer(name: str, out: int, width: int, side: int) -> None:
        state[f"{name}.weight"] = torch.randn(out, width, side, side, generator=generator) / (width * side**2) ** 0.5
        state[f"{name}.bias"] = torch.randn(out, generator=generator) / 10

    for number, width in enumerate(_input_widths()):
        layer(f"zero_convs.{number}.0", width, width, 1)
    layer("middle_block_out.0", UNET_WIDTHS[-1], UNET_WIDTHS[-1], 1)
    before = 3
    for number, width in enumerate(HINT_WIDTHS):
        layer(f"input_hint_block.{2 * number}", width, before, 3)
        before = width
    return state


def write_tiny_controlnet(
    path: Path, *, seed: int = 5, words: int = TEXT_WIDTH, prefix: str = "control_model."
) -> Path:
    """Write it to `path`, as its extension says, and return `path`."""
    state = {prefix + name: tensor for name, tensor in tiny_controlnet_state(seed=seed, words=words).items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state}, path)
    return path


def _input_widths() -> list[int]:
    widths = [UNET_WIDTHS[0]]
    for level, width in enumerate(UNET_WIDTHS):
        widths += [width] * (UNET_LAYERS + (level < len(UNET_WIDTHS) - 1))
    return widths
