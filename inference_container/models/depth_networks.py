"""Networks that see how far away everything is: transformers' Depth Anything and MiDaS, by the published files' names.

transformers computes a few things a little differently; the builders set them to what the published networks compute.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from inference_container.models.file_networks import count_layers

DINO_SIDE, DINO_PATCH = 518, 14
"""Of the pictures that DINOv2 learned, and of its patches, in pixels."""
HEAD_WIDTH = 64
"""Channels of each head of attention."""
DINO_MOST, MIDAS_MOST = 1024, 768
"""Channels of the widest published transformers."""
MIDAS_PATCH, MIDAS_LAYERS = 16, (8, 11)
"""Pixels of MiDaS's patches, and which layers it reads besides two stages of the ResNet."""
DINO_FIRST, MIDAS_FIRST = "pretrained.patch_embed.proj.weight", "pretrained.model.patch_embed.proj.weight"
_OFFSET = 0.1
"""What DINOv2 adds to the sizes that it scales its positions to."""
_LAYERS_OF_V2: Mapping[int, tuple[int, ...]] = {12: (2, 5, 8, 11), 24: (4, 11, 17, 23)}
"""Which layers Depth Anything V2 reads, by how many there are."""
State = Mapping[str, Tensor]


class _Depth(nn.Module):
    """A network of transformers, of whose answer only the depth is wanted."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """How near everything is in pictures (n, 3, h, w), (n, h, w)."""
        return cast(Tensor, self.network(pixel_values=x).predicted_depth)


class _Midas(nn.Module):
    """As `_Depth`, also for pictures that are not square, which transformers' own call does not take."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        network = cast(Any, self.network)
        seen = network.dpt(x, output_hidden_states=True)
        levels = [*seen.intermediate_activations, *(seen.hidden_states[layer + 1] for layer in MIDAS_LAYERS)]
        return cast(Tensor, network.head(network.neck(levels, x.shape[2] // MIDAS_PATCH, x.shape[3] // MIDAS_PATCH)))


def depth_anything(width: int, state: State, *, second: bool) -> nn.Module:
    """Depth Anything, of the first or the second version, as wide and deep as the file."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    depth = count_layers(state, r"pretrained\.blocks\.(\d+)\.")
    layers = _LAYERS_OF_V2[depth] if second else range(depth - 4, depth)
    config = DepthAnythingConfig(
        backbone_config=Dinov2Config(
            hidden_size=width,
            num_hidden_layers=depth,
            num_attention_heads=width // HEAD_WIDTH,
            image_size=DINO_SIDE,
            patch_size=DINO_PATCH,
            out_indices=[layer + 1 for layer in layers],
            reshape_hidden_states=False,
        ),
        reassemble_hidden_size=width,
        neck_hidden_sizes=[state[f"depth_head.projects.{number}.weight"].shape[0] for number in range(4)],
        fusion_hidden_size=state["depth_head.scratch.layer1_rn.weight"].shape[0],
        head_hidden_size=state["depth_head.scratch.output_conv2.0.weight"].shape[0],
    )
    network = DepthAnythingForDepthEstimation(config)
    embeddings = cast(Any, network).backbone.embeddings
    embeddings.interpolate_pos_encoding = partial(_dino_positions, embeddings)
    return _Depth(network)


def _dino_positions(embeddings: Any, tokens: Tensor, height: int, width: int) -> Tensor:
    """DINOv2's positions for a picture of this size, scaled as its authors do."""
    positions = cast(Tensor, embeddings.position_embeddings)
    side = math.isqrt(positions.shape[1] - 1)
    if tokens.shape[1] == positions.shape[1] and width == height:
        return positions
    scales = tuple((length // DINO_PATCH + _OFFSET) / side for length in (height, width))
    grid = positions[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scaled = interpolate(grid, scale_factor=scales, mode="bicubic")
    return torch.cat([positions[:, :1], scaled.flatten(2).transpose(1, 2)], dim=1)


def midas(width: int, state: State) -> nn.Module:
    """MiDaS 3 on a transformer behind three stages of a ResNet (DPT-Hybrid)."""
    from transformers import BitConfig, DPTConfig, DPTForDepthEstimation

    sizes = [state[f"scratch.layer{number}_rn.weight"].shape[1] for number in range(1, 5)]
    blocks = r"pretrained\.model\.patch_embed\.backbone\.stages\.STAGE\.blocks\.(\d+)\."
    depths = [count_layers(state, blocks.replace("STAGE", str(stage))) for stage in range(3)]
    stages = [*sizes[:2], state[MIDAS_FIRST].shape[1]]
    side = math.isqrt(state["pretrained.model.pos_embed"].shape[1] - 1)
    config = DPTConfig(
        is_hybrid=True,
        hidden_size=width,
        num_hidden_layers=count_layers(state, r"pretrained\.model\.blocks\.(\d+)\."),
        num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=4 * width,
        layer_norm_eps=1e-6,
        image_size=MIDAS_PATCH * side,
        backbone_out_indices=[2, 5, 8, 11],
        neck_hidden_sizes=sizes,
        neck_ignore_stages=[0, 1],
        reassemble_factors=[1, 1, 1, 0.5],
        fusion_hidden_size=state["scratch.layer1_rn.weight"].shape[0],
        readout_type="project",
        backbone_featmap_shape=[1, stages[-1], side, side],
        backbone_config=BitConfig(
            global_padding="same",
            layer_type="bottleneck",
            depths=depths,
            hidden_sizes=stages,
            out_features=["stage1", "stage2", "stage3"],
            embedding_dynamic_padding=True,
        ),
    )
    network = DPTForDepthEstimation(config)
    embeddings = cast(Any, network).dpt.embeddings
    embeddings.forward = partial(embeddings.forward, interpolate_pos_encoding=True)
    for module in network.modules():
        if type(module).__name__ == "WeightStandardizedConv2d":
            cast(Any, module).eps = 1e-8
    return _Midas(network)


Renaming = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
_FUSION: Renaming = (
    (r"scratch\.layer(\d)_rn\.", lambda one: f"neck.convs.{int(one[1]) - 1}."),
    (r"scratch\.refinenet(\d)\.", lambda one: f"neck.fusion_stage.layers.{4 - int(one[1])}."),
    (r"\.resConfUnit([12])\.conv([12])\.", r".residual_layer\1.convolution\2."),
    (r"\.out_conv\.", ".projection."),
)
_DINO: Renaming = (
    (r"^depth_head\.", ""),
    (r"^pretrained\.(cls_token|mask_token)", r"backbone.embeddings.\1"),
    (r"^pretrained\.pos_embed", "backbone.embeddings.position_embeddings"),
    (r"^pretrained\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^pretrained\.norm\.", "backbone.layernorm."),
    (r"^pretrained\.blocks\.", "backbone.encoder.layer."),
    (r"\.attn\.([qkv])\.", r".attention.\1_proj."),
    (r"\.attn\.proj\.", ".attention.o_proj."),
    (r"\.ls([12])\.gamma", r".layer_scale\1.lambda1"),
    (r"^projects\.(\d)\.", r"neck.reassemble_stage.layers.\1.projection."),
    (r"^resize_layers\.(\d)\.", r"neck.reassemble_stage.layers.\1.resize."),
    (r"^scratch\.output_conv1\.", "head.conv1."),
    (r"^scratch\.output_conv2\.0\.", "head.conv2."),
    (r"^scratch\.output_conv2\.2\.", "head.conv3."),
    *_FUSION,
)
_MIDAS: Renaming = (
    (r"^pretrained\.model\.cls_token", "dpt.embeddings.cls_token"),
    (r"^pretrained\.model\.pos_embed", "dpt.embeddings.position_embeddings"),
    (r"^pretrained\.model\.patch_embed\.proj\.", "dpt.embeddings.projection."),
    (r"^pretrained\.model\.patch_embed\.backbone\.stem\.conv\.", "dpt.embeddings.backbone.bit.embedder.convolution."),
    (r"^pretrained\.model\.patch_embed\.backbone\.stem\.norm\.", "dpt.embeddings.backbone.bit.embedder.norm."),
    (
        r"^pretrained\.model\.patch_embed\.backbone\.stages\.(\d)\.blocks\.",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.",
    ),
    (r"^pretrained\.model\.norm\.", "dpt.layernorm."),
    (r"^pretrained\.model\.blocks\.(\d+)\.norm1\.", r"dpt.encoder.layer.\1.layernorm_before."),
    (r"^pretrained\.model\.blocks\.(\d+)\.norm2\.", r"dpt.encoder.layer.\1.layernorm_after."),
    (r"^pretrained\.model\.blocks\.", "dpt.encoder.layer."),
    (r"\.attn\.q\.", ".attention.attention.query."),
    (r"\.attn\.k\.", ".attention.attention.key."),
    (r"\.attn\.v\.", ".attention.attention.value."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (
        r"^pretrained\.act_postprocess(\d)\.0\.project\.",
        lambda one: f"neck.reassemble_stage.readout_projects.{int(one[1]) - 1}.",
    ),
    (
        r"^pretrained\.act_postprocess(\d)\.3\.",
        lambda one: f"neck.reassemble_stage.layers.{int(one[1]) - 1}.projection.",
    ),
    (r"^pretrained\.act_postprocess(\d)\.4\.", lambda one: f"neck.reassemble_stage.layers.{int(one[1]) - 1}.resize."),
    (r"^scratch\.output_conv\.", "head.head."),
    *_FUSION,
)
_UNUSED = ("pretrained.model.head.", "pretrained.model.patch_embed.backbone.head.", "auxlayer.")
"""What recognizes kinds of things, which nobody asks MiDaS."""


def depth_anything_names(state: State) -> State:
    """A file's tensors by the names of what `depth_anything` builds."""
    return _renamed(state, _DINO)


def midas_names(state: State) -> State:
    """A file's tensors by the names of what `midas` builds."""
    return _renamed({name: one for name, one in state.items() if not name.startswith(_UNUSED)}, _MIDAS)


def _renamed(state: State, rules: Renaming) -> State:
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for part, one in _parted(name, tensor):
            spelled = reduce(lambda old, rule: re.sub(rule[0], rule[1], old), rules, part)
            renamed[f"network.{spelled}"] = one
    return renamed


def _parted(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    """The queries, keys and values that the published layers have in one matrix."""
    if ".attn.qkv." not in name:
        return [(name, tensor)]
    return [(name.replace(".qkv.", f".{part}."), one) for part, one in zip("qkv", tensor.chunk(3), strict=True)]
