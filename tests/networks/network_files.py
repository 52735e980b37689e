"""Writes network files as the tools of the field write them, and says what each does to a weight."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from inference_container.models.files import ModelFile

Parts = dict[str, Tensor]
RANK, ALPHA = 2, 1.0


def model_file(path: Path, asset_type: AssetType = AssetType.LORA) -> ModelFile:
    return ModelFile(asset_type, path.name, path, hashlib.sha256(path.read_bytes()).hexdigest())


def write_network(path: Path, layers: Mapping[str, Parts], *, metadata: dict[str, str] | None = None) -> ModelFile:
    """A safetensors file of `layers`, each by its whole name without the part."""
    state = {
        f"{layer}.{part}": tensor.contiguous() for layer, parts in layers.items() for part, tensor in parts.items()
    }
    save_file(state, path, metadata=metadata)
    return model_file(path)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.3


def linear_pair(width: int, *, seed: int, names: tuple[str, str] = ("linear.0", "linear.1")) -> dict[str, Tensor]:
    """The perceptron of WebUI's default structure, [1, 2, 1]."""
    shapes = {f"{names[0]}.weight": (2 * width, width), f"{names[0]}.bias": (2 * width,)}
    shapes |= {f"{names[1]}.weight": (width, 2 * width), f"{names[1]}.bias": (width,)}
    return {name: numbers(*shape, seed=seed + number) for number, (name, shape) in enumerate(shapes.items())}


def hypernetwork_file(
    path: Path, layers: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]], **entries: Any
) -> ModelFile:
    """As WebUI's `Hypernetwork.save` writes it."""
    document: dict[Any, Any] = dict(layers)
    torch.save({**document, "step": 100, "name": "trained as", "sd_checkpoint": None, **entries}, path)
    return model_file(path, AssetType.HYPERNETWORK)


def alpha(value: float = ALPHA) -> Tensor:
    return torch.tensor(value)


def as_matrix(weight: Tensor) -> Tensor:
    return weight.reshape(len(weight), -1)


def lora(shape: torch.Size, *, seed: int = 0, rank: int = RANK) -> Parts:
    """kohya's: the convolution's window lies in `lora_down`."""
    ones = [1] * (len(shape) - 2)
    return {
        "lora_down.weight": numbers(rank, *shape[1:], seed=seed),
        "lora_up.weight": numbers(shape[0], rank, *ones, seed=seed + 1),
        "alpha": alpha(),
    }


def lora_delta(parts: Parts) -> Tensor:
    return as_matrix(parts["lora_up.weight"]) @ as_matrix(parts["lora_down.weight"]) * (ALPHA / RANK)


@dataclass(frozen=True)
class Written:
    """What a file holds for a layer, and what the layer's weight then is by the closed formula."""

    parts: Parts
    expected: Callable[[Tensor], Tensor]


def _added(delta: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda weight: weight + delta.reshape(weight.shape)


def _lora(shape: torch.Size) -> Written:
    parts = lora(shape)
    return Written(parts, _added(lora_delta(parts)))


def _locon_with_mid(shape: torch.Size) -> Written:
    parts = {
        "lora_down.weight": numbers(RANK, shape[1], 1, 1),
        "lora_mid.weight": numbers(RANK, RANK, *shape[2:], seed=2),
        "lora_up.weight": numbers(shape[0], RANK, 1, 1, seed=1),
        "alpha": alpha(),
    }
    up, down = as_matrix(parts["lora_up.weight"]), as_matrix(parts["lora_down.weight"])
    windows = [
        (up @ parts["lora_mid.weight"][:, :, row, column] @ down)
        for row in range(shape[2])
        for column in range(shape[3])
    ]
    delta = torch.stack(windows, dim=-1).reshape(shape) * (ALPHA / RANK)
    return Written(parts, _added(delta))


def _loha(shape: torch.Size) -> Written:
    inputs = shape[1:].numel()
    parts = {
        "hada_w1_a": numbers(shape[0], RANK),
        "hada_w1_b": numbers(RANK, inputs, seed=1),
        "hada_w2_a": numbers(shape[0], RANK, seed=2),
        "hada_w2_b": numbers(RANK, inputs, seed=3),
        "alpha": alpha(),
    }
    first = parts["hada_w1_a"] @ parts["hada_w1_b"]
    return Written(parts, _added(first * (parts["hada_w2_a"] @ parts["hada_w2_b"]) * (ALPHA / RANK)))


def _loha_with_cores(shape: torch.Size) -> Written:
    parts = {"alpha": alpha()}
    product = torch.ones(shape)
    for number in (1, 2):
        core = numbers(RANK, RANK, *shape[2:], seed=number)
        outer, inner = numbers(RANK, shape[0], seed=number + 2), numbers(RANK, shape[1], seed=number + 4)
        parts |= {f"hada_t{number}": core, f"hada_w{number}_a": outer, f"hada_w{number}_b": inner}
        product = product * torch.tensordot(outer.T, torch.tensordot(inner.T, core, dims=([1], [1])), dims=([1], [1]))
    return Written(parts, _added(product * (ALPHA / RANK)))


def _lokr(shape: torch.Size) -> Written:
    """The second side factored, as LyCORIS does with small ranks."""
    inputs = shape[1:].numel()
    parts = {
        "lokr_w1": numbers(4, 2),
        "lokr_w2_a": numbers(shape[0] // 4, RANK, seed=1),
        "lokr_w2_b": numbers(RANK, inputs // 2, seed=2),
        "alpha": alpha(),
    }
    return Written(
        parts, _added(torch.kron(parts["lokr_w1"], parts["lokr_w2_a"] @ parts["lokr_w2_b"]) * (ALPHA / RANK))
    )


def _whole_lokr(shape: torch.Size) -> Written:
    """Both sides whole: `alpha` scales nothing."""
    parts = {"lokr_w1": numbers(4, 2), "lokr_w2": numbers(shape[0] // 4, shape[1] // 2, *shape[2:]), "alpha": alpha()}
    first = parts["lokr_w1"].reshape(4, 2, *[1] * (len(shape) - 2))
    return Written(parts, _added(torch.kron(first, parts["lokr_w2"])))


def _ia3_outputs(shape: torch.Size) -> Written:
    parts = {"weight": numbers(shape[0]), "on_input": torch.tensor(False)}
    return Written(parts, lambda weight: weight * (1 + parts["weight"].reshape(-1, *[1] * (len(shape) - 1))))


def _ia3_inputs(shape: torch.Size) -> Written:
    parts = {"weight": numbers(shape[1]), "on_input": torch.tensor(True)}
    return Written(parts, lambda weight: weight * (1 + parts["weight"].reshape(1, -1, *[1] * (len(shape) - 2))))


def _full(shape: torch.Size) -> Written:
    parts = {"diff": numbers(*shape)}
    return Written(parts, _added(parts["diff"]))


def _norm(shape: torch.Size) -> Written:
    parts = {"w_norm": numbers(*shape)}
    return Written(parts, _added(parts["w_norm"]))


def _glora(shape: torch.Size) -> Written:
    inputs = shape[1:].numel()
    parts = {
        "a1.weight": numbers(RANK, inputs),
        "a2.weight": numbers(inputs, RANK, seed=1),
        "b1.weight": numbers(RANK, inputs, seed=2),
        "b2.weight": numbers(shape[0], RANK, seed=3),
        "alpha": alpha(),
    }

    def expected(weight: Tensor) -> Tensor:
        flat = as_matrix(weight)
        changed = flat + parts["b2.weight"] @ parts["b1.weight"] + flat @ parts["a2.weight"] @ parts["a1.weight"]
        return changed.reshape(weight.shape)

    return Written(parts, expected)


def _rotation(block: Tensor) -> Tensor:
    skew, one = block - block.T, torch.eye(len(block))
    rotation: Tensor = (one + skew) @ torch.linalg.inv(one - skew)
    return rotation


def block_diagonal(*blocks: Tensor) -> Tensor:
    whole: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return whole


def _oft(shape: torch.Size) -> Written:
    """kohya's: generators, their norm bound by alpha · outputs, here far above it."""
    blocks = numbers(4, shape[0] // 4, shape[0] // 4)
    turn = block_diagonal(*(_rotation(block).T for block in blocks))
    return Written(
        {"oft_blocks": blocks, "alpha": alpha(1000.0)}, lambda weight: (turn @ as_matrix(weight)).reshape(shape)
    )


def _bounded_oft(shape: torch.Size) -> Written:
    blocks = numbers(4, shape[0] // 4, shape[0] // 4)
    bound = 0.001 * shape[0]
    skew = blocks - blocks.mT
    factor = (bound + 1e-8) / (skew.norm() + 1e-8)
    turn = block_diagonal(*(_rotation(block * factor).T for block in blocks))
    return Written(
        {"oft_blocks": blocks, "alpha": alpha(0.001)}, lambda weight: (turn @ as_matrix(weight)).reshape(shape)
    )


def _rescaled_oft(shape: torch.Size) -> Written:
    """LyCORIS' first: the matrices themselves."""
    diag, rescale = numbers(4, shape[0] // 4, shape[0] // 4), 1 + numbers(shape[0], 1)
    turn = rescale * block_diagonal(*diag.mT)
    return Written({"oft_diag": diag, "rescale": rescale}, lambda weight: (turn @ as_matrix(weight)).reshape(shape))


def _boft(shape: torch.Size) -> Written:
    """Two butterfly steps of blocks of 4; partners in a block lie 1·2 and then 2·2 outputs apart."""
    outputs, size = shape[0], 4
    blocks = numbers(2, outputs // size, size, size)
    turn = torch.eye(outputs)
    for step in range(2):
        stride = 2**step * (size // 2)
        order = torch.arange(outputs).reshape(-1, 2, stride).transpose(1, 2).reshape(-1)
        shuffle = torch.eye(outputs)[order]
        turn = shuffle.T @ block_diagonal(*map(_rotation, blocks[step])) @ shuffle @ turn
    return Written({"oft_blocks": blocks}, lambda weight: (turn @ as_matrix(weight)).reshape(shape))


def _dora(shape: torch.Size) -> Written:
    """LyCORIS' first: a length for each input."""
    parts = lora(shape)
    lengths = 1 + numbers(1, shape[1], *[1] * (len(shape) - 2), seed=5).abs()

    def expected(weight: Tensor) -> Tensor:
        moved = weight + lora_delta(parts).reshape(shape)
        norms = torch.stack([moved[:, column].norm() for column in range(shape[1])])
        return moved * lengths / norms.reshape(lengths.shape)

    return Written({**parts, "dora_scale": lengths}, expected)


def _dora_by_output(shape: torch.Size) -> Written:
    parts = lora(shape)
    lengths = 1 + numbers(shape[0], *[1] * (len(shape) - 1), seed=5).abs()

    def expected(weight: Tensor) -> Tensor:
        moved = weight + lora_delta(parts).reshape(shape)
        norms = torch.stack([row.norm() for row in moved])
        return moved * lengths / norms.reshape(lengths.shape)

    return Written({**parts, "dora_scale": lengths}, expected)


def _dora_of_peft(*axes: str) -> Callable[[torch.Size], Written]:
    """PEFT's: a length for each output, stored with axes of its choice."""

    def write(shape: torch.Size) -> Written:
        by_output = _dora_by_output(shape)
        stored = {"one": [-1], "column": [-1, 1], "row": [1, -1, *[1] * (len(shape) - 2)]}[axes[0]]
        lengths = by_output.parts["dora_scale"].reshape(stored)
        parts = {name: tensor for name, tensor in by_output.parts.items() if name != "dora_scale"}
        return Written({**parts, f"lora_magnitude_vector{axes[1]}": lengths}, by_output.expected)

    return write


KINDS: Mapping[str, Callable[[torch.Size], Written]] = {
    "LoRA": _lora,
    "LoHa": _loha,
    "LoKr, one side factored": _lokr,
    "LoKr, both sides whole": _whole_lokr,
    "IA3 on outputs": _ia3_outputs,
    "IA3 on inputs": _ia3_inputs,
    "full difference": _full,
    "GLoRA": _glora,
    "OFT": _oft,
    "OFT with a constraint": _bounded_oft,
    "OFT of matrices, rescaled": _rescaled_oft,
    "BOFT": _boft,
    "DoRA": _dora,
    "DoRA by output": _dora_by_output,
    "DoRA of PEFT's": _dora_of_peft("one", ""),
    "DoRA of PEFT's as a row": _dora_of_peft("row", ".weight"),
    "DoRA of PEFT's as a column": _dora_of_peft("column", ".default.weight"),
}
CONVOLUTION_KINDS: Mapping[str, Callable[[torch.Size], Written]] = {
    "LoCon with a core": _locon_with_mid,
    "LoHa with cores": _loha_with_cores,
}
NORM_KINDS: Mapping[str, Callable[[torch.Size], Written]] = {"norm": _norm}
