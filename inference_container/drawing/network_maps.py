"""Maps for ControlNet that networks make: the preprocessors with weights, step by step as in the extension 1.1.455."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np
import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.model_files.preprocessor_files import PREPROCESSOR_FILES
from inference_container.models.annotators import Annotator, load_annotator
from inference_container.pictures.control_maps import Bytes, as_map, padded, scaled_to
from inference_container.pictures.edge_maps import Grey, averaged, in_bytes, scribbled, stepped
from inference_container.task import TaskInput

ANIME_SIDE = 256
"""The drawer of anime lines halves its pictures eight times."""


@dataclass(frozen=True)
class NetworkMap:
    """A preprocessor with its networks loaded."""

    networks: tuple[Annotator, ...]
    make: Callable[..., Grey | Bytes]
    """Called with a padded picture and the networks; its map is of the same size."""
    finish: Callable[[Grey], Grey] | None = None
    """What happens to the map without its padding."""

    def __call__(self, picture: Bytes, *, resolution: int) -> Bytes:
        """The map of an RGB picture; `resolution` is its shorter side."""
        scaled = scaled_to(picture, resolution)
        made = self.make(padded(scaled), *self.networks)
        if self.finish is not None:
            made = self.finish(np.ascontiguousarray(made[: scaled.shape[0], : scaled.shape[1]]))
        return as_map(made, like=scaled)


def request_network_map(job: TaskInput, module: str) -> NetworkMap | None:
    """The preprocessor made of the job's files; None for one without networks.

    Raises:
        JobFailed: asset_missing, asset_corrupt or asset_incompatible, if a file is not available or not usable.
    """
    if module not in MAPS:
        return None
    make, finish = MAPS[module]
    return NetworkMap(tuple(_loaded(job, file) for file in PREPROCESSORS[module].files), make, finish)


def _loaded(job: TaskInput, name: str) -> Annotator:
    file, family = job.files.named(AssetType.PREPROCESSOR, name), PREPROCESSOR_FILES[name].family
    return job.models.get(file, partial(load_annotator, family=family, device=job.models.device), kind=str(family))


def _hed(picture: Bytes, network: Annotator, *, safe: bool = False) -> Grey:
    height, width, _ = picture.shape
    edges = averaged([edge[0].numpy() for edge in network(_shown(picture))], width=width, height=height)
    return in_bytes(stepped(edges) if safe else edges)


def _pidinet(picture: Bytes, network: Annotator, *, safe: bool = False) -> Grey:
    (edges,) = network(_shown(picture[:, :, ::-1]) / 255.0)
    numbers = edges[0].numpy()
    return in_bytes(stepped(numbers) if safe else numbers)


def _lines(picture: Bytes, network: Annotator) -> Grey:
    (lines,) = network(_shown(picture) / 255.0)
    return np.asarray(255 - in_bytes(lines[0].numpy()), dtype=np.uint8)


def _anime_lines(picture: Bytes, network: Annotator) -> Grey:
    height, width, _ = picture.shape
    size = ANIME_SIDE * -(-width // ANIME_SIDE), ANIME_SIDE * -(-height // ANIME_SIDE)
    grown = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    (lines,) = network(_shown(grown) / 127.5 - 1.0)
    numbers = (lines[0] * 127.5 + 127.5).numpy()
    shrunk = np.asarray(cv2.resize(numbers, (width, height), interpolation=cv2.INTER_CUBIC))
    return np.asarray(255 - shrunk.clip(0, 255).astype(np.uint8), dtype=np.uint8)


def _shown(picture: Bytes) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture)).float()


MAPS: Mapping[str, tuple[Callable[..., Grey | Bytes], Callable[[Grey], Grey] | None]] = MappingProxyType(
    {
        "softedge_hed": (_hed, None),
        "softedge_hedsafe": (partial(_hed, safe=True), None),
        "scribble_hed": (_hed, scribbled),
        "softedge_pidinet": (_pidinet, None),
        "softedge_pidisafe": (partial(_pidinet, safe=True), None),
        "scribble_pidinet": (_pidinet, scribbled),
        "lineart_realistic": (_lines, None),
        "lineart_coarse": (_lines, None),
        "lineart_anime": (_anime_lines, None),
    }
)
