"""Hypernetworks bend keys and values of every attention by their formula, in a chain, and leave nothing behind."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import ModelFile
from inference_container.networks.hypernetwork import load_hypernetwork
from tests.networks.conftest import networks
from tests.networks.network_files import hypernetwork_file, linear_pair, model_file, numbers

CPU = torch.device("cpu")
CONTEXT, NARROW = 32, 16
"""Widths of the tiny model's words and wide levels, and of its first level."""
CROSS = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
SELF = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"


def bent(context: Tensor, state: dict[str, Tensor], weight: float) -> Tensor:
    first, second = list(state.values())[:2], list(state.values())[2:]
    hidden = context @ first[0].T + first[1]
    return context + weight * (hidden @ second[0].T + second[1])


@contextmanager
def projections_of(unet: Any, path: str) -> Iterator[dict[str, Tensor]]:
    """Queries, keys and values of an attention, filled in by a call of the model."""
    outputs: dict[str, Tensor] = {}
    attention = unet.get_submodule(path)
    handles = []
    for name in ("to_q", "to_k", "to_v"):
        layer = attention.get_submodule(name)

        def see(_module: object, _inputs: object, output: Tensor, name: str = name) -> None:
            outputs[name] = output

        handles.append(layer.register_forward_hook(see))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def called(unet: Any) -> Tensor:
    noise, words = numbers(1, 4, 8, 8, seed=1), numbers(1, 77, CONTEXT, seed=2)
    answer: Tensor = unet(noise, torch.tensor(500), encoder_hidden_states=words).sample
    return answer


WORDS = numbers(1, 77, CONTEXT, seed=2)


def test_words_are_bent_for_keys_and_for_values_and_not_for_queries(checkpoint: Checkpoint, tmp_path: Path) -> None:
    keys, values = linear_pair(CONTEXT, seed=10), linear_pair(CONTEXT, seed=20)
    file = hypernetwork_file(tmp_path / "style.pt", {CONTEXT: (keys, values)})
    unet = checkpoint.unet
    plain = called(unet)

    with networks(checkpoint, "<hypernet:style:0.5>", file), projections_of(unet, CROSS) as outputs:
        changed = called(unet)

    attention = unet.get_submodule(CROSS)
    torch.testing.assert_close(outputs["to_k"], bent(WORDS, keys, 0.5) @ attention.to_k.weight.T, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        outputs["to_v"], bent(WORDS, values, 0.5) @ attention.to_v.weight.T, rtol=1e-4, atol=1e-5
    )
    assert not torch.allclose(changed, plain, atol=1e-3)
    assert torch.equal(called(unet), plain)


def test_self_attention_is_bent_where_its_width_is_in_the_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    keys, values = linear_pair(NARROW, seed=10), linear_pair(NARROW, seed=20)
    file = hypernetwork_file(tmp_path / "style.pt", {NARROW: (keys, values)})
    unet = checkpoint.unet
    with projections_of(unet, SELF) as before:
        called(unet)

    with networks(checkpoint, "<hypernet:style>", file), projections_of(unet, SELF) as after:
        called(unet)

    attention = unet.get_submodule(SELF)
    # the hidden states, from the queries, which no hypernetwork touches
    assert torch.equal(after["to_q"], before["to_q"])
    hidden = torch.linalg.solve(attention.to_q.weight, before["to_q"].mT).mT
    torch.testing.assert_close(after["to_k"], bent(hidden, keys, 1.0) @ attention.to_k.weight.T, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(after["to_v"], bent(hidden, values, 1.0) @ attention.to_v.weight.T, rtol=1e-3, atol=1e-3)


def test_several_hypernetworks_act_one_after_the_other(checkpoint: Checkpoint, tmp_path: Path) -> None:
    first, second = linear_pair(CONTEXT, seed=10), linear_pair(CONTEXT, seed=20)
    files = [
        hypernetwork_file(tmp_path / f"{name}.pt", {CONTEXT: (net, net)}) for name, net in (("a", first), ("b", second))
    ]

    with (
        networks(checkpoint, "<hypernet:b:0.3><hypernet:a:2>", *files),
        projections_of(checkpoint.unet, CROSS) as outputs,
    ):
        called(checkpoint.unet)

    expected = bent(bent(WORDS, second, 0.3), first, 2.0) @ checkpoint.unet.get_submodule(CROSS).to_k.weight.T
    torch.testing.assert_close(outputs["to_k"], expected, rtol=1e-4, atol=1e-4)


def test_a_weight_of_nought_is_no_hypernetwork(checkpoint: Checkpoint, tmp_path: Path) -> None:
    net = linear_pair(CONTEXT, seed=10)
    file = hypernetwork_file(tmp_path / "style.pt", {CONTEXT: (net, net)})
    plain = called(checkpoint.unet)

    with networks(checkpoint, "<hypernet:style:0>", file):
        assert torch.equal(called(checkpoint.unet), plain)


def perceptron(file: ModelFile) -> torch.nn.Sequential:
    return load_hypernetwork(file, device=CPU).layers[4][0]


def state_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return {f"linear.{name}": tensor for name, tensor in module.state_dict().items()}


STRUCTURES: dict[str, tuple[dict[str, Any], list[torch.nn.Module]]] = {
    "the last layer is activated when the file does not say": (
        {"activation_func": "relu"},
        [torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4), torch.nn.ReLU()],
    ),
    "three layers, not activated at the end": (
        {"layer_structure": [1, 1.5, 2, 1], "activation_func": "leakyrelu", "activate_output": False},
        [
            torch.nn.Linear(4, 6),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(6, 8),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(8, 4),
        ],
    ),
    "layers are normalised, also the last": (
        {"is_layer_norm": True, "activation_func": "swish", "activate_output": False},
        [
            torch.nn.Linear(4, 8),
            torch.nn.Hardswish(),
            torch.nn.LayerNorm(8),
            torch.nn.Linear(8, 4),
            torch.nn.LayerNorm(4),
        ],
    ),
    "dropout does nothing but takes a number": (
        {"layer_structure": [1, 2, 2, 1], "use_dropout": True, "activation_func": "linear"},
        [torch.nn.Linear(4, 8), torch.nn.Dropout(0.3), torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)],
    ),
    "dropout where the file lists it": (
        {"dropout_structure": [0, 0.2, 0], "activation_func": "tanh", "activate_output": False},
        [torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 4)],
    ),
    "any activation of PyTorch by its name": (
        {"activation_func": "mish", "activate_output": False},
        [torch.nn.Linear(4, 8), torch.nn.Mish(), torch.nn.Linear(8, 4)],
    ),
}


@pytest.mark.parametrize("structure", STRUCTURES)
def test_perceptrons_are_built_as_webui_builds_them(tmp_path: Path, structure: str) -> None:
    entries, modules = STRUCTURES[structure]
    built = torch.nn.Sequential(*modules).eval()
    file = hypernetwork_file(tmp_path / "net.pt", {4: (state_of(built), state_of(built))}, **entries)

    loaded = perceptron(file)

    context = numbers(3, 4, seed=3)
    assert torch.equal(loaded(context), built(context))


def test_names_of_the_first_months_are_read(tmp_path: Path) -> None:
    old = linear_pair(4, seed=1, names=("linear1", "linear2"))
    file = hypernetwork_file(tmp_path / "old.pt", {4: (old, old)})

    assert torch.equal(state_of(perceptron(file))["linear.0.weight"], old["linear1.weight"])


PAIR = (linear_pair(4, seed=1), linear_pair(4, seed=2))


@pytest.mark.parametrize(
    ("document", "code", "reason"),
    [
        ({"layer_structure": [1, 2, 1]}, JobErrorCode.ASSET_INCOMPATIBLE, "it holds no hypernetwork"),
        ({4: PAIR, "layer_structure": [1, 3, 1]}, JobErrorCode.ASSET_INCOMPATIBLE, "its structure requires (12,)"),
        (
            {4: PAIR, "layer_structure": [2, 1]},
            JobErrorCode.ASSET_INCOMPATIBLE,
            "of which the first and the last are 1",
        ),
        ({4: PAIR, "layer_structure": [1, 1e30, 1]}, JobErrorCode.ASSET_INCOMPATIBLE, "above 0 and up to 1000"),
        ({4: PAIR, "activation_func": "magic"}, JobErrorCode.ASSET_INCOMPATIBLE, "activation_func = 'magic'"),
        ({4: PAIR, "activation_func": "glu"}, JobErrorCode.ASSET_INCOMPATIBLE, "do not fit each other"),
        ({4: (PAIR[0],)}, JobErrorCode.ASSET_CORRUPT, "no pair of layers for keys and values"),
        ({4: ([], {})}, JobErrorCode.ASSET_CORRUPT, "for width 4 it has no tensors"),
    ],
)
def test_what_is_no_hypernetwork_is_refused_with_the_reason(
    tmp_path: Path, document: dict[Any, Any], code: JobErrorCode, reason: str
) -> None:
    path = tmp_path / "odd.pt"
    torch.save(document, path)

    with pytest.raises(JobFailed) as failed:
        load_hypernetwork(model_file(path, AssetType.HYPERNETWORK), device=CPU)

    assert failed.value.error.code is code
    assert reason in failed.value.error.message


class Payload:
    """What a malicious pickle would do."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


def test_a_hypernetwork_with_code_in_it_is_refused_and_never_run(tmp_path: Path) -> None:
    file = hypernetwork_file(tmp_path / "evil.pt", {4: PAIR}, optional_info=Payload(tmp_path / "was-here"))

    with pytest.raises(JobFailed) as failed:
        load_hypernetwork(file, device=CPU)

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert not (tmp_path / "was-here").exists()
