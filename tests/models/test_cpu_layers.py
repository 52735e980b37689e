"""Linear layers on a CPU: the large ones use oneDNN, and nothing else about them changes."""

import copy

import pytest
import torch
from torch import nn

from inference_container.models.cpu_layers import OneDnnLinear, speed_up_on_cpu

CPU = torch.device("cpu")


def large(*, bias: bool = True) -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(320, 640, bias=bias)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(320,), (2, 320), (2, 77, 320), (1, 3, 5, 320)])
def test_a_large_layer_gives_the_same_numbers(shape: tuple[int, ...], bias: bool) -> None:
    plain, numbers = large(bias=bias), torch.randn(shape)
    fast = copy.deepcopy(plain)
    speed_up_on_cpu(fast, device=CPU)

    with torch.inference_mode():
        answer, expected = fast(numbers), plain(numbers)

    assert isinstance(fast, OneDnnLinear)
    assert answer.shape == expected.shape
    assert torch.allclose(answer, expected, atol=1e-5)


def test_a_view_of_other_numbers_and_changed_weights_are_read_as_they_are() -> None:
    fast, numbers = large(), torch.randn(320, 9).mT
    speed_up_on_cpu(fast, device=CPU)
    with torch.inference_mode():
        before = fast(numbers)
        fast.weight.mul_(2)
        fast.bias.mul_(2)

        assert torch.allclose(fast(numbers), 2 * before, atol=1e-5)


def test_only_large_layers_are_changed_and_none_for_a_gpu() -> None:
    model = nn.Sequential(large(), nn.Linear(4, 4), nn.Conv2d(3, 3, 1))
    speed_up_on_cpu(model, device=torch.device("cuda"))
    assert [type(layer) for layer in model] == [nn.Linear, nn.Linear, nn.Conv2d]

    speed_up_on_cpu(model, device=CPU)

    assert [type(layer) for layer in model] == [OneDnnLinear, nn.Linear, nn.Conv2d]


def test_other_precisions_and_gradients_are_left_to_pytorch() -> None:
    fast = large()
    speed_up_on_cpu(fast, device=CPU)

    fast(torch.randn(2, 320)).sum().backward()

    assert fast.weight.grad is not None
    with torch.inference_mode():
        assert fast.bfloat16()(torch.randn(2, 320, dtype=torch.bfloat16)).dtype is torch.bfloat16
