"""Hypernetworks: small perceptrons that transform the inputs of every attention's keys and values (semantics §8.4)."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.hypernetworks import Structure, current_name, read_structure
from generate_on_cloud.model_files.uses import hypernetwork_widths
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import read_pickle


def _needs_no_arguments(kind: type) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    return all(one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)


ACTIVATIONS: Mapping[str, type[torch.nn.Module]] = {
    **{
        name.lower(): kind
        for name, kind in vars(torch.nn.modules.activation).items()
        if isinstance(kind, type) and kind.__module__ == "torch.nn.modules.activation" and _needs_no_arguments(kind)
    },
    "linear": torch.nn.Identity,
    "swish": torch.nn.Hardswish,
}
"""Activations by WebUI's names: its own, and every activation class of PyTorch in lower case."""


@dataclass(frozen=True)
class Hypernetwork:
    """A loaded hypernetwork, in float32."""

    file: ModelFile
    layers: Mapping[int, tuple[torch.nn.Sequential, torch.nn.Sequential]]
    """Pairs of perceptrons (for keys, for values) by the width of the attention's context."""

    @property
    def bytes(self) -> int:
        """Memory that its parameters take."""
        return sum(
            parameter.numel() * parameter.element_size()
            for pair in self.layers.values()
            for perceptron in pair
            for parameter in perceptron.parameters()
        )


def load_hypernetwork(file: ModelFile, *, device: torch.device) -> Hypernetwork:
    """Read a WebUI hypernetwork without running anything in the file.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible, if the file is not a hypernetwork or contradicts itself.
    """
    document = read_pickle(file, holding=AssetType.HYPERNETWORK)
    structure = read_structure(document)
    layers = {}
    for width in hypernetwork_widths(document):
        key, value = (_perceptron(width, state, structure).to(device) for state in document[width])
        layers[width] = (key, value)
    return Hypernetwork(file, layers)


class HypernetworkHooks:
    """Hypernetworks that act in a UNet until `remove`."""

    def __init__(self, unet: Any, chain: Sequence[tuple[Hypernetwork, float]]) -> None:
        """Install the hypernetworks of `chain` with their weights, in this order; those with weight 0 are left out."""
        acting = [(network, weight) for network, weight in chain if weight != 0]
        self._handles: list[RemovableHandle] = []
        for module in unet.modules() if acting else ():
            if hasattr(module, "to_k") and hasattr(module, "to_v"):
                for side, projection in enumerate((module.to_k, module.to_v)):
                    self._handles.append(projection.register_forward_pre_hook(_bending(acting, side)))

    def remove(self) -> None:
        """Restore the UNet."""
        while self._handles:
            self._handles.pop().remove()


def _bending(chain: Sequence[tuple[Hypernetwork, float]], side: int) -> Any:
    def bend(_module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        context = inputs[0]
        for network, weight in chain:
            pair = network.layers.get(context.shape[-1])
            if pair is not None:
                wide = context.float()
                context = (wide + weight * pair[side](wide)).to(context.dtype)
        return (context, *inputs[1:])

    return bend


def _perceptron(width: int, state: Mapping[str, Tensor], structure: Structure) -> torch.nn.Sequential:
    with torch.device("meta"):
        built = torch.nn.Sequential(*_modules(width, structure))
    values = {
        current_name(name).removeprefix("linear."): tensor.to(torch.float32, copy=True)
        for name, tensor in state.items()
    }
    built.load_state_dict(values, assign=True)
    return built.requires_grad_(False).eval()


def _modules(width: int, structure: Structure) -> Iterator[torch.nn.Module]:
    for step, inputs, outputs in structure.steps(width):
        if step == "linear":
            yield torch.nn.Linear(inputs, outputs)
        elif step == "activation":
            yield ACTIVATIONS[str(structure.activation_func)]()
        elif step == "normalisation":
            yield torch.nn.LayerNorm(outputs)
        else:
            yield torch.nn.Identity()
