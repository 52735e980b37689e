"""Fills a transformers module from one part of an asset, with a plain configuration and every tensor accounted for."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from huggingface_hub.errors import StrictDataclassError
from pydantic import JsonValue
from torch import Tensor

from inference_container.models.model_parts import ModelPart
from inference_container.models.tensor_file import corrupt, incompatible

MAX_VALUE = 1_000_000
"""Default maximum of whole numbers in a configuration."""
LIMITS = {"num_hidden_layers": 100, "image_size": 4096}
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


def read_config(part: ModelPart, kind: Any, *, text: Any, vision: Any) -> Any:
    """Read the part's configuration as transformers' class `kind`, with its `text` and `vision` sections.

    Only fields of these classes are used; others could name code to download or files to read.

    Raises:
        JobFailed: asset_incompatible, if a value is not plain or is implausibly large.
    """
    sections = {"text_config": text, "vision_config": vision}
    own = {name: _plain_fields(part, part.config.get(name), section) for name, section in sections.items()}
    whole = {key: value for key, value in part.config.items() if key not in sections}
    return kind(**own, **_plain_fields(part, whole, kind))


def _plain_fields(part: ModelPart, section: JsonValue, kind: Any) -> dict[str, Any]:
    if not isinstance(section, dict):
        raise incompatible(part.file, f"{part.folder}'s config.json has no text_config or vision_config")
    fields = {key: value for key, value in section.items() if key in kind.__annotations__}
    for key, value in fields.items():
        most = LIMITS.get(key, MAX_VALUE)
        if isinstance(value, dict | list) or (isinstance(value, int | float) and not -most <= value <= most):
            raise incompatible(part.file, f"{key} = {value!r} in {part.folder}'s config.json; allowed: up to {most}")
    return fields


def fill_module(
    part: ModelPart,
    build: Callable[[], Any],
    *,
    tied: Mapping[str, str],
    device: torch.device,
    dtype: torch.dtype,
) -> Any:
    """Build a module with `build` and fill it with the part's weights; returns it in evaluation mode.

    `tied` names parameters that a file may leave out because they equal another one. Tensors outside the module's own
    subtrees (heads for other uses) are ignored.

    Raises:
        JobFailed: asset_incompatible if configuration and tensors disagree, asset_corrupt if tensors are missing.
    """
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
    """Bytes that its parameters and buffers take; shared ones count once."""
    tensors = {tensor.data_ptr(): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
