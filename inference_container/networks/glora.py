"""GLoRA: ΔW = b2 · b1 + W · a2 · a1; WebUI does not scale it by alpha."""

from inference_container.networks.layer import AppliedLayer, Change, matrix

_SIDES = ("a1.weight", "a2.weight", "b1.weight", "b2.weight")


def change(layer: AppliedLayer) -> Change:
    a1, a2, b1, b2 = (matrix(layer[side]) for side in _SIDES)
    return Change(b2 @ b1 + matrix(layer.weight) @ a2 @ a1)
