"""Full difference: the file stores ΔW itself, for weight and bias."""

from inference_container.networks.layer import AppliedLayer, Change


def change(layer: AppliedLayer) -> Change:
    return Change(layer.get("diff"), bias=layer.get("diff_b"))
