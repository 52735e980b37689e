"""Random, narrow networks that find, restore and outline faces, as in WebUI's files, and what they look at."""

import numpy as np
import numpy.typing as npt
import torch

from inference_container.models.face_networks import PARTS, ParseNet, RetinaFace
from inference_container.models.upscaler import torchvision_names
from tests.filled_networks import State, filled

WIDTH = 8
"""An eighth of the published networks'."""
NARROW, STYLE = 1 / 16, 32
FACE = (-2.0, -2.0, 2.0, -2.0, 0.0, 0.5, -1.5, 2.5, 1.5, 2.5)
"""Eyes, nose and mouth around an anchor's centre, in tenths of its side."""


def tiny_detector() -> State:
    """Takes a few bright places for faces."""
    state = filled(RetinaFace(WIDTH), seed=11)
    for level in range(3):
        for head, scale in (("ClassHead", 5e-3), ("BboxHead", 5e-4), ("LandmarkHead", 3e-4)):
            state[f"{head}.{level}.conv1x1.weight"] *= scale
        state[f"BboxHead.{level}.conv1x1.bias"].zero_()
        state[f"LandmarkHead.{level}.conv1x1.bias"] = torch.tensor(FACE * 2)
        state[f"ClassHead.{level}.conv1x1.bias"] = torch.tensor([0.0, SURE[level]] * 2)
    return state


SURE = (-60.0, -60.0, -16.5)
"""How sure the detector is of a face at each level, besides what it sees."""


def tiny_parser() -> State:
    """With the second output that the file has and nobody uses."""
    state = filled(ParseNet(WIDTH), seed=12)
    state["out_img_conv.conv2d.weight"] = torch.zeros(3, WIDTH, 3, 3)
    state["out_img_conv.conv2d.bias"] = torch.zeros(3)
    assert state["out_mask_conv.conv2d.bias"].shape == (PARTS,)
    return state


def tiny_generator() -> State:
    with torchvision_names():
        from spandrel.architectures.GFPGAN import GFPGAN
    state = filled(GFPGAN(narrow=NARROW, num_style_feat=STYLE), seed=13)
    for name in state:
        if "to_rgb" in name and name.endswith("modulated_conv.weight"):
            state[name] *= 0.3
    return state


def picture_with_faces(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A smooth picture, RGB, with a bright disc on the left and a dark one on the right."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (17 + 5 * band) + band) * np.cos(y / (23 - 4 * band)) for band in range(3)]
    picture = 128 + 60 * np.stack(waves, axis=-1)
    for column, value in ((0.3, 245), (0.75, 15)):
        disc = (x - column * width) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 5) ** 2
        picture[disc] = value
    return picture.clip(0, 255).astype(np.uint8)
