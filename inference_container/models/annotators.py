"""Loads the networks of ControlNet's preprocessors."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.family_names import Family
from generate_on_cloud.model_files.preprocessor_files import preprocessor_family
from inference_container.models.edge_networks import EDGE_WIDTH, HED, PIXEL_WIDTH, AnimeLineDrawer, LineDrawer, PiDiNet
from inference_container.models.file_networks import FileNetwork, NetworkKind, load_network
from inference_container.models.files import ModelFile


class Annotator(FileNetwork):
    @torch.inference_mode()
    def __call__(self, picture: Tensor) -> list[Tensor]:
        """What the network says of one picture (h, w, 3), on the CPU without the first axis; its class says in what
        range the picture is."""
        answer = self.network(picture.permute(2, 0, 1)[None].to(self.device))
        answers = cast(list[Tensor], [answer] if isinstance(answer, Tensor) else answer)
        return [one[0].cpu() for one in answers]


KINDS: Mapping[Family, NetworkKind] = MappingProxyType(
    {
        kind.family: kind
        for kind in (
            NetworkKind(Family.HED, "block1.convs.0.weight", EDGE_WIDTH, lambda width, _: HED(width)),
            NetworkKind(Family.LINE_DRAWING, "model0.1.weight", EDGE_WIDTH, lambda width, _: LineDrawer(width)),
            NetworkKind(
                Family.ANIME_LINES, "model.model.0.weight", EDGE_WIDTH, lambda width, _: AnimeLineDrawer(width)
            ),
            NetworkKind(Family.PIDINET, "init_block.weight", PIXEL_WIDTH, lambda width, _: PiDiNet(width)),
        )
    }
)


def load_annotator(file: ModelFile, family: Family, *, device: torch.device) -> Annotator:
    """Load a preprocessor's network.

    Raises:
        JobFailed: asset_corrupt or asset_incompatible.
    """
    network = load_network(
        file, KINDS[family], holding=AssetType.PREPROCESSOR, family_of=preprocessor_family, device=device
    )
    return Annotator(file, network)
