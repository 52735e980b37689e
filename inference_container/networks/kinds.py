"""The mathematics of each network kind, by its name in the table of kinds."""

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
    """Compute the weight change of a layer according to its kind.

    Raises:
        TypeError: the layer's parts match no kind.
    """
    kind = kind_of(layer.parts.names)
    if kind is None:
        raise TypeError(f"received a layer of unknown kind with the parts {sorted(layer.parts.names)}")
    return CHANGES[kind.name](layer)
