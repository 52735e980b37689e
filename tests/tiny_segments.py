"""A random, narrow network that finds what is where, as in the file that the ControlNet extension downloads."""

from tests.filled_networks import State, filled_shapes

WIDTHS, BLOCKS = (8, 16, 64, 128), (1, 2, 2, 1)
HEAD, CLASSES, AUXILIARY = 16, 150, 8
Shape = tuple[int, ...]


def segmenter() -> State:
    state = filled_shapes(shapes(), seed=71, gain=2.0)
    state["decode_head.conv_seg.weight"] *= 3
    return state


def shapes() -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    inputs = 3
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True), 1):
        patch = 4 if stage == 1 else 2
        found |= _weighted(f"backbone.patch_embed{stage}.norm", (width,))
        found |= _weighted(f"backbone.patch_embed{stage}.proj", (width, inputs, patch, patch))
        for number in range(blocks):
            found |= _block(f"backbone.blocks{stage}.{number}", width, wide=stage > 2)
        found |= _weighted(f"backbone.norm{stage}", (width,))
        inputs = width
    return found | _head()


def _block(name: str, width: int, *, wide: bool) -> dict[str, Shape]:
    kernel: Shape = () if wide else (1, 1)
    found = {**_weighted(f"{name}.pos_embed", (width, 1, 3, 3))}
    for norm in ("norm1", "norm2"):
        found |= _weighted(f"{name}.{norm}", (width,)) if wide else _norm(f"{name}.{norm}", width)
    if wide:
        found |= _weighted(f"{name}.attn.qkv", (3 * width, width)) | _weighted(f"{name}.attn.proj", (width, width))
    else:
        found |= _weighted(f"{name}.attn", (width, 1, 5, 5))
        found |= _weighted(f"{name}.conv1", (width, width, 1, 1)) | _weighted(f"{name}.conv2", (width, width, 1, 1))
    found |= _weighted(f"{name}.mlp.fc1", (4 * width, width, *kernel))
    return found | _weighted(f"{name}.mlp.fc2", (width, 4 * width, *kernel))


def _head() -> dict[str, Shape]:
    name = "decode_head"
    found = {**_weighted(f"{name}.conv_seg", (CLASSES, HEAD, 1, 1))}
    for number in range(4):
        found |= _layer(f"{name}.psp_modules.{number}.1", WIDTHS[-1], 1)
    found |= _layer(f"{name}.bottleneck", WIDTHS[-1] + 4 * HEAD, 3)
    for number, width in enumerate(WIDTHS[:-1]):
        found |= _layer(f"{name}.lateral_convs.{number}", width, 1) | _layer(f"{name}.fpn_convs.{number}", HEAD, 3)
    found |= _layer(f"{name}.fpn_bottleneck", 4 * HEAD, 3)
    return found | _weighted("auxiliary_head.conv_seg", (CLASSES, AUXILIARY, 1, 1))


def _layer(name: str, inputs: int, kernel: int) -> dict[str, Shape]:
    return {f"{name}.conv.weight": (HEAD, inputs, kernel, kernel), **_norm(f"{name}.bn", HEAD)}


def _weighted(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
