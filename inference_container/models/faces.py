"""Loads the three networks that restore faces: one finds them, one restores them, one outlines them."""

import importlib.util

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.face_files import NONCOMMERCIAL, face_family
from generate_on_cloud.model_files.family_names import Family
from inference_container.models.face_boxes import found_faces
from inference_container.models.face_networks import DEFAULT_WIDTH, ParseNet, RetinaFace
from inference_container.models.file_networks import FileNetwork, NetworkKind, State, length, load_network
from inference_container.models.files import ModelFile
from inference_container.models.tensor_file import incompatible
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
CODEFORMER_LAYERS, CODEFORMER_PLACES, CODEFORMER_CODES = 9, 256, 1024
"""Of the published CodeFormer: layers of its transformer, places and codes of a face."""
CODEFORMER_SIDES = ("32", "64", "128", "256")
_LICENSED_CODE = "spandrel_extra_arches"
_STYLE = "stylegan_decoder.style_mlp.1.weight"
_OTHER_OUTPUT = "out_img_conv."
"""ParseNet's second output, a picture, which nobody uses."""


class FaceDetector(FileNetwork):
    @torch.inference_mode()
    def find(self, picture: Pixels) -> npt.NDArray[np.float32]:
        """Box, probability and five points (eyes, nose, mouth) of each face, (n, 15), in pixels, the surest first."""
        shown = torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1))[None].to(self.device)
        boxes, scores, points = self.network(shown - torch.tensor(MEANS, device=self.device)[None, :, None, None])
        return found_faces(boxes[0].cpu(), scores[0].cpu(), points[0].cpu(), size=picture.shape[:2])


class FaceGenerator(FileNetwork):
    @torch.inference_mode()
    def restore(self, face: Pixels) -> Pixels:
        """A face of SIDE×SIDE pixels, restored. The noise is the file's own, so the same picture comes each time."""
        given = _normalized(face).to(self.device)
        return _picture(self.network(given, return_rgb=False, randomize_noise=False)[0])


class CodeFormer(FileNetwork):
    @torch.inference_mode()
    def restore(self, face: Pixels, *, weight: float) -> Pixels:
        """A face of SIDE×SIDE pixels, restored; `weight`: 0 changes most, 1 is truest to `face`."""
        return _picture(self.network(_normalized(face).to(self.device), weight=weight, adain=True)[0])


class FaceParser(FileNetwork):
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


def _picture(answer: Tensor) -> Pixels:
    """The picture of what a restorer answers, (1, 3, h, w), red first, in −1..1."""
    numbers = (answer[0].float().cpu().clamp(-1, 1).numpy().transpose(1, 2, 0) + 1) / 2
    return np.ascontiguousarray((numbers[:, :, ::-1] * 255.0).astype(np.uint8))


def load_face_detector(file: ModelFile, *, device: torch.device) -> FaceDetector:
    """Load RetinaFace on ResNet-50, WebUI's `detection_Resnet50_Final.pth`.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    kind = NetworkKind(Family.FACE_DETECTOR, "body.conv1.weight", DEFAULT_WIDTH, lambda width, _: RetinaFace(width))
    return FaceDetector(file, _loaded(file, kind, device=device))


def load_face_parser(file: ModelFile, *, device: torch.device) -> FaceParser:
    """Load ParseNet, WebUI's `parsing_parsenet.pth`; raises as `load_face_detector`."""
    kind = NetworkKind(
        Family.FACE_PARSER, "encoder.0.conv2d.weight", DEFAULT_WIDTH, lambda width, _: ParseNet(width), _one_output
    )
    return FaceParser(file, _loaded(file, kind, device=device))


def load_face_generator(file: ModelFile, *, device: torch.device) -> FaceGenerator:
    """Load GFPGAN as spandrel defines it, WebUI's `GFPGANv1.4.pth`; raises as `load_face_detector`."""
    kind = NetworkKind(Family.GFPGAN, "conv_body_first.weight", GFPGAN_WIDTH, _gfpgan)
    return FaceGenerator(file, _loaded(file, kind, device=device))


def _one_output(state: State) -> State:
    return {name: tensor for name, tensor in state.items() if not name.startswith(_OTHER_OUTPUT)}


def load_codeformer(file: ModelFile, *, device: torch.device) -> CodeFormer:
    """Load CodeFormer, WebUI's `codeformer-v0.1.0.pth`, if its code is there; raises as `load_face_detector`."""
    if importlib.util.find_spec(_LICENSED_CODE) is None:
        raise incompatible(file, NONCOMMERCIAL)
    kind = NetworkKind(Family.CODEFORMER, "encoder.blocks.0.weight", DEFAULT_WIDTH, _codeformer)
    return CodeFormer(file, _loaded(file, kind, device=device))


def _gfpgan(width: int, state: State) -> nn.Module:
    with torchvision_names():
        from spandrel.architectures.GFPGAN import GFPGAN
    style = min(length(state, _STYLE) or MOST_STYLE, MOST_STYLE)
    network: nn.Module = GFPGAN(narrow=width / GFPGAN_WIDTH, num_style_feat=style)
    return network


def _codeformer(_: int, state: State) -> nn.Module:
    with torchvision_names():
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormer as Network
    places = state.get("position_emb", torch.empty(0, 0)).shape
    layers = {name.split(".")[1] for name in state if name.startswith("ft_layers.")}
    network: nn.Module = Network(
        dim_embd=min(places[-1], MOST_STYLE),
        latent_size=min(places[0], CODEFORMER_PLACES),
        codebook_size=min(length(state, "idx_pred_layer.1.weight"), CODEFORMER_CODES),
        n_layers=min(len(layers), CODEFORMER_LAYERS),
        connect_list=[side for side in CODEFORMER_SIDES if f"fuse_convs_dict.{side}.scale.0.weight" in state],
    )
    return network


def _loaded(file: ModelFile, kind: NetworkKind, *, device: torch.device) -> nn.Module:
    return load_network(file, kind, holding=AssetType.FACE_RESTORATION, family_of=face_family, device=device)
