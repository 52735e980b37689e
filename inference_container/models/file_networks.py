"""Small networks that are one file each: built as wide as the file says, and filled with its tensors."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family, Shapes
from generate_on_cloud.model_files.wrappings import without_prefixes
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible, open_tensor_file

State = Mapping[str, Tensor]


def count_layers(names: Iterable[str], pattern: str) -> int:
    """How many different numbers the pattern's group finds at the beginning of tensors' names."""
    return len({found[1] for name in names if (found := re.match(pattern, name))})


@dataclass(frozen=True)
class FileNetwork:
    """A network in float32."""

    file: ModelFile
    network: nn.Module

    @property
    def bytes(self) -> int:
        """Memory that its parameters and buffers take."""
        held = (*self.network.parameters(), *self.network.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def move_to(self, device: torch.device) -> None:
        """Move it to another device."""
        self.network.to(device)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


@dataclass(frozen=True)
class NetworkKind:
    """How a file becomes a network."""

    family: Family
    first: str
    """The tensor whose length is the network's width."""
    most: int
    """The published network's width."""
    build: Callable[[int, State], nn.Module]
    renamed: Callable[[State], State] = lambda state: state
    """The file's tensors, those that are used, by the network's names."""


def load_network(
    file: ModelFile,
    kind: NetworkKind,
    *,
    holding: AssetType,
    family_of: Callable[[Shapes], Family],
    device: torch.device,
) -> nn.Module:
    """The network that fits the file, filled with its tensors.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    from inference_container.models.modules import build_module  # brings accelerate, for which no start should wait

    with open_tensor_file(file, holding=holding) as tensors:
        found = family_of(tensors.shapes)
        if found is not kind.family:
            raise incompatible(file, f"it holds {found}, not {kind.family}")
        state = _plain(tensors, first=kind.first)
    width = length(state, kind.first)
    if not 0 < width <= kind.most:
        raise corrupt(
            file, f"it lacks {kind.first}, or its {width} channels are not 1 to {kind.most}, the published network's"
        )
    # On no device, so that a file's sizes cost no more memory than the file.
    network: nn.Module = build_module(file, str(kind.family), lambda: kind.build(width, state))
    try:
        missing, unexpected = network.load_state_dict(kind.renamed(state), strict=False, assign=True)
    except RuntimeError as error:
        raise incompatible(file, f"its sizes are inconsistent ({' '.join(str(error).split())[:300]})") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        words = f"it lacks {missing[0]}" if missing else f"it has {unexpected[0]}"
        raise corrupt(file, f"{words}, unlike {kind.family}")
    return network.requires_grad_(False).eval().to(device)


def length(state: State, name: str) -> int:
    """Of a tensor's first axis; 0 without one."""
    return state[name].shape[0] if name in state and state[name].ndim else 0


def _plain(tensors: TensorFile, *, first: str) -> dict[str, Any]:
    """All tensors in float32, without a wrapper before their names if the one called `first` has one."""
    state = {name: tensors.load(name, device=torch.device("cpu"), dtype=torch.float32) for name in tensors.shapes}
    return dict(next((one for one in without_prefixes(state) if first in one), state))
