"""Norm: the file stores the differences of a normalisation layer's weight and bias."""

from inference_container.networks.layer import AppliedLayer, Change


def change(layer: AppliedLayer) -> Change:
    return Change(layer.get("w_norm"), bias=layer.get("b_norm"))
