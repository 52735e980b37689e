"""Random networks of ControlNet's preprocessors, as in the extension's files, and what they look at."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from inference_container.models.edge_networks import HED, AnimeLineDrawer, LineDrawer, PiDiNet
from inference_container.models.line_networks import MLSD
from inference_container.models.pose_networks import FACE_MAPS, HAND_MAPS
from tests.filled_networks import State, filled
from tests.tiny_depth import depth_anything, midas
from tests.tiny_holes import hole_filler
from tests.tiny_normals import surface_normals
from tests.tiny_onnx import dwpose, yolox
from tests.tiny_poses import body, part
from tests.tiny_segments import segmenter

NARROW = 8
"""An eighth of the published networks' widths, where the extension's own code can be as narrow."""


def hed() -> State:
    """Whole: the extension's own is of one width."""
    state = filled(HED(), seed=21, gain=2.0)
    state["norm"] = torch.tensor([120.0, 115.0, 105.0]).reshape(1, 3, 1, 1)
    for name in state:
        if "projection" in name:
            state[name] *= 0.08
    return state


def lines(seed: int) -> State:
    return filled(LineDrawer(NARROW), seed=seed, gain=2.0)


def anime_lines() -> State:
    return filled(AnimeLineDrawer(NARROW), seed=24, gain=2.0)


def pidinet() -> State:
    state = filled(PiDiNet(NARROW), seed=25, gain=3.0)
    state["classifier.weight"] *= 0.0006
    return {f"module.{name}": tensor for name, tensor in state.items()}


def mlsd() -> State:
    """Whole, with a few hundred lines."""
    state = filled(MLSD(), seed=26, gain=2.0)
    state["block23.conv3.weight"] *= 3
    state["block23.conv3.bias"][7] -= 7
    return state


FILES: Mapping[str, Callable[[], State]] = {
    "dpt_hybrid-midas-501f0c75.pt": midas,
    "depth_anything_vitl14.pth": lambda: depth_anything(31),
    "depth_anything_v2_vitl.pth": lambda: depth_anything(32),
    "body_pose_model.pth": body,
    "hand_pose_model.pth": lambda: part(42, HAND_MAPS),
    "facenet.pth": lambda: part(43, FACE_MAPS),
    "mlsd_large_512_fp32.pth": mlsd,
    "ControlNetLama.pth": hole_filler,
    "upernet_global_small.pth": segmenter,
    "scannet.pt": surface_normals,
    "ControlNetHED.pth": hed,
    "sk_model.pth": lambda: lines(22),
    "sk_model2.pth": lambda: lines(23),
    "netG.pth": anime_lines,
    "table5_pidinet.pth": pidinet,
}

ONNX_FILES: Mapping[str, Callable[[], bytes]] = {"yolox_l.onnx": yolox, "dw-ll_ucoco_384.onnx": dwpose}


def write_file(name: str, path: Path) -> Path:
    """The file that the extension calls `name`."""
    if name in ONNX_FILES:
        path.write_bytes(ONNX_FILES[name]())
    else:
        torch.save(FILES[name](), path)
    return path


def picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A smooth picture, RGB, with a bright disc and a dark bar."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (9 + 4 * band) + band) * np.cos(y / (13 - 3 * band)) for band in range(3)]
    made = 128 + 60 * np.stack(waves, axis=-1)
    made[(x - 0.35 * width) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 4) ** 2] = (240, 200, 90)
    made[:, int(0.7 * width) : int(0.78 * width)] = (20, 30, 60)
    return made.clip(0, 255).astype(np.uint8)
