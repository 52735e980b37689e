"""A random, narrow network that sees how surfaces are turned, as in the ControlNet extension's file."""

import torch

from tests.filled_networks import State, filled_shapes

STEM, HEAD = 8, 320
STAGES = ((2, 8, 3), (3, 8, 3), (3, 16, 5), (4, 24, 3), (4, 32, 5), (5, 48, 5), (2, 80, 3))
"""Blocks, channels and kernel of each stage of an EfficientNet a sixth as wide and half as deep as B5."""
GROWN = (64, 32, 16, 8)
COMMON = torch.tensor([0.6, -0.25, -0.5, 0.6])
Shape = tuple[int, ...]


def surface_normals() -> State:
    state = filled_shapes(shapes(), seed=51, gain=1.6)
    for name in state:
        if ".se.conv_expand.bias" in name:
            state[name] += 1
    # What the directions have in common goes, so that they differ from place to place.
    last = state["decoder.out_conv_res1.6.weight"]
    state["decoder.out_conv_res1.6.weight"] = last - last.mean(1, keepdim=True)
    state["decoder.out_conv_res1.6.bias"] -= COMMON
    return {f"module.{name}": tensor for name, tensor in state.items()}


def shapes() -> dict[str, Shape]:
    net = "encoder.original_model"
    found = {f"{net}.conv_stem.weight": (STEM, 3, 3, 3), **_norm(f"{net}.bn1", STEM)}
    inputs = STEM
    for stage, (count, outputs, kernel) in enumerate(STAGES):
        for number in range(count):
            found |= _block(f"{net}.blocks.{stage}.{number}", inputs, outputs, kernel, grows=stage > 0)
            inputs = outputs
    found |= {f"{net}.conv_head.weight": (HEAD, inputs, 1, 1), **_norm(f"{net}.bn2", HEAD)}
    return found | _decoder()


def _block(name: str, inputs: int, outputs: int, kernel: int, *, grows: bool) -> dict[str, Shape]:
    wide = 6 * inputs if grows else inputs
    seen = {f"{name}.conv_dw.weight": (wide, 1, kernel, kernel), **_norm(f"{name}.bn{1 + grows}", wide)}
    gate = max(1, inputs // 4)
    seen |= {f"{name}.se.conv_reduce.weight": (gate, wide, 1, 1), f"{name}.se.conv_reduce.bias": (gate,)}
    seen |= {f"{name}.se.conv_expand.weight": (wide, gate, 1, 1), f"{name}.se.conv_expand.bias": (wide,)}
    last = {f"{name}.conv_pw{'l' * grows}.weight": (outputs, wide, 1, 1), **_norm(f"{name}.bn{2 + grows}", outputs)}
    first = {f"{name}.conv_pw.weight": (wide, inputs, 1, 1), **_norm(f"{name}.bn1", wide)} if grows else {}
    return first | seen | last


def _decoder() -> dict[str, Shape]:
    found: dict[str, Shape] = {"decoder.conv2.weight": (HEAD, HEAD, 1, 1), "decoder.conv2.bias": (HEAD,)}
    inputs = HEAD
    for number, (outputs, stage) in enumerate(zip(GROWN, (4, 2, 1, 0), strict=True), 1):
        net = f"decoder.up{number}._net"
        for place, seen in ((0, inputs + STAGES[stage][1]), (3, outputs)):
            found |= {f"{net}.{place}.weight": (outputs, seen, 3, 3), f"{net}.{place}.bias": (outputs,)}
            found |= _norm(f"{net}.{place + 1}", outputs)
        inputs = outputs
    found |= {"decoder.out_conv_res8.weight": (4, GROWN[1], 3, 3), "decoder.out_conv_res8.bias": (4,)}
    for size, wide in ((4, GROWN[1]), (2, GROWN[2]), (1, GROWN[3])):
        for place, (seen, outputs) in enumerate(((wide + 4, 8), (8, 8), (8, 8), (8, 4))):
            name = f"decoder.out_conv_res{size}.{2 * place}"
            found |= {f"{name}.weight": (outputs, seen, 1), f"{name}.bias": (outputs,)}
    return found


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
