"""Colour fix and restoring change the UNet's noise as the ControlNet extension does."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inference_container.diffusion.steering import ColorFix, Restore, Steering, steered

FILE = Path(__file__).with_name("published") / "steering.npz"
ALPHAS = torch.from_numpy(np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)).float()
Arrays = Mapping[str, Tensor]


@pytest.fixture(scope="module")
def published() -> Iterator[Arrays]:
    with np.load(FILE) as arrays:
        yield {name: torch.from_numpy(array) for name, array in arrays.items()}


def steering(module: str, published: Arrays, weight: float) -> Steering:
    origin = published["origin"]
    if module == "inpaint_only":
        return Restore(origin, published["mask"], weight)
    return ColorFix(origin, 3, weight) if module == "tile_colorfix" else ColorFix(origin, 4, weight, 1.5)


@pytest.mark.parametrize("timestep", [981.3, 300.6, 20.0])
@pytest.mark.parametrize(
    ("module", "weight"), [("tile_colorfix", 1.0), ("tile_colorfix+sharp", 0.7), ("inpaint_only", 1.0)]
)
def test_noise_is_changed_as_by_the_extension(published: Arrays, module: str, weight: float, timestep: float) -> None:
    found = steered(
        published["noise"],
        published["x"],
        alpha=ALPHAS[round(timestep)],
        prompted=[True, False],
        steerings=[steering(module, published, weight)],
    )

    wanted = published[f"{module}_{weight}_{timestep}"]
    assert torch.allclose(found, wanted, atol=2e-4, rtol=1e-4)
    assert not torch.allclose(found, published["noise"], atol=0.01)


def test_without_weight_no_noise_changes(published: Arrays) -> None:
    wishes = [steering(module, published, 0.0) for module in ("inpaint_only", "tile_colorfix")]

    found = steered(published["noise"], published["x"], alpha=ALPHAS[500], prompted=[True, False], steerings=wishes)

    assert (found == published["noise"]).all()
