"""Loads the three networks that restore faces: one finds them, one restores them, one outlines them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.face_files import face_family
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.wrappings import without_prefixes
from inference_container.models.face_boxes import found_faces
from inference_container.models.face_networks import DEFAULT_WIDTH, ParseNet, RetinaFace
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import TensorFile, corrupt, incompatible, open_tensor_file
from inference_container.models.upscaler import torchvision_names

Pixels = npt.NDArray[np.uint8]
"""A picture as OpenCV has them: (height, width, 3), blue first."""
Numbers = npt.NDArray[np.float64]

SIDE = 512
"""Of the pictures of faces that the networks are made for."""
MEANS = (104.0, 117.0, 123.0)
_WITHOUT_SKIN = (0, 14, 16, 17, 18)
"""ParseNet's parts that stay as they are: background, hat, necklace, neck and clothes."""
GFPGAN_WIDTH, MOST_STYLE = 32, 512
"""Channels of the published GFPGAN's outermost layers, and numbers of its style."""
_STYLE = "stylegan_decoder.style_mlp.1.weight"
_OTHER_OUTPUT = "out_img_conv."
"""ParseNet's second output, a picture, which nobody uses."""


@dataclass(frozen=True)
class FaceNetwork:
    """One of the networks, in float32."""

    file: ModelFile
    network: nn.Module

    @property
    def bytes(self) -> int:
        """Memory that its parameters and buffers take."""
        held = (*self.network.parameters(), *self.network.buffers())
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def move_to(self, device: torch.device) -> None:
        """Move it to another device."""
        self.network.to(device)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


class FaceDetector(FaceNetwork):
    @torch.inference_mode()
    def find(self, picture: Pixels) -> npt.NDArray[np.float32]:
        """Box, probability and five points (eyes, nose, mouth) of each face, (n, 15), in pixels, the surest first."""
        shown = torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1))[None].to(self.device)
        boxes, scores, points = self.network(shown - torch.tensor(MEANS, device=self.device)[None, :, None, None])
        return found_faces(boxes[0].cpu(), scores[0].cpu(), points[0].cpu(), size=picture.shape[:2])


class FaceGenerator(FaceNetwork):
    @torch.inference_mode()
    def restore(self, face: Pixels) -> Pixels:
        """A face of SIDE×SIDE pixels, restored. The noise is the file's own, so the same picture comes each time."""
        given = _normalized(face).to(self.device)
        answer: Tensor = self.network(given, return_rgb=False, randomize_noise=False)[0]
        numbers = (answer[0].float().cpu().clamp(-1, 1).numpy().transpose(1, 2, 0) + 1) / 2
        return np.ascontiguousarray((numbers[:, :, ::-1] * 255.0).astype(np.uint8))


class FaceParser(FaceNetwork):
    @torch.inference_mode()
    def outline(self, face: Pixels) -> Numbers:
        """How much each pixel of a face belongs to it, (SIDE, SIDE) in 0..1, with soft edges."""
        parts = self.network(_normalized(face).to(self.device)).argmax(dim=1)[0].cpu().numpy()
        mask = np.where(np.isin(parts, _WITHOUT_SKIN), 0.0, 255.0)
        for _ in range(2):
            mask = cv2.GaussianBlur(mask, (101, 101), 11)
        edge = 10
        mask[:edge], mask[-edge:], mask[:, :edge], mask[:, -edge:] = 0, 0, 0, 0
        return mask / 255.0


def _normalized(face: Pixels) -> Tensor:
    """(1, 3, h, w), red first, in −1..1."""
    shown = (face.astype(np.float32) / np.float32(255))[:, :, ::-1].transpose(2, 0, 1)
    return (torch.from_numpy(np.ascontiguousarray(shown))[None] - 0.5) / 0.5


def load_face_detector(file: ModelFile, *, device: torch.device) -> FaceDetector:
    """Load RetinaFace on ResNet-50, WebUI's `detection_Resnet50_Final.pth`.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    kind = _Kind(Family.FACE_DETECTOR, "body.conv1.weight", DEFAULT_WIDTH, lambda width, _: RetinaFace(width))
    return FaceDetector(file, _loaded(file, kind, device=device))


def load_face_parser(file: ModelFile, *, device: torch.device) -> FaceParser:
    """Load ParseNet, WebUI's `parsing_parsenet.pth`; raises as `load_face_detector`."""
    kind = _Kind(Family.FACE_PARSER, "encoder.0.conv2d.weight", DEFAULT_WIDTH, lambda width, _: ParseNet(width))
    return FaceParser(file, _loaded(file, kind, device=device))


def load_face_generator(file: ModelFile, *, device: torch.device) -> FaceGenerator:
    """Load GFPGAN as spandrel defines it, WebUI's `GFPGANv1.4.pth`; raises as `load_face_detector`."""
    kind = _Kind(Family.GFPGAN, "conv_body_first.weight", GFPGAN_WIDTH, _gfpgan)
    return FaceGenerator(file, _loaded(file, kind, device=device))


@dataclass(frozen=True)
class _Kind:
    family: Family
    first: str
    """The tensor whose length is the network's width."""
    most: int
    """The published network's width."""
    build: Callable[[int, Mapping[str, Tensor]], nn.Module]


def _gfpgan(width: int, state: Mapping[str, Tensor]) -> nn.Module:
    with torchvision_names():
        from spandrel.architectures.GFPGAN import GFPGAN
    style = min(_length(state, _STYLE) or MOST_STYLE, MOST_STYLE)
    network: nn.Module = GFPGAN(narrow=width / GFPGAN_WIDTH, num_style_feat=style)
    return network


def _length(state: Mapping[str, Tensor], name: str) -> int:
    """Of a tensor's first axis; 0 without one."""
    return state[name].shape[0] if name in state and state[name].ndim else 0


def _loaded(file: ModelFile, kind: _Kind, *, device: torch.device) -> nn.Module:
    """The network that fits the file, filled with its tensors."""
    from inference_container.models.modules import build_module  # brings accelerate, for which no start should wait

    with open_tensor_file(file, holding=AssetType.FACE_RESTORATION) as tensors:
        found = face_family(tensors.shapes)
        if found is not kind.family:
            raise incompatible(file, f"it holds {found}, not {kind.family}")
        state = _plain(tensors, first=kind.first)
    width = _length(state, kind.first)
    if not 0 < width <= kind.most:
        raise corrupt(
            file, f"it lacks {kind.first}, or its {width} channels are not 1 to {kind.most}, the published network's"
        )
    # On no device first: what cannot be built is refused by name.
    build_module(file, str(kind.family), lambda: kind.build(width, state))
    network = kind.build(width, state)
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise incompatible(file, f"its sizes are inconsistent ({' '.join(str(error).split())[:300]})") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        words = f"it lacks {missing[0]}" if missing else f"it has {unexpected[0]}"
        raise corrupt(file, f"{words}, unlike {kind.family}")
    return network.requires_grad_(False).eval().to(device)


def _plain(tensors: TensorFile, *, first: str) -> dict[str, Any]:
    """All tensors in float32, without a wrapper before their names if the one called `first` has one."""
    state = {name: tensors.load(name, device=torch.device("cpu"), dtype=torch.float32) for name in tensors.shapes}
    bare = next((one for one in without_prefixes(state) if first in one), state)
    return {name: tensor for name, tensor in bare.items() if not name.startswith(_OTHER_OUTPUT)}
