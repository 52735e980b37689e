"""Fills a transformers module with the tensors of one part of an asset, every tensor accounted for."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from inference_container.models.model_parts import ModelPart
from inference_container.models.tensor_file import corrupt, incompatible

MAX_LAYERS = 100
_LAYERS = "num_hidden_layers"
_BAD_CONFIG = (
    AssertionError,
    AttributeError,
    KeyError,
    RuntimeError,
    StrictDataclassError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)


def fill_module(
    part: ModelPart,
    build: Callable[[], Any],
    *,
    tied: Mapping[str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> Any:
    """The module `build` makes, with the part's weights, in evaluation mode.

    `tied` names parameters a file may leave out, because they equal another one. Tensors outside the module's own
    subtrees (heads for other uses) are left alone.

    Raises:
        JobFailed: asset_incompatible when configuration and tensors do not agree, asset_corrupt when tensors lack.
    """
    for name, section in (("config", part.config), *((key, part.config.get(key)) for key in part.config)):
        layers = section.get(_LAYERS, 1) if isinstance(section, dict) else 1
        if not isinstance(layers, int) or not 1 <= layers <= MAX_LAYERS:
            raise incompatible(
                part.file, f"{_LAYERS} = {layers!r} in {part.folder}'s {name}; allowed: 1 to {MAX_LAYERS}"
            )
    try:
        with init_empty_weights():
            module = build()
    except _BAD_CONFIG as error:
        raise incompatible(part.file, f"the configuration of {part.folder} is not valid: {error}") from error
    wanted = {name: tuple(parameter.shape) for name, parameter in module.named_parameters(remove_duplicate=False)}
    subtrees = {name.partition(".")[0] for name in wanted}
    state: dict[str, Tensor] = {}
    with part.tensors() as tensors:
        for name, shape in tensors.shapes.items():
            if name.partition(".")[0] not in subtrees or name.endswith("position_ids"):
                continue
            if wanted.get(name) != shape:
                expected = list(wanted[name]) if name in wanted else "no such tensor"
                raise incompatible(part.file, f"{part.folder} has {name} of shape {list(shape)}, expected {expected}")
            state[name] = tensors.read(name).to(device, dtype, copy=True)
    for name, source in tied.items():
        if name not in state and source in state:
            state[name] = state[source]
    if missing := sorted(set(wanted) - set(state)):
        raise corrupt(part.file, f"{part.folder} lacks {missing[0]} and {len(missing) - 1} more tensors")
    module.load_state_dict(state, strict=False, assign=True)
    return module.requires_grad_(False).eval().to(device)


def memory_of(module: Any) -> int:
    """Bytes its parameters and buffers take; shared ones count once."""
    tensors = {tensor.data_ptr(): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
