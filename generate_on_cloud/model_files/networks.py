"""Which kind of network (LoRA and its relatives) a file holds, its rank, and the model it was trained on."""

from collections.abc import Mapping

from generate_on_cloud.model_files.families import Family, Shapes

KINDS: Mapping[str, tuple[str, ...]] = {
    "LoHa": (".hada_w1_a", ".hada_w1_b"),
    "LoKr": (".lokr_w1", ".lokr_w1_a", ".lokr_w2", ".lokr_w2_a"),
    "OFT": (".oft_blocks", ".oft_diag"),
    "IA3": (".on_input",),
    "GLoRA": (".a1.weight", ".b1.weight"),
    "LoRA": (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".lora_up.weight", "_lora.down.weight"),
    "full": (".diff",),
    "norm": (".w_norm",),
}
"""Kinds by how the names of their tensors end (semantics §8.2); of several the first is the file's."""
DORA = ".dora_scale"
_RANK_AXIS: Mapping[str, int] = {
    ".lora_down.weight": 0,
    ".lora_A.weight": 0,
    ".lora.down.weight": 0,
    "_lora.down.weight": 0,
    ".hada_w1_b": 0,
    ".lokr_w2_b": 0,
    ".lokr_w1_b": 0,
    ".a1.weight": 0,
}
CONTEXT_WIDTHS: Mapping[int, Family] = {768: Family.SD1, 1024: Family.SD2, 2048: Family.SDXL}
"""Width of the text a UNet attends to."""
_SAID: Mapping[str, Family] = {
    "sdxl": Family.SDXL,
    "stable-diffusion-xl": Family.SDXL,
    "sd_v2": Family.SD2,
    "stable-diffusion-v2": Family.SD2,
    "sd_v1": Family.SD1,
    "stable-diffusion-v1": Family.SD1,
    "sd3": Family.SD3,
    "flux": Family.FLUX,
}
"""Beginnings of what trainers write into `ss_base_model_version` and `modelspec.architecture`."""


def network_kind(shapes: Shapes) -> str | None:
    """`LoRA`, `LoHa`, …; None when the file holds no network."""
    for kind, endings in KINDS.items():
        if any(name.endswith(endings) for name in shapes):
            decomposed = any(name.endswith(DORA) for name in shapes)
            return f"{kind} (DoRA)" if decomposed else kind
    return None


def network_rank(shapes: Shapes) -> int | None:
    """The largest rank of its matrices; None for kinds without one."""
    ranks = [
        shape[axis]
        for name, shape in shapes.items()
        for ending, axis in _RANK_AXIS.items()
        if name.endswith(ending) and len(shape) > axis
    ]
    return max(ranks, default=None)


def network_base(shapes: Shapes, metadata: Mapping[str, str]) -> Family | None:
    """The family it was made for: by its text encoders and cross-attention, else as its trainer says; None: unknown."""
    if any(name.startswith(("lora_te2_", "lora_te1_", "text_encoder_2.")) for name in shapes):
        return Family.SDXL
    for name, shape in shapes.items():
        attends = "attn2_to_k." in name or "attn2.to_k." in name
        if attends and name.endswith(tuple(_RANK_AXIS)) and shape[-1:] and shape[-1] in CONTEXT_WIDTHS:
            return CONTEXT_WIDTHS[shape[-1]]
    for key in ("ss_base_model_version", "modelspec.architecture"):
        said = metadata.get(key, "").lower()
        for beginning, family in _SAID.items():
            if said.startswith(beginning):
                return family
    return None
