"""Loads the networks of ControlNet's preprocessors."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.preprocessor_files import preprocessor_family
from inference_container.models.depth_networks import (
    DINO_FIRST,
    DINO_MOST,
    MIDAS_FIRST,
    MIDAS_MOST,
    depth_anything,
    depth_anything_names,
    midas,
    midas_names,
)
from inference_container.models.edge_networks import EDGE_WIDTH, HED, PIXEL_WIDTH, AnimeLineDrawer, LineDrawer, PiDiNet
from inference_container.models.file_networks import FileNetwork, NetworkKind, load_network
from inference_container.models.files import ModelFile
from inference_container.models.hole_networks import FIRST, WIDTH, hole_filler, hole_filler_names
from inference_container.models.line_networks import LINE_WIDTH, MLSD
from inference_container.models.normal_networks import NORMALS_FIRST, STEM_WIDTH, surface_normals
from inference_container.models.onnx_networks import OnnxNetwork, load_onnx_network
from inference_container.models.pose_networks import FACE_MAPS, HAND_MAPS, POSE_WIDTH, BodyPose, PartPose
from inference_container.models.segment_networks import SEGMENTER_FIRST, SEGMENTER_WIDTH, segmenter, segmenter_names


class Annotator(FileNetwork):
    @torch.inference_mode()
    def __call__(self, picture: Tensor) -> list[Tensor]:
        """What the network says of one picture (h, w, 3), on the CPU without the first axis; its class says in what
        range the picture is."""
        answer = self.network(picture.permute(2, 0, 1)[None].to(self.device))
        answers = cast(list[Tensor], [answer] if isinstance(answer, Tensor) else answer)
        return [one[0].cpu() for one in answers]


POSE_FIRST = "conv1_1.weight"
_LINE_DRAWER = NetworkKind(Family.LINE_DRAWING, "model0.1.weight", EDGE_WIDTH, lambda width, _: LineDrawer(width))
KINDS: Mapping[str, NetworkKind] = MappingProxyType(
    {
        "dpt_hybrid-midas-501f0c75.pt": NetworkKind(Family.MIDAS, MIDAS_FIRST, MIDAS_MOST, midas, midas_names),
        **{
            name: NetworkKind(
                Family.DEPTH_ANYTHING,
                DINO_FIRST,
                DINO_MOST,
                partial(depth_anything, second=second),
                depth_anything_names,
            )
            for name, second in (("depth_anything_vitl14.pth", False), ("depth_anything_v2_vitl.pth", True))
        },
        "ControlNetLama.pth": NetworkKind(Family.HOLE_FILLER, FIRST, WIDTH, hole_filler, hole_filler_names),
        "upernet_global_small.pth": NetworkKind(
            Family.SEGMENTER, SEGMENTER_FIRST, SEGMENTER_WIDTH, segmenter, segmenter_names
        ),
        "scannet.pt": NetworkKind(Family.SURFACE_NORMALS, NORMALS_FIRST, STEM_WIDTH, surface_normals),
        "ControlNetHED.pth": NetworkKind(Family.HED, "block1.convs.0.weight", EDGE_WIDTH, lambda width, _: HED(width)),
        "sk_model.pth": _LINE_DRAWER,
        "sk_model2.pth": _LINE_DRAWER,
        "netG.pth": NetworkKind(
            Family.ANIME_LINES, "model.model.0.weight", EDGE_WIDTH, lambda width, _: AnimeLineDrawer(width)
        ),
        "mlsd_large_512_fp32.pth": NetworkKind(
            Family.MLSD, "backbone.features.0.0.weight", LINE_WIDTH, lambda width, _: MLSD(width)
        ),
        "body_pose_model.pth": NetworkKind(Family.BODY_POSE, POSE_FIRST, POSE_WIDTH, lambda width, _: BodyPose(width)),
        "hand_pose_model.pth": NetworkKind(
            Family.HAND_POSE, POSE_FIRST, POSE_WIDTH, lambda width, _: PartPose(width, maps=HAND_MAPS)
        ),
        "facenet.pth": NetworkKind(
            Family.FACE_POSE, POSE_FIRST, POSE_WIDTH, lambda width, _: PartPose(width, maps=FACE_MAPS)
        ),
        "table5_pidinet.pth": NetworkKind(
            Family.PIDINET, "init_block.weight", PIXEL_WIDTH, lambda width, _: PiDiNet(width)
        ),
    }
)
"""By the extension's names of the files."""


ONNX: Mapping[str, Family] = MappingProxyType(
    {"yolox_l.onnx": Family.PERSON_DETECTOR, "dw-ll_ucoco_384.onnx": Family.WHOLE_BODY}
)
"""Networks that run in a separate process, by the extension's names of the files."""


def load_annotator(file: ModelFile, name: str, *, device: torch.device) -> Annotator | OnnxNetwork:
    """Load a preprocessor's network from a file that is used as the one that the extension calls `name`.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    if name in ONNX:
        return load_onnx_network(file, ONNX[name])
    network = load_network(
        file, KINDS[name], holding=AssetType.PREPROCESSOR, family_of=preprocessor_family, device=device
    )
    return Annotator(file, network)
