"""Differences of a normalisation layer's weight and bias."""

from inference_container.networks.layer import AppliedLayer, Change, NetworkKind


def change(layer: AppliedLayer) -> Change:
    return Change(layer.get("w_norm"), bias=layer.get("b_norm"))


NORM = NetworkKind("normalisation difference", (frozenset({"w_norm"}), frozenset({"b_norm"})), change)
