"""All kinds of network that change weights: a row adds one."""

from inference_container.networks.full import FULL
from inference_container.networks.glora import GLORA
from inference_container.networks.ia3 import IA3
from inference_container.networks.layer import LayerParts, NetworkKind
from inference_container.networks.loha import LOHA
from inference_container.networks.lokr import LOKR
from inference_container.networks.lora import LORA
from inference_container.networks.norm import NORM
from inference_container.networks.oft import OFT

KINDS: tuple[NetworkKind, ...] = (LORA, LOHA, IA3, LOKR, FULL, NORM, GLORA, OFT)
"""In WebUI's order: the first that takes a layer's parts."""


def kind_of(parts: LayerParts) -> NetworkKind | None:
    """The kind of a layer, None when it is of none."""
    return next((kind for kind in KINDS if kind.takes(parts)), None)
