"""Maps for ControlNet that networks make: the preprocessors with weights, step by step as in the extension 1.1.455."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from inference_container.drawing.line_maps import drawn_lines
from inference_container.drawing.pose_maps import found_poses
from inference_container.models.annotators import Annotator, load_annotator
from inference_container.models.onnx_networks import OnnxNetwork
from inference_container.pictures.class_maps import colored, grown_for_classes
from inference_container.pictures.control_maps import INPAINT_FILLED, Bytes, as_map, padded, scaled_to
from inference_container.pictures.depth_maps import directions, grown_to_patches, near_and_far, normalized
from inference_container.pictures.edge_maps import Grey, averaged, in_bytes, scribbled, stepped
from inference_container.pictures.pose_drawing import drawn_poses
from inference_container.pictures.whole_bodies import as_square, cut_people, people_boxes, whole_body_poses
from inference_container.task import TaskInput

HOLE_SIDE = 256
"""What LaMa learned."""
ANIME_SIDE = 256
"""The drawer of anime lines halves its pictures eight times."""


@dataclass(frozen=True)
class NetworkMap:
    """A preprocessor with its networks loaded."""

    networks: tuple[Annotator | OnnxNetwork, ...]
    steps: "Steps"

    def __call__(self, picture: Bytes, *, resolution: int, threshold_a: float = 0, threshold_b: float = 0) -> Bytes:
        """The map of an RGB picture; `resolution` is its shorter side. With a hole, both have four channels."""
        if not self.steps.scaled:
            return np.asarray(self.steps.make(picture, self.networks, threshold_a, threshold_b))
        scaled = scaled_to(picture, resolution)
        made = self.steps.make(padded(scaled), self.networks, threshold_a, threshold_b)
        made = np.ascontiguousarray(made[: scaled.shape[0], : scaled.shape[1]])
        return as_map(made if self.steps.finish is None else self.steps.finish(made), like=scaled)


Networks = Sequence[Any]
"""Each an Annotator or an OnnxNetwork, as the preprocessor's files are."""


@dataclass(frozen=True)
class Steps:
    """How a preprocessor makes its map."""

    make: Callable[[Bytes, Networks, float, float], Grey | Bytes]
    """From a padded picture, the networks and the thresholds to a map of the same size."""
    finish: Callable[[Grey], Grey] | None = None
    """What happens to the map without its padding."""
    scaled: bool = True
    """Whether the picture is scaled to the unit's resolution."""


def request_network_map(job: TaskInput, module: str) -> NetworkMap | None:
    """The preprocessor made of the job's files; None for one without networks.

    Raises:
        JobFailed: asset_missing, asset_corrupt or asset_incompatible, if a file is not available or not usable.
    """
    if module not in MAPS:
        return None
    return NetworkMap(tuple(_loaded(job, file) for file in PREPROCESSORS[module].files), MAPS[module])


def _loaded(job: TaskInput, name: str) -> Annotator | OnnxNetwork:
    file = job.files.named(AssetType.PREPROCESSOR, name)
    return job.models.get(file, partial(load_annotator, name=name, device=job.models.device), kind=name)


def _filled(picture: Bytes, networks: Networks, *_: float) -> Bytes:
    """The picture (h, w, 4), filled where its fourth channel says so; the network sees it as small as it learned."""
    height, width, _channels = picture.shape
    small = scaled_to(picture, HOLE_SIDE)
    shown = _shown(padded(small)) / 255.0
    colors, hole = shown[:, :, :3], (shown[:, :, 3:] > 0.5).float()
    kept = colors * (1 - hole)
    (seen,) = networks[0](torch.cat([kept, hole], dim=2))
    made = in_bytes((seen.permute(1, 2, 0) * hole + kept).numpy())[: small.shape[0], : small.shape[1]]
    grown = np.asarray(cv2.resize(made, (width, height)), dtype=np.float32)
    part = picture[:, :, 3:].astype(np.float32) / np.float32(255.0)
    filled = grown * part + picture[:, :, :3].astype(np.float32) * (1 - part)
    return np.concatenate([filled.clip(0, 255).astype(np.uint8), picture[:, :, 3:]], axis=2)


def _depth(picture: Bytes, networks: Networks, *_: float) -> Grey:
    return near_and_far(networks[0](_shown(picture) / 127.5 - 1.0)[0].numpy())


def _normals(picture: Bytes, networks: Networks, level: float, _: float) -> Bytes:
    return directions(networks[0](_shown(picture) / 127.5 - 1.0)[0].numpy(), background=level)


def _classes(picture: Bytes, networks: Networks, *_: float) -> Bytes:
    height, width, _channels = picture.shape
    (likely,) = networks[0](torch.from_numpy(grown_for_classes(picture)))
    fitted = interpolate(likely[None], (height, width), mode="bilinear", align_corners=False)[0]
    return colored(fitted.argmax(0).numpy())


def _surfaces(picture: Bytes, networks: Networks, *_: float) -> Bytes:
    (faces,) = networks[0](torch.from_numpy(normalized(picture / 255.0)))
    return in_bytes(((faces.permute(1, 2, 0) + 1) * 0.5).numpy())


def _depth_anything(picture: Bytes, networks: Networks, *_: float) -> Grey:
    height, width, _channels = picture.shape
    (depth,) = networks[0](torch.from_numpy(normalized(grown_to_patches(picture[:, :, ::-1]))))
    fitted = interpolate(depth[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]
    return near_and_far(fitted.numpy(), from_least=True)


def _poses(picture: Bytes, networks: Networks, *_: float, hands: bool, faces: bool, bodies: bool = True) -> Bytes:
    height, width, _channels = picture.shape
    body, *parts = networks
    hand = parts[0] if hands else None
    poses = found_poses(picture, body=body, hand=hand, face=parts[-1] if faces else None)
    return drawn_poses(poses, width=width, height=height, bodies=bodies)


def _whole_bodies(picture: Bytes, networks: Networks, *_: float) -> Bytes:
    detector, whole_body = networks
    height, width, _channels = picture.shape
    side = detector.size[0]
    (seen,) = detector.answers(as_square(picture, side))
    boxes = people_boxes(seen[0], side, (width, height))
    if boxes is None:
        return drawn_poses([], width=width, height=height)
    cuts, middles, sizes = cut_people(picture, boxes, whole_body.size)
    answers = whole_body.answers(cuts)
    poses = whole_body_poses(answers, middles, sizes, whole_body.size, (width, height))
    return drawn_poses(poses, width=width, height=height)


def _straight_lines(picture: Bytes, networks: Networks, likely: float, long: float) -> Grey:
    height, width, _channels = picture.shape
    (answer,) = networks[0](_shown(np.dstack([picture, np.ones((height, width), np.uint8)])) / 127.5 - 1.0)
    return drawn_lines(answer, width=width, height=height, likely=likely, long=long)


def _hed(picture: Bytes, networks: Networks, *_: float, safe: bool = False) -> Grey:
    height, width, _channels = picture.shape
    edges = averaged([edge[0].numpy() for edge in networks[0](_shown(picture))], width=width, height=height)
    return in_bytes(stepped(edges) if safe else edges)


def _pidinet(picture: Bytes, networks: Networks, *_: float, safe: bool = False) -> Grey:
    (edges,) = networks[0](_shown(picture[:, :, ::-1]) / 255.0)
    numbers = edges[0].numpy()
    return in_bytes(stepped(numbers) if safe else numbers)


def _lines(picture: Bytes, networks: Networks, *_: float) -> Grey:
    (lines,) = networks[0](_shown(picture) / 255.0)
    return np.asarray(255 - in_bytes(lines[0].numpy()), dtype=np.uint8)


def _anime_lines(picture: Bytes, networks: Networks, *_: float) -> Grey:
    height, width, _channels = picture.shape
    size = ANIME_SIDE * -(-width // ANIME_SIDE), ANIME_SIDE * -(-height // ANIME_SIDE)
    grown = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    (lines,) = networks[0](_shown(grown) / 127.5 - 1.0)
    numbers = (lines[0] * 127.5 + 127.5).numpy()
    shrunk = np.asarray(cv2.resize(numbers, (width, height), interpolation=cv2.INTER_CUBIC))
    return np.asarray(255 - shrunk.clip(0, 255).astype(np.uint8), dtype=np.uint8)


def _shown(picture: Bytes) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).float()


MAPS: Mapping[str, Steps] = MappingProxyType(
    {
        INPAINT_FILLED: Steps(_filled, scaled=False),
        "openpose": Steps(partial(_poses, hands=False, faces=False)),
        "openpose_hand": Steps(partial(_poses, hands=True, faces=False)),
        "openpose_face": Steps(partial(_poses, hands=False, faces=True)),
        "openpose_faceonly": Steps(partial(_poses, hands=False, faces=True, bodies=False)),
        "openpose_full": Steps(partial(_poses, hands=True, faces=True)),
        "dw_openpose_full": Steps(_whole_bodies),
        "depth_midas": Steps(_depth),
        "depth_anything": Steps(_depth_anything),
        "depth_anything_v2": Steps(_depth_anything),
        "normal_midas": Steps(_normals),
        "seg_ufade20k": Steps(_classes),
        "normal_bae": Steps(_surfaces),
        "mlsd": Steps(_straight_lines),
        "softedge_hed": Steps(_hed),
        "softedge_hedsafe": Steps(partial(_hed, safe=True)),
        "scribble_hed": Steps(_hed, scribbled),
        "softedge_pidinet": Steps(_pidinet),
        "softedge_pidisafe": Steps(partial(_pidinet, safe=True)),
        "scribble_pidinet": Steps(_pidinet, scribbled),
        "lineart_realistic": Steps(_lines),
        "lineart_coarse": Steps(_lines),
        "lineart_anime": Steps(_anime_lines),
    }
)
