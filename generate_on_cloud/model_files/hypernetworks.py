"""What a hypernetwork's file must hold: pairs of small perceptrons, built as the file's other entries say."""

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from generate_on_cloud.model_files.pickle_calls import Tensor
from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError
from generate_on_cloud.model_files.uses import hypernetwork_widths

ACTIVATIONS = (
    "celu", "elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leakyrelu", "linear",
    "logsigmoid", "logsoftmax", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softmax",
    "softmax2d", "softmin", "softplus", "softshrink", "softsign", "swish", "tanh", "tanhshrink",
)  # fmt: skip
"""WebUI's names: its own, and every activation class of PyTorch in lower case."""
CHANGING_SHAPE = ("glu", "softmax2d")
"""Those after which no layer of a perceptron fits."""
LEARNED = "prelu"
"""The one that has a weight."""
OLD_NAMES = {"linear1.": "linear.0.", "linear2.": "linear.1."}
MAX_LAYERS = 100
MAX_MULTIPLE = 1000
"""Maximum width of a layer as a multiple of the attention's width."""
Step = Literal["linear", "activation", "normalisation", "nothing"]


class Structure(BaseModel):
    """How a file's perceptrons are built; the file's other entries only describe its training."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

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
            raise ValueError(f"allowed: {', '.join(ACTIVATIONS)}")
        return value

    def steps(self, width: int) -> Iterator[tuple[Step, int, int]]:
        """Each module with its inputs and outputs, in WebUI's order: linear, activation, normalisation, dropout.

        Dropout does nothing at inference, but the file counts it.
        """
        multiples, dropouts = self.layer_structure, self._dropouts()
        last = len(multiples) - 2
        for number in range(last + 1):
            size = int(width * multiples[number + 1])
            yield "linear", int(width * multiples[number]), size
            if self.activation_func not in (None, "linear") and (number < last or self.activate_output):
                yield "activation", size, size
            if self.is_layer_norm:
                yield "normalisation", size, size
            if number + 1 < len(dropouts) and dropouts[number + 1] > 0:
                yield "nothing", size, size

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        """The tensors of a perceptron, by the names that `current_name` gives."""
        shapes: dict[str, tuple[int, ...]] = {}
        for number, (step, inputs, outputs) in enumerate(self.steps(width)):
            if step == "linear":
                shapes |= {f"linear.{number}.weight": (outputs, inputs), f"linear.{number}.bias": (outputs,)}
            elif step == "normalisation":
                shapes |= {f"linear.{number}.weight": (outputs,), f"linear.{number}.bias": (outputs,)}
            elif step == "activation" and self.activation_func == LEARNED:
                shapes[f"linear.{number}.weight"] = (1,)
        return shapes

    def _dropouts(self) -> Sequence[float]:
        """The dropout of each width."""
        if self.dropout_structure is not None:
            return self.dropout_structure
        count = len(self.layer_structure)
        if not self.use_dropout:
            return [0.0] * count
        return [0.0, *[0.3] * (count - 3), 0.3 if self.last_layer_dropout else 0.0, 0.0][:count]


def read_structure(document: Mapping[Any, Any]) -> Structure:
    """How the perceptrons of a hypernetwork's document are built.

    Raises:
        RefusedFileError: an entry is not valid.
    """
    try:
        return Structure.model_validate({key: value for key, value in document.items() if isinstance(key, str)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        found = reprlib.repr(first["input"])
        raise RefusedFileError(f"its {first['loc'][0]} = {found} is not valid: {first['msg']}") from error


def check_hypernetwork(document: Mapping[Any, Any]) -> tuple[int, ...]:
    """The attention widths that the file has perceptrons for, each checked tensor by tensor.

    Raises:
        BrokenFileError: a width has no pair of perceptrons.
        RefusedFileError: there is no width, or a perceptron is not built as the file says.
    """
    widths = hypernetwork_widths(document)
    structure = read_structure(document)
    for width in widths:
        pair = document[width]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise BrokenFileError(f"for width {width} it has no pair of layers for keys and values")
        for state in pair:
            _check_perceptron(width, state, structure)
    return widths


def current_name(name: str) -> str:
    """The name of a perceptron's tensor, which files of the first months wrote otherwise."""
    for old, new in OLD_NAMES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


def _check_perceptron(width: int, state: object, structure: Structure) -> None:
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise BrokenFileError(f"for width {width} it has no tensors")
    if structure.activation_func in CHANGING_SHAPE and any(step == "activation" for step, *_ in structure.steps(width)):
        raise RefusedFileError(
            f"for width {width} its layers do not fit each other: {structure.activation_func} changes their shape"
        )
    found = {current_name(str(name)): tensor.shape for name, tensor in state.items()}
    wanted = structure.shapes(width)
    if found != wanted:
        name = min(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
        raise RefusedFileError(
            f"for width {width} it has {name[:100]} of shape {found.get(name)}; "
            f"its structure requires {wanted.get(name)}"
        )
