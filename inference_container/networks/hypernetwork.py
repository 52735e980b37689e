"""Hypernetworks: small perceptrons that transform the inputs of every attention's keys and values (semantics §8.4)."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.uses import hypernetwork_widths
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import corrupt, incompatible, read_pickle


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
_OLD_NAMES = {"linear1.": "linear.0.", "linear2.": "linear.1."}
MAX_LAYERS = 100
MAX_MULTIPLE = 1000
"""Maximum width of a layer as a multiple of the attention's width."""


class Structure(BaseModel):
    """How a file's perceptrons are built; the file's other entries only describe its training."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    layer_structure: list[float] = Field(default=[1, 2, 1], min_length=2, max_length=MAX_LAYERS)
    """Widths of the layers as multiples of the attention's width."""
    activation_func: str | None = None
    is_layer_norm: bool = False
    activate_output: bool = True
    use_dropout: bool = False
    dropout_structure: list[float] | None = None
    last_layer_dropout: bool = False

    @field_validator("layer_structure")
    @classmethod
    def _ends_as_it_begins(cls, value: list[float]) -> list[float]:
        if value[0] != 1 or value[-1] != 1 or not all(0 < width <= MAX_MULTIPLE for width in value):
            raise ValueError(
                f"allowed: numbers above 0 and up to {MAX_MULTIPLE}, of which the first and the last are 1"
            )
        return value

    @field_validator("activation_func")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in ACTIVATIONS:
            raise ValueError(f"allowed: {', '.join(sorted(ACTIVATIONS))}")
        return value

    def dropouts(self) -> Sequence[float]:
        """The dropout of each width; where it is above 0, the file numbers a layer that does nothing at inference."""
        if self.dropout_structure is not None:
            return self.dropout_structure
        count = len(self.layer_structure)
        if not self.use_dropout:
            return [0.0] * count
        return [0.0, *[0.3] * (count - 3), 0.3 if self.last_layer_dropout else 0.0, 0.0][:count]


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
    widths = {width: document[width] for width in hypernetwork_widths(document)}
    try:
        structure = Structure.model_validate({key: value for key, value in document.items() if isinstance(key, str)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise incompatible(file, f"its {first['loc'][0]} = {first['input']!r} is not valid: {first['msg']}") from error
    layers = {}
    for width, pair in widths.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise corrupt(file, f"for width {width} it has no pair of layers for keys and values")
        key, value = (_perceptron(file, width, state, structure).to(device) for state in pair)
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


def _perceptron(file: ModelFile, width: int, state: object, structure: Structure) -> torch.nn.Sequential:
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise corrupt(file, f"for width {width} it has no tensors")
    tensors = {_current_name(str(name)): tensor for name, tensor in state.items()}
    try:
        with torch.device("meta"):
            built = _build(width, structure)
            built(torch.empty(1, width))
    except RuntimeError as error:
        raise incompatible(file, f"for width {width} its layers do not fit each other: {error}") from error
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = {f"linear.{name}": tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    if found != wanted:
        name = min(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise incompatible(
            file,
            f"for width {width} it has {name} of shape {found.get(name)}; its structure requires {wanted.get(name)}",
        )
    values = {name.removeprefix("linear."): tensor.to(torch.float32, copy=True) for name, tensor in tensors.items()}
    built.load_state_dict(values, assign=True)
    return built.requires_grad_(False).eval()


def _build(width: int, structure: Structure) -> torch.nn.Sequential:
    """Build a perceptron with WebUI's order in each layer: linear, activation, normalisation, dropout."""
    multiples, dropouts = structure.layer_structure, structure.dropouts()
    modules: list[torch.nn.Module] = []
    last = len(multiples) - 2
    for number in range(last + 1):
        size = int(width * multiples[number + 1])
        modules.append(torch.nn.Linear(int(width * multiples[number]), size))
        if structure.activation_func not in (None, "linear") and (number < last or structure.activate_output):
            modules.append(ACTIVATIONS[str(structure.activation_func)]())
        if structure.is_layer_norm:
            modules.append(torch.nn.LayerNorm(size))
        if number + 1 < len(dropouts) and dropouts[number + 1] > 0:
            modules.append(torch.nn.Identity())
    return torch.nn.Sequential(*modules)


def _current_name(name: str) -> str:
    for old, new in _OLD_NAMES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
