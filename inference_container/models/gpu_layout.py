"""Speeds up models on a GPU: channels-last convolutions and, if the endpoint enables it, compiled blocks."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

log = logging.getLogger(__name__)


def lay_out_for_gpu(
    unet: Any,
    vae: Any | None,
    *,
    device: torch.device,
    compile_blocks: bool,
    why_not_compiled: Callable[[torch.device], str | None] | None = None,
) -> None:
    """Change both modules in place; does nothing on a CPU, where neither helps.

    Args:
        vae: None for a checkpoint without one.
        unet: diffusers UNet2DConditionModel, which already uses PyTorch's fused attention.
        compile_blocks: compile the repeated blocks (regional `torch.compile`): the first picture of each size takes
            seconds longer, later steps are faster. If compiling does not work here, the UNet runs uncompiled.
        why_not_compiled: a function like `why_nothing_compiles`, which is the default.
    """
    if device.type != "cuda":
        return
    for module in (unet, vae):
        if module is not None:
            module.to(memory_format=torch.channels_last)
    if compile_blocks and (why_not_compiled or why_nothing_compiles)(device) is None:
        unet.compile_repeated_blocks()


@cache
def why_nothing_compiles(device: torch.device) -> str | None:
    """Why compiling does not work, logged once per process; None if a small kernel compiled and ran.

    Triton needs a C compiler and Python's headers at run time, and a supported GPU.
    """
    try:
        torch.compile(_double)(torch.ones(64, device=device))
    except Exception as error:  # noqa: BLE001 - compilers fail in every way there is
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300] if str(error).strip() else ''}"
        log.warning("compile_unet has no effect, the UNet runs uncompiled: %s", reason)
        return reason
    # A block that cannot be compiled must not fail a job either.
    torch._dynamo.config.suppress_errors = True  # noqa: SLF001 - the documented name
    return None


def _double(numbers: torch.Tensor) -> torch.Tensor:
    return numbers * 2 + 1
