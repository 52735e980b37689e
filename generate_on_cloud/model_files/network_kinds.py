"""All kinds of networks that change weights (LoRA and its relatives).

To add a kind, add a row here and its mathematics under the same name in `inference_container/networks/kinds.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from generate_on_cloud.model_files.family_names import Shape


@dataclass(frozen=True)
class NetworkKind:
    """A row of the table of kinds. A layer's parts are its tensors, named by WebUI's suffixes for them."""

    name: str
    parts: tuple[frozenset[str], ...]
    """A layer that has all parts of one of these sets belongs to this kind."""
    rank: tuple[str, ...] = ()
    """Parts whose first axis is the rank; empty if the kind has no rank."""
    inputs: tuple[tuple[str, ...], ...] = ()
    """Parts whose second axis counts the layer's inputs: the product over the groups of each group's first part."""

    def rank_of(self, parts: Mapping[str, Shape]) -> int | None:
        """The layer's rank, the largest if its parts differ."""
        return max((parts[name][0] for name in self.rank if parts.get(name)), default=None)

    def inputs_of(self, parts: Mapping[str, Shape]) -> int:
        """The number of inputs of the layer that these parts change; 0 if no shape shows it."""
        count = 1
        for group in self.inputs:
            shape = next((parts[name] for name in group if name in parts), ())
            if len(shape) < 2:
                return 0
            count *= shape[1]
        return count if self.inputs else 0


def _all(*parts: str) -> frozenset[str]:
    return frozenset(parts)


KINDS: tuple[NetworkKind, ...] = (
    NetworkKind(
        "LoRA",
        (_all("lora_up.weight", "lora_down.weight"),),
        rank=("lora_down.weight",),
        inputs=(("lora_down.weight",),),
    ),
    NetworkKind(
        "LoHa",
        (_all("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
        rank=("hada_w1_b",),
        inputs=(("hada_w1_b",),),
    ),
    NetworkKind("IA3", (_all("weight", "on_input"),)),
    NetworkKind(
        "LoKr",
        tuple(
            _all(*first, *second)
            for first in (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
            for second in (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"))
        ),
        rank=("lokr_w2_b", "lokr_w1_b"),
        inputs=(("lokr_w1", "lokr_w1_b"), ("lokr_w2", "lokr_w2_b")),
    ),
    NetworkKind("full", (_all("diff"), _all("diff_b")), inputs=(("diff",),)),
    NetworkKind("norm", (_all("w_norm"), _all("b_norm"))),
    NetworkKind(
        "GLoRA",
        (_all("a1.weight", "a2.weight", "b1.weight", "b2.weight"),),
        rank=("a1.weight",),
        inputs=(("a1.weight",),),
    ),
    NetworkKind("OFT", (_all("oft_blocks"), _all("oft_diag"))),
)
"""In WebUI's order; the first kind that matches a layer's parts wins (semantics §8.2)."""
MAGNITUDE = "dora_scale"
"""The part that turns a network of any kind into a DoRA; its shape shows whether columns or rows have these lengths."""
OUTPUT_MAGNITUDE = "lora_magnitude_vector"
"""PEFT's name for that part. It always has one length for each output, whatever axes it is stored with."""
MAGNITUDES = (MAGNITUDE, OUTPUT_MAGNITUDE)


def kind_of(parts: Collection[str]) -> NetworkKind | None:
    """The kind of a layer with these parts; None if no kind matches."""
    names = frozenset(parts)
    return next((kind for kind in KINDS if any(needed <= names for needed in kind.parts)), None)


_OTHER_KINDS: Mapping[str, str] = {
    "oft_r": "an OFT of PEFT's or OneTrainer's form (oft_R)",
    "boft_r": "a BOFT of PEFT's form (boft_R)",
    "vera_lambda": "a VeRA",
    "hra_u": "an HRA",
    "fourierft": "a FourierFT",
    "bone_": "a Bone",
    "miss_block": "a MiSS",
    "ia3_l": "an IA3 of PEFT's form (ia3_l)",
    "randlora": "a RandLoRA",
    "vblora": "a VB-LoRA",
    "loha_": "a LoHa of an unknown form",
    "shira": "a SHiRA",
    "road_": "a RoAd",
    "waveft": "a WaveFT",
    "c3a_kernel": "a C3A",
    "lora_embedding_": "a LoRA of the vocabulary",
}
"""Kinds of networks without a row above, by the beginning of a part's name in lower case."""


def other_kind(parts: Collection[str]) -> str | None:
    """How a refusal calls a layer of a kind that has no row in KINDS; None if it is unknown altogether."""
    words = [word.lower() for part in parts for word in part.split(".")]
    return next((what for sign, what in _OTHER_KINDS.items() if any(word.startswith(sign) for word in words)), None)


PARTS: tuple[str, ...] = tuple(sorted({part for kind in KINDS for parts in kind.parts for part in parts}))
"""The parts of all kinds."""
