"""IA3: ΔW is the weight itself, with each input or each output scaled by its own factor."""

from inference_container.networks.layer import AppliedLayer, Change


def change(layer: AppliedLayer) -> Change:
    shape = (1, -1) if layer.numbers["on_input"] else (-1, 1)
    factors = layer["weight"].reshape(*shape, *[1] * (layer.weight.ndim - 2))
    return Change(layer.weight * factors)
