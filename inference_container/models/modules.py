"""Empty modules from their configuration, and a file's tensors in them with every one accounted for."""

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
    """Where a module's tensors go, and in which precision."""

    device: torch.device
    dtype: torch.dtype


def build_module(file: ModelFile, part: str, build: Callable[[], Any]) -> Any:
    """An empty module: parameters without memory, buffers real.

    Raises:
        JobFailed: asset_incompatible, its configuration is not valid.
    """
    try:
        with init_empty_weights():
            return build()
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise incompatible(file, f"the configuration of its {part} is not valid: {error}") from error


def read_state(
    file: ModelFile, tensors: TensorFile, part: str, *, prefix: str, target: Target, skip: tuple[str, ...] = ()
) -> State:
    """The tensors below `prefix` by the rest of their names, but for those whose whole names begin as in `skip`.

    Raises:
        JobFailed: asset_incompatible, there is none; asset_corrupt, one cannot be read.
    """
    names = [name for name in tensors.shapes if name.startswith(prefix) and not name.startswith(skip or ("\0",))]
    if not names:
        raise incompatible(file, f"it has no {part} (no tensor is named {prefix}…)")
    # Converted and moved one by one, so that the model never lies in memory twice.
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
    """`module` with the tensors of `state`, which `convert` renames one for one; in evaluation mode on `device`.

    Raises:
        JobFailed: asset_incompatible or asset_corrupt, naming tensors that are too many, missing or of another shape.
    """
    wanted: Mapping[str, Tensor] = dict(module.named_parameters())
    try:
        converted = state if convert is None else convert(state)
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
