"""The mathematics of each kind of network, by its name in the table of kinds."""

from collections.abc import Callable, Mapping

from generate_on_cloud.model_files.network_kinds import kind_of
from inference_container.networks import full, glora, ia3, loha, lokr, lora, norm, oft
from inference_container.networks.layer import AppliedLayer, Change

CHANGES: Mapping[str, Callable[[AppliedLayer], Change]] = {
    "LoRA": lora.change,
    "LoHa": loha.change,
    "IA3": ia3.change,
    "LoKr": lokr.change,
    "full": full.change,
    "norm": norm.change,
    "GLoRA": glora.change,
    "OFT": oft.change,
}


def change_of(layer: AppliedLayer) -> Change:
    """The change of weights that a layer's kind makes of its parts.

    Raises:
        TypeError: the layer is of no kind.
    """
    kind = kind_of(layer.parts.names)
    if kind is None:
        raise TypeError(f"received a layer of no kind, with {sorted(layer.parts.names)}")
    return CHANGES[kind.name](layer)
