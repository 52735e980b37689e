"""Which family of models a network file was made for, told from its metadata and its layers."""

from generate_on_cloud.model_files.families import Family
from inference_container.networks.layer import LayerParts
from inference_container.networks.network_file import NetworkFile

_METADATA = ("ss_base_model_version", "modelspec.architecture")
_WORDS: tuple[tuple[str, Family], ...] = (
    ("sdxl", Family.SDXL),
    ("stable-diffusion-xl", Family.SDXL),
    ("sd_v1", Family.SD1),
    ("stable-diffusion-v1", Family.SD1),
    ("sd_v2", Family.SD2),
    ("stable-diffusion-v2", Family.SD2),
    ("sd3", Family.SD3),
    ("stable-diffusion-v3", Family.SD3),
    ("flux", Family.FLUX),
)
"""How the values of that metadata begin."""
_LAYERS: tuple[tuple[str, Family], ...] = (
    ("double_blocks", Family.FLUX),
    ("single_transformer_blocks", Family.FLUX),
    ("joint_blocks", Family.SD3),
    ("lora_te2_", Family.SDXL),
)
"""Words in the names of layers."""
_CONTEXT_WIDTHS = {768: Family.SD1, 1024: Family.SD2, 2048: Family.SDXL, 1280: Family.SDXL_REFINER}
"""Of cross-attention."""
_INPUT_PARTS = ("lora_down.weight", "hada_w1_b", "diff")
"""Their second axis counts the layer's inputs."""


def made_for(network: NetworkFile) -> Family | None:
    """None when nothing tells."""
    for key in _METADATA:
        for word, family in _WORDS:
            if network.metadata.get(key, "").lower().startswith(word):
                return family
    for word, family in _LAYERS:
        if any(word in layer for layer in network.layers):
            return family
    for layer, parts in network.layers.items():
        width = _inputs(parts) if layer.endswith(("attn2_to_k", "attn2_to_v")) else None
        if width in _CONTEXT_WIDTHS:
            return _CONTEXT_WIDTHS[width]
    return None


def _inputs(parts: LayerParts) -> int | None:
    for name in _INPUT_PARTS:
        tensor = parts.tensors.get(name)
        if tensor is not None and tensor.ndim > 1:
            return int(tensor.shape[1])
    return None
