"""What ControlNets add to a UNet's layers, and when (semantics §8.5)."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from inference_container.diffusion.control import SOFTENING, Control, ControlPlan, UnetInputs

LAYERS = 13


class Network:
    """Answers layer k with k+1 everywhere plus the mean of its map, at two sizes; counts its calls."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(in_channels=4)
        self.seen: list[Tensor] = []

    def __call__(
        self, x: Tensor, timesteps: Tensor, *, controlnet_cond: Tensor, **_: Any
    ) -> tuple[list[Tensor], Tensor]:
        self.seen.append(x)
        count, level = len(x), controlnet_cond.mean()
        answers = [torch.full((count, 2, 4, 4), layer + 1.0) + level for layer in range(LAYERS)]
        return answers[:-1], answers[-1]


def inputs(*prompted: bool, channels: int = 4) -> UnetInputs:
    count = len(prompted)
    return UnetInputs(torch.ones(count, channels, 8, 8), torch.ones(count), torch.ones(count, 77, 8), None, prompted)


def control(network: Network | None = None, **settings: Any) -> Control:
    return Control(network=network or Network(), hint=torch.full((1, 3, 64, 64), 0.5), **settings)


def answers(plan: ControlPlan, given: UnetInputs, call: int = 0) -> list[Tensor]:
    found = plan.residuals(call, given)
    return [*found["down_block_additional_residuals"], found["mid_block_additional_residual"]]


def test_every_layer_is_weighted_alike() -> None:
    found = answers(ControlPlan((control(weight=0.5),), 4), inputs(True, False))

    assert [float(one.mean()) for one in found] == [0.5 * (layer + 1.5) for layer in range(LAYERS)]
    assert all(one.shape[0] == 2 for one in found)


def test_the_answers_of_several_are_added() -> None:
    both = answers(ControlPlan((control(weight=0.5), control(weight=1.5)), 4), inputs(True))
    one = answers(ControlPlan((control(weight=2.0),), 4), inputs(True))

    assert all(torch.allclose(left, right, rtol=1e-6) for left, right in zip(both, one, strict=True))


def test_softened_layers_count_less_the_earlier_they_are() -> None:
    plain = answers(ControlPlan((control(weight=0.8),), 4), inputs(True))

    softened = answers(ControlPlan((control(weight=0.8, softened=True),), 4), inputs(True))

    for layer, (left, right) in enumerate(zip(softened, plain, strict=True)):
        assert torch.allclose(left, right * SOFTENING ** (12 - layer), rtol=1e-4)
    assert torch.equal(softened[-1], plain[-1])


def test_where_the_map_is_more_important_the_negative_prompt_is_left_alone() -> None:
    found = answers(ControlPlan((control(prompt_only=True),), 4), inputs(True, True, False))

    assert all((one[:2] != 0).all() and (one[2] == 0).all() for one in found)


def test_a_pooling_network_answers_with_means() -> None:
    found = answers(ControlPlan((control(pools=True),), 4), inputs(True, False))

    assert all(one.shape == (2, 2, 1, 1) and (one[1] == 0).all() for one in found)


def test_layers_may_have_weights_of_their_own() -> None:
    weights = tuple(layer / 10 for layer in range(LAYERS))

    found = answers(ControlPlan((control(layer_weights=weights, softened=True),), 4), inputs(True))

    assert [float(one.mean()) for one in found] == pytest.approx(
        [weight * (layer + 1.5) for layer, weight in enumerate(weights)]
    )
    with pytest.raises(ValueError, match="received 2 layer weights for 13 layers"):
        answers(ControlPlan((control(layer_weights=(1.0, 1.0)),), 4), inputs(True))


@pytest.mark.parametrize(
    ("start", "end", "per_step", "calls"),
    [
        (0.0, 1.0, 1, list(range(11))),
        (0.0, 0.0, 1, [0, 1]),
        (0.5, 1.0, 1, [6, 7, 8, 9, 10]),
        (0.2, 0.4, 1, [3, 4, 5]),
        (0.5, 1.0, 2, [11, 12, 13, 14, 15, 16, 17, 18, 19]),
    ],
)
def test_it_acts_at_the_steps_between_start_and_end(start: float, end: float, per_step: int, calls: list[int]) -> None:
    network = Network()
    plan = ControlPlan((control(network, start=start, end=end),), 10, calls_per_step=per_step)

    acted = [call for call in range(11 if per_step == 1 else 20) if plan.residuals(call, inputs(True))]

    assert acted == calls
    assert len(network.seen) == len(calls)


def test_without_weight_it_is_not_even_asked() -> None:
    network = Network()

    assert ControlPlan((control(network, weight=0.0),), 4).residuals(0, inputs(True)) == {}
    assert network.seen == []


def test_it_sees_the_latents_and_not_what_an_inpainting_model_sees_beside_them() -> None:
    network = Network()
    given = replace(inputs(True), x=torch.arange(9.0)[None, :, None, None].expand(1, 9, 8, 8))

    ControlPlan((control(network),), 4).residuals(0, given)

    assert network.seen[0][0, :, 0, 0].tolist() == [0, 1, 2, 3]
