"""Builds empty modules from their configuration and fills them with a file's tensors, accounting for every tensor."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from torch import Tensor

from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible

State = dict[str, Tensor]


@dataclass(frozen=True)
class Target:
    """Device and precision of a module's tensors."""

    device: torch.device
    dtype: torch.dtype


def build_module(file: ModelFile, part: str, build: Callable[[], Any]) -> Any:
    """Build an empty module: its parameters take no memory, its buffers are real.

    Raises:
        JobFailed: asset_incompatible, if the configuration is not valid.
    """
    try:
        with init_empty_weights():
            return build()
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise incompatible(file, f"the configuration of its {part} is not valid: {error}") from error


def read_state(
    file: ModelFile, tensors: TensorFile, part: str, *, prefix: str, target: Target, skip: tuple[str, ...] = ()
) -> State:
    """Read the tensors below `prefix`, named by the rest of their names, except those whose full names `skip` begins.

    Raises:
        JobFailed: asset_incompatible if there are none; asset_corrupt if one cannot be read.
    """
    names = [name for name in tensors.shapes if name.startswith(prefix) and not name.startswith(skip or ("\0",))]
    if not names:
        raise incompatible(file, f"it has no {part} (no tensor is named {prefix}…)")
    # Converted and moved one by one, so that the model is never in memory twice.
    return {name.removeprefix(prefix): tensors.load(name, device=target.device, dtype=target.dtype) for name in names}


def fill_module(
    file: ModelFile,
    part: str,
    module: Any,
    *,
    state: State,
    device: torch.device,
    convert: Callable[[State], State] | None = None,
) -> Any:
    """Fill `module` with the tensors of `state`, renamed by `convert`; returns it on `device` in evaluation mode.

    Raises:
        JobFailed: asset_incompatible or asset_corrupt; the message names unexpected or missing tensors or differing
            shapes.
    """
    wanted: Mapping[str, Tensor] = dict(module.named_parameters())
    try:
        converted = state if convert is None else convert(state)
    except (IndexError, KeyError, RuntimeError) as error:
        raise incompatible(file, f"the layout of its {part} differs from its configuration ({error})") from error
    for name, tensor in converted.items():
        if name in wanted and tensor.shape != wanted[name].shape:
            found, needed = list(tensor.shape), list(wanted[name].shape)
            raise incompatible(file, f"its {part} has {name} of shape {found}; its configuration requires {needed}")
    missing = sorted(set(wanted) - set(converted))
    unexpected = sorted(set(converted) - set(wanted))
    if unexpected or (len(converted) != len(state) and not missing):
        raise incompatible(file, f"its {part} has {_listed(unexpected or state)}, unknown to its configuration")
    if missing:
        raise corrupt(file, f"its {part} lacks {_listed(missing)}")
    module.load_state_dict(converted, strict=False, assign=True)
    return module.requires_grad_(False).eval().to(device)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 1} more tensors" if len(ordered) > 1 else ""
    return f"{ordered[0]}{more}"
