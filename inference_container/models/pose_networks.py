"""OpenPose's networks, by their files: of the body, and of hands and faces.

Written from the layers' published names, sizes and order. `tests/models/published/annotators.npz` holds what the
ControlNet extension makes of their answers.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

POSE_WIDTH = 64
"""Channels of the published networks' first layers."""
STAGES = 6
BODY_MAPS, LIMB_MAPS = 19, 38
"""Where each of 18 points of a body may be, and nothing; where each of 19 limbs may be, and in which direction."""
HAND_MAPS, FACE_MAPS = 22, 71
_POOLED = ("conv1_2", "conv2_2", "conv3_4")
"""The layers after which the picture is halved."""


class _Chains(nn.Module):
    """Layers by their published names, run in chains."""

    def add(self, name: str, inputs: int, outputs: int, kernel: int) -> None:
        self.add_module(name, nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2))

    def add_stage(self, stage: int, inputs: int, inner: int, outputs: int, end: str = "") -> None:
        for number, kernel in enumerate((7, 7, 7, 7, 7, 1, 1), 1):
            wide = inputs if number == 1 else inner
            self.add(f"Mconv{number}_stage{stage}{end}", wide, outputs if number == 7 else inner, kernel)

    def run(self, x: Tensor, names: Iterable[str], *, plain: str = "") -> Tensor:
        """Through these layers; all are rectified but the one called `plain`."""
        for name in names:
            x = self.get_submodule(name)(x)
            x = x if name == plain else relu(x)
            x = max_pool2d(x, 2, 2) if name in _POOLED else x
        return x

    def run_stage(self, x: Tensor, stage: int, end: str = "", *, rectified: bool = False) -> Tensor:
        names = [f"Mconv{number}_stage{stage}{end}" for number in range(1, 8)]
        return self.run(x, names, plain="" if rectified else names[-1])


def _trunk(width: int) -> list[tuple[str, int, int]]:
    """The layers that all of these networks begin with."""
    outputs = (width, width, *(2 * width,) * 2, *(4 * width,) * 4, *(8 * width,) * 2)
    names = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2")
    inputs = (3, *outputs[:-1])
    return [(f"conv{name}", one, two) for name, one, two in zip(names, inputs, outputs, strict=True)]


class BodyPose(_Chains):
    """Finds bodies in pictures (n, 3, h, w), BGR in −0.5..0.5; the maps are an eighth as large."""

    def __init__(self, width: int = POSE_WIDTH) -> None:
        super().__init__()
        ends = [("conv4_3_CPM", 8 * width, 4 * width), ("conv4_4_CPM", 4 * width, 2 * width)]
        self._seen = [*_trunk(width), *ends]
        for name, inputs, outputs in self._seen:
            self.add(name, inputs, outputs, 3)
        for end, maps in (("_L1", LIMB_MAPS), ("_L2", BODY_MAPS)):
            for number in range(1, 4):
                self.add(f"conv5_{number}_CPM{end}", 2 * width, 2 * width, 3)
            self.add(f"conv5_4_CPM{end}", 2 * width, 8 * width, 1)
            self.add(f"conv5_5_CPM{end}", 8 * width, maps, 1)
            for stage in range(2, STAGES + 1):
                self.add_stage(stage, 2 * width + LIMB_MAPS + BODY_MAPS, 2 * width, maps, end)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of the limbs (n, LIMB_MAPS, h, w) and of the points (n, BODY_MAPS, h, w)."""
        seen = self.run(x, (name for name, *_ in self._seen))
        limbs, points = (
            self.run(seen, [f"conv5_{number}_CPM{end}" for number in range(1, 6)], plain=f"conv5_5_CPM{end}")
            for end in ("_L1", "_L2")
        )
        for stage in range(2, STAGES + 1):
            x = torch.cat([limbs, points, seen], dim=1)
            limbs = self.run_stage(x, stage, "_L1")
            # As published, the last answer has nothing below 0.
            points = self.run_stage(x, stage, "_L2", rectified=stage == STAGES)
        return [limbs, points]


class PartPose(_Chains):
    """Finds the points of a hand or a face in a picture of it (n, 3, h, w), BGR in −0.5..0.5; the maps are an eighth
    as large."""

    def __init__(self, width: int = POSE_WIDTH, *, maps: int) -> None:
        super().__init__()
        more = [(f"conv{name}", 8 * width, 8 * width) for name in ("4_3", "4_4", "5_1", "5_2")]
        self._seen = [*_trunk(width), *more, ("conv5_3_CPM", 8 * width, 2 * width)]
        for name, inputs, outputs in self._seen:
            self.add(name, inputs, outputs, 3)
        self.add("conv6_1_CPM", 2 * width, 8 * width, 1)
        self.add("conv6_2_CPM", 8 * width, maps, 1)
        for stage in range(2, STAGES + 1):
            self.add_stage(stage, 2 * width + maps, 2 * width, maps)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.run(x, (name for name, *_ in self._seen))
        points = self.run(seen, ("conv6_1_CPM", "conv6_2_CPM"), plain="conv6_2_CPM")
        for stage in range(2, STAGES + 1):
            points = self.run_stage(torch.cat([points, seen], dim=1), stage)
        return points
