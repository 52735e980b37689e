"""Random, narrow networks of depth, as in the files that the ControlNet extension downloads."""

from collections.abc import Iterator

import torch
from torch import Tensor

Shape = tuple[int, ...]
WIDTH, FUSED, HEAD = 128, 16, 32
"""Channels of the transformers, and of what joins and ends them; the published ones have 384 to 1024, 256 and 32."""
DINO_SIZES, BIT_SIZES = (8, 12, 16, 16), (128, 256, 512)
ENDS = ("depth_head.scratch.output_conv2.2.bias", "scratch.output_conv.4.bias")
"""Raised, so that no depth is cut off at 0."""
BIT_DEPTHS, DEPTH = (1, 1, 1), 12


def depth_anything(seed: int) -> dict[str, Tensor]:
    return _random(dict(_depth_anything()), seed=seed)


def midas() -> dict[str, Tensor]:
    return _random(dict(_midas()), seed=33)


def _linear(name: str, outputs: int, *inputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, *inputs)
    yield f"{name}.bias", (outputs,)


def _layers(prefix: str, *, scaled: bool) -> Iterator[tuple[str, Shape]]:
    for number in range(DEPTH):
        layer = f"{prefix}.blocks.{number}"
        for norm in ("norm1", "norm2"):
            yield from _linear(f"{layer}.{norm}", WIDTH)
        yield from _linear(f"{layer}.attn.qkv", 3 * WIDTH, WIDTH)
        yield from _linear(f"{layer}.attn.proj", WIDTH, WIDTH)
        yield from _linear(f"{layer}.mlp.fc1", 4 * WIDTH, WIDTH)
        yield from _linear(f"{layer}.mlp.fc2", WIDTH, 4 * WIDTH)
        for scale in ("ls1", "ls2") if scaled else ():
            yield f"{layer}.{scale}.gamma", (WIDTH,)
    yield from _linear(f"{prefix}.norm", WIDTH)


def _fusion(prefix: str, sizes: tuple[int, ...]) -> Iterator[tuple[str, Shape]]:
    for number, size in enumerate(sizes, 1):
        yield f"{prefix}scratch.layer{number}_rn.weight", (FUSED, size, 3, 3)
        block = f"{prefix}scratch.refinenet{number}"
        yield from _linear(f"{block}.out_conv", FUSED, FUSED, 1, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                yield from _linear(f"{block}.resConfUnit{unit}.conv{conv}", FUSED, FUSED, 3, 3)


def _depth_anything() -> Iterator[tuple[str, Shape]]:
    model = "pretrained"
    yield f"{model}.cls_token", (1, 1, WIDTH)
    yield f"{model}.pos_embed", (1, 37 * 37 + 1, WIDTH)
    yield f"{model}.mask_token", (1, WIDTH)
    yield from _linear(f"{model}.patch_embed.proj", WIDTH, 3, 14, 14)
    yield from _layers(model, scaled=True)
    for number, size in enumerate(DINO_SIZES):
        yield from _linear(f"depth_head.projects.{number}", size, WIDTH, 1, 1)
    for number, kernel in ((0, 4), (1, 2), (3, 3)):
        size = DINO_SIZES[number]
        yield from _linear(f"depth_head.resize_layers.{number}", size, size, kernel, kernel)
    yield from _fusion("depth_head.", DINO_SIZES)
    yield from _linear("depth_head.scratch.output_conv1", FUSED // 2, FUSED, 3, 3)
    yield from _linear("depth_head.scratch.output_conv2.0", HEAD, FUSED // 2, 3, 3)
    yield from _linear("depth_head.scratch.output_conv2.2", 1, HEAD, 1, 1)


def _midas() -> Iterator[tuple[str, Shape]]:
    model, bit = "pretrained.model", "pretrained.model.patch_embed.backbone"
    yield f"{model}.cls_token", (1, 1, WIDTH)
    yield f"{model}.pos_embed", (1, 24 * 24 + 1, WIDTH)
    yield f"{bit}.stem.conv.weight", (64, 3, 7, 7)
    yield from _linear(f"{bit}.stem.norm", 64)
    inputs = 64
    for stage, (outputs, blocks) in enumerate(zip(BIT_SIZES, BIT_DEPTHS, strict=True)):
        for number in range(blocks):
            block, inner = f"{bit}.stages.{stage}.blocks.{number}", outputs // 4
            if number == 0:
                yield f"{block}.downsample.conv.weight", (outputs, inputs, 1, 1)
                yield from _linear(f"{block}.downsample.norm", outputs)
            for conv, shape in (
                ("1", (inner, inputs, 1, 1)),
                ("2", (inner, inner, 3, 3)),
                ("3", (outputs, inner, 1, 1)),
            ):
                yield f"{block}.conv{conv}.weight", shape
                yield from _linear(f"{block}.norm{conv}", shape[0])
            inputs = outputs
    yield from _linear(f"{model}.patch_embed.proj", WIDTH, inputs, 1, 1)
    yield from _layers(model, scaled=False)
    yield from _linear(f"{model}.head", 10, WIDTH)
    sizes = (*BIT_SIZES[:2], 24, 24)
    for number in (3, 4):
        yield from _linear(f"pretrained.act_postprocess{number}.0.project.0", WIDTH, 2 * WIDTH)
        yield from _linear(f"pretrained.act_postprocess{number}.3", sizes[number - 1], WIDTH, 1, 1)
    yield from _linear("pretrained.act_postprocess4.4", 24, 24, 3, 3)
    yield from _fusion("", sizes)
    yield from _linear("scratch.output_conv.0", FUSED // 2, FUSED, 3, 3)
    yield from _linear("scratch.output_conv.2", 32, FUSED // 2, 3, 3)
    yield from _linear("scratch.output_conv.4", 1, 32, 1, 1)


def _random(shapes: dict[str, Shape], *, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator)
        if len(shape) > 1 and "token" not in name and "pos_embed" not in name:
            state[name] = drawn * (1.4 / (drawn.numel() // shape[0])) ** 0.5
        elif name.endswith((".weight", ".gamma")):
            state[name] = 1 + 0.1 * drawn
        else:
            state[name] = 0.3 * drawn
    last = next(
        name for name in ("depth_head.scratch.output_conv2.2.bias", "scratch.output_conv.4.bias") if name in state
    )
    state[last] = state[last] * 0 + 3
    return state
