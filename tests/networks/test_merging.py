"""Every kind of network changes weights as its formula says, and leaves them as they were."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.model_files.network_kinds import KINDS as NETWORK_KINDS
from generate_on_cloud.model_files.network_kinds import kind_of
from generate_on_cloud.webui.prompt.extra_networks import NetworkPlan
from inference_container.models.checkpoint import Checkpoint
from tests.networks.conftest import networks, same_bits, weights_of
from tests.networks.network_files import (
    CONVOLUTION_KINDS,
    KINDS,
    NORM_KINDS,
    RANK,
    Written,
    alpha,
    as_matrix,
    lora,
    lora_delta,
    numbers,
    write_network,
)

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
CONVOLUTION = "up_blocks.1.resnets.0.conv1"
NORM = "conv_norm_out"
TEXT = "encoder.layers.1.self_attn.q_proj"


def kohya(path: str) -> str:
    return "lora_unet_" + path.replace(".", "_")


CASES = [
    *[pytest.param(write, LINEAR, id=f"{name}, linear") for name, write in KINDS.items()],
    *[
        pytest.param(write, CONVOLUTION, id=f"{name}, convolution")
        for name, write in {**KINDS, **CONVOLUTION_KINDS}.items()
    ],
    *[pytest.param(write, NORM, id=f"{name}, normalisation") for name, write in NORM_KINDS.items()],
]


def test_every_kind_of_network_has_a_case() -> None:
    shape = torch.Size((16, 8, 3, 3))
    parts = [write(shape).parts for write in {**KINDS, **CONVOLUTION_KINDS, **NORM_KINDS}.values()]

    assert {kind.name for each in parts if (kind := kind_of(each))} == {kind.name for kind in NETWORK_KINDS}


@pytest.mark.parametrize(("write", "path"), CASES)
def test_a_network_changes_a_layer_by_its_formula_and_leaves_no_trace(
    checkpoint: Checkpoint, tmp_path: Path, write: Callable[[torch.Size], Written], path: str
) -> None:
    weight = checkpoint.unet.get_parameter(f"{path}.weight")
    before, everything = weight.detach().clone(), weights_of(checkpoint)
    written = write(weight.shape)
    file = write_network(tmp_path / "net.safetensors", {kohya(path): written.parts})

    with networks(checkpoint, "<lora:net:0.7>", file):
        changed = weight.detach().clone()
        others = weights_of(checkpoint)

    change = written.expected(before) - before
    assert change.abs().max() > 1e-3
    torch.testing.assert_close(changed, before + 0.7 * change, rtol=1e-4, atol=1e-5)
    assert [name for name in others if not torch.equal(others[name], everything[name])] == [f"unet.{path}.weight"]
    assert same_bits(weights_of(checkpoint), everything)


def test_the_text_encoder_takes_the_first_weight_and_the_unet_the_second(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    text, unet = (
        checkpoint.text_encoder.get_parameter(f"{TEXT}.weight"),
        checkpoint.unet.get_parameter(f"{LINEAR}.weight"),
    )
    before_text, before_unet = text.detach().clone(), unet.detach().clone()
    for_text, for_unet = lora(text.shape), lora(unet.shape, seed=9)
    name = "lora_te_text_model_encoder_layers_1_self_attn_q_proj"
    file = write_network(tmp_path / "both.safetensors", {name: for_text, kohya(LINEAR): for_unet})

    for tag, te, weight in [
        ("<lora:both:0.5:-2>", 0.5, -2.0),
        ("<lyco:both:te=0:unet=1>", 0.0, 1.0),
        ("<lora:both>", 1.0, 1.0),
    ]:
        with networks(checkpoint, tag, file):
            torch.testing.assert_close(text, before_text + te * lora_delta(for_text), rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(unet, before_unet + weight * lora_delta(for_unet), rtol=1e-4, atol=1e-6)


def test_a_weight_of_nought_changes_no_bit(checkpoint: Checkpoint, tmp_path: Path) -> None:
    everything = weights_of(checkpoint)
    shape = checkpoint.unet.get_parameter(f"{LINEAR}.weight").shape
    file = write_network(tmp_path / "net.safetensors", {kohya(LINEAR): lora(shape)})

    with networks(checkpoint, "<lora:net:0>", file):
        assert same_bits(weights_of(checkpoint), everything)


def test_two_networks_add_up_and_so_do_two_tags_of_one(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{LINEAR}.weight")
    before = weight.detach().clone()
    first, second = lora(weight.shape), lora(weight.shape, seed=4)
    files = [
        write_network(tmp_path / f"{name}.safetensors", {kohya(LINEAR): parts})
        for name, parts in (("one", first), ("two", second))
    ]

    with networks(checkpoint, "<lora:one:0.5><lora:two:0.25><lora:one:1>", *files):
        expected = before + 1.5 * lora_delta(first) + 0.25 * lora_delta(second)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_dyn_cuts_ranks_off_and_keeps_the_scale(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{LINEAR}.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    file = write_network(tmp_path / "net.safetensors", {kohya(LINEAR): parts})

    with networks(checkpoint, "<lora:net:1:1:1>", file):
        cut = parts["lora_up.weight"][:, :1] @ parts["lora_down.weight"][:1] / RANK
        torch.testing.assert_close(weight.detach(), before + cut, rtol=1e-4, atol=1e-6)


def test_an_explicit_scale_wins_over_alpha(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{LINEAR}.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    file = write_network(tmp_path / "net.safetensors", {kohya(LINEAR): {**parts, "scale": alpha(0.25)}})

    with networks(checkpoint, "<lora:net>", file):
        expected = before + parts["lora_up.weight"] @ parts["lora_down.weight"] * 0.25
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("weight_part", "bias_part"), [("diff", "diff_b"), ("w_norm", "b_norm")])
def test_differences_of_weight_and_bias_are_added(
    checkpoint: Checkpoint, tmp_path: Path, weight_part: str, bias_part: str
) -> None:
    norm = checkpoint.unet.get_submodule("conv_norm_out")
    before, everything = {name: tensor.clone() for name, tensor in norm.state_dict().items()}, weights_of(checkpoint)
    parts = {weight_part: numbers(len(norm.weight)), bias_part: numbers(len(norm.weight), seed=1)}
    file = write_network(tmp_path / "norm.safetensors", {"lora_unet_conv_norm_out": parts})

    with networks(checkpoint, "<lora:norm:0.5>", file):
        torch.testing.assert_close(norm.weight.detach(), before["weight"] + 0.5 * parts[weight_part])
        torch.testing.assert_close(norm.bias.detach(), before["bias"] + 0.5 * parts[bias_part])
    assert same_bits(weights_of(checkpoint), everything)


def test_a_bias_for_a_layer_without_one_comes_and_goes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    layer = checkpoint.unet.get_submodule(LINEAR)
    parts = {"diff_b": numbers(len(layer.weight))}
    file = write_network(tmp_path / "bias.safetensors", {kohya(LINEAR): parts})

    with networks(checkpoint, "<lora:bias:2>", file):
        torch.testing.assert_close(layer.bias.detach(), 2 * parts["diff_b"])
    assert layer.bias is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_are_computed_in_float32_and_restored(
    checkpoint: Checkpoint, tmp_path: Path, dtype: torch.dtype
) -> None:
    layer = checkpoint.unet.get_submodule(CONVOLUTION)
    kept = layer.weight.data
    layer.weight.data = kept.to(dtype)
    try:
        before = layer.weight.detach().clone()
        parts = {name: tensor.to(torch.float16) for name, tensor in lora(before.shape).items()}
        file = write_network(tmp_path / "half.safetensors", {kohya(CONVOLUTION): parts})

        with networks(checkpoint, "<lora:half:0.3><lora:half:0.4>", file):
            wide = {name: tensor.float() for name, tensor in parts.items()}
            delta = 0.7 * lora_delta(wide).reshape(before.shape)
            torch.testing.assert_close(
                layer.weight.float(), (before.float() + delta).to(dtype).float(), rtol=1e-2, atol=0
            )
            exact = (layer.weight == (before.float() + delta).to(dtype)).float().mean()
            assert exact > 0.99
        assert torch.equal(layer.weight, before)
    finally:
        layer.weight.data = kept


MISFIT = (
    f"its layer {kohya(LINEAR)} has lora_down.weight [2, 768], lora_up.weight [16, 2]; the model's weight has [16, 32]"
)


def test_a_network_of_which_no_layer_fits_is_refused_and_nothing_stays_changed(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    everything = weights_of(checkpoint)
    file = write_network(tmp_path / "large.safetensors", {kohya(LINEAR): lora(torch.Size((16, 768)))})

    with pytest.raises(JobFailed) as failed, networks(checkpoint, "<lora:large>", file):
        pass

    assert failed.value.error.code is JobErrorCode.ASSET_INCOMPATIBLE
    assert failed.value.error.message == (
        "large.safetensors cannot be used: it is made for Stable Diffusion 1.x, the checkpoint tiny.safetensors is "
        f"Stable Diffusion 1.x ({MISFIT})"
    )
    assert same_bits(weights_of(checkpoint), everything)


@pytest.mark.parametrize(
    ("strange", "reason"),
    [
        (kohya(LINEAR), MISFIT),
        ("lora_unet_down_blocks_7_x", "which lacks 1 of its layers, such as lora_unet_down_blocks_7_x"),
    ],
)
def test_a_layer_that_does_not_fit_is_left_out_with_a_warning(
    checkpoint: Checkpoint, tmp_path: Path, strange: str, reason: str
) -> None:
    weight = checkpoint.unet.get_parameter(f"{CONVOLUTION}.weight")
    before, everything, parts = weight.detach().clone(), weights_of(checkpoint), lora(weight.shape)
    layers = {strange: lora(torch.Size((16, 768))), kohya(CONVOLUTION): parts}
    file = write_network(tmp_path / "odd.safetensors", layers)

    with networks(checkpoint, "<lora:odd>", file) as switch:
        expected = before + lora_delta(parts).reshape(before.shape)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-6)
        warnings = switch.warnings
    with networks(checkpoint, "<lora:odd:0>", file) as silent:
        pass

    assert warnings == (f"1 of 2 layers of odd.safetensors do not fit tiny.safetensors and were left out ({reason})",)
    assert len(silent.warnings) == (0 if strange == kohya(LINEAR) else 1)
    assert same_bits(weights_of(checkpoint), everything)


def test_a_network_for_another_architecture_is_refused_even_if_some_of_its_layers_fit(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    fitting = lora(checkpoint.unet.get_parameter(f"{CONVOLUTION}.weight").shape)
    layers = {kohya(CONVOLUTION): fitting, "lora_te2_text_model_encoder_layers_0_mlp_fc1": lora(torch.Size((8, 8)))}
    file = write_network(tmp_path / "other.safetensors", layers)

    with (
        pytest.raises(JobFailed, match="it is made for Stable Diffusion XL"),
        networks(checkpoint, "<lora:other>", file),
    ):
        pass


@pytest.mark.parametrize(
    ("parts", "layer"),
    [
        ({"lora_up.weight": numbers(2**16, 1), "lora_down.weight": numbers(1, 2**16)}, LINEAR),
        ({"lokr_w1": numbers(2**12, 1), "lokr_w2": numbers(1, 2**12)}, LINEAR),
        ({"lora_up.weight": numbers(16, 3), "lora_down.weight": numbers(2, 32)}, LINEAR),
        ({"lora_up.weight": numbers(32, 2), "lora_down.weight": numbers(2, 16)}, LINEAR),
        ({"oft_blocks": numbers(5, 3, 3)}, LINEAR),
        ({**lora(torch.Size((16, 32))), "dora_scale": numbers(1, 7)}, LINEAR),
        ({"diff_b": numbers(3)}, LINEAR),
        ({"diff": torch.tensor(1.0)}, LINEAR),
    ],
)
def test_shapes_that_ask_for_too_much_memory_or_fit_nothing_are_refused_before_they_are_computed(
    checkpoint: Checkpoint, tmp_path: Path, parts: dict[str, torch.Tensor], layer: str
) -> None:
    file = write_network(tmp_path / "evil.safetensors", {kohya(layer): parts})

    with (
        pytest.raises(JobFailed, match=r"evil\.safetensors cannot be used: .*the model's weight has \[16, 32\]"),
        networks(checkpoint, "<lora:evil>", file),
    ):
        pass


def test_networks_change_between_passes_and_only_then(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weight = checkpoint.unet.get_parameter(f"{LINEAR}.weight")
    before, parts = weight.detach().clone(), lora(weight.shape)
    file = write_network(tmp_path / "net.safetensors", {kohya(LINEAR): parts})

    with networks(checkpoint, "<lora:net:1>", file) as switch:
        merged = weight.detach().clone()
        switch.use(NetworkPlan())
        assert torch.equal(weight, before)
        assert not torch.equal(merged, before)


def test_an_inpainting_model_takes_a_network_for_four_channels(tmp_path: Path, checkpoint: Checkpoint) -> None:
    layer = checkpoint.unet.get_submodule("conv_in")
    kept = layer.weight.data
    layer.weight.data = numbers(kept.shape[0], 9, 3, 3, seed=6)
    try:
        before, parts = layer.weight.detach().clone(), lora(kept.shape)
        file = write_network(tmp_path / "net.safetensors", {"lora_unet_conv_in": parts})

        with networks(checkpoint, "<lora:net>", file):
            assert torch.equal(layer.weight[:, 4:], before[:, 4:])
            expected = before[:, :4] + lora_delta(parts).reshape(kept.shape)
            torch.testing.assert_close(layer.weight[:, :4].detach(), expected, rtol=1e-4, atol=1e-6)
        assert torch.equal(layer.weight, before)
    finally:
        layer.weight.data = kept
    assert as_matrix(before).shape[1] == 81
