"""The scale of LoRA layers that only a file's header gives, as diffusers (0.34 and later), SimpleTuner and PEFT write.

PEFT's rule: alpha / rank, or alpha / √rank if rank-stabilised; patterns give the alphas of single layers.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from generate_on_cloud.model_files.refusals import BrokenFileError, RefusedFileError

ADAPTER_KEYS = ("lora_adapter_metadata", "adapter_config", "peft_config", "lora_config")
"""Metadata keys of a PEFT configuration: diffusers' own, then those of scripts that copy adapter_config.json."""
ALPHA = "lora_alpha"
_PARTS: Mapping[str, str] = {"unet.": "lora_unet_", "text_encoder.": "lora_te1_", "text_encoder_2.": "lora_te2_"}
"""Prefixes of the configuration's entries, and of the layers that they describe."""
_ANCHORED = str.maketrans("", "", "^$\\")


@dataclass(frozen=True)
class AdapterScale:
    """What the configuration says about the layers of one model."""

    alpha: float | None = None
    rank_stabilised: bool = False
    alphas: Mapping[str, float] = field(default_factory=dict)
    """Alphas of single layers, by the end of the module's path."""

    def of(self, path: str, rank: int) -> float | None:
        """The factor for ΔW of the layer at `path`; None if the configuration gives none."""
        alpha = next((number for end, number in self.alphas.items() if _ends(path, end)), self.alpha)
        if alpha is None or rank < 1:
            return None
        return alpha / (math.sqrt(rank) if self.rank_stabilised else rank)


def adapter_scales(metadata: Mapping[str, str]) -> Mapping[str, AdapterScale]:
    """The scales by the prefix of kohya's layer names; one under "" is for layers of every model.

    Raises:
        BrokenFileError: the configuration is malformed.
        RefusedFileError: a pattern in it is not a module's name.
    """
    document = _document(metadata)
    found = {kohya: _scale(_below(document, part)) for part, kohya in _PARTS.items()}
    return {"": _scale(document), **{kohya: scale for kohya, scale in found.items() if scale != AdapterScale()}}


def _document(metadata: Mapping[str, str]) -> dict[str, Any]:
    key = next((key for key in ADAPTER_KEYS if key in metadata), None)
    if key is None:
        return {name: _plain(metadata[name]) for name in (ALPHA, "use_rslora") if name in metadata}
    try:
        document = json.loads(metadata[key])
    except (ValueError, RecursionError) as error:
        raise BrokenFileError(f"its header's {key} is not JSON") from error
    if not isinstance(document, dict):
        raise BrokenFileError(f"its header's {key} is not a JSON object")
    return document


def _plain(text: str) -> object:
    try:
        return json.loads(text.lower())
    except (ValueError, RecursionError):
        return text


def _below(document: Mapping[str, Any], part: str) -> dict[str, Any]:
    nested = document.get(part.removesuffix("."))
    flat = {name.removeprefix(part): value for name, value in document.items() if name.startswith(part)}
    return {**(nested if isinstance(nested, dict) else {}), **flat}


def _scale(config: Mapping[str, Any]) -> AdapterScale:
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise BrokenFileError("its header's alpha_pattern is not a JSON object")
    alpha = config.get(ALPHA)
    return AdapterScale(
        alpha=None if alpha is None else _number(ALPHA, alpha),
        rank_stabilised=config.get("use_rslora") is True,
        alphas={_module(pattern): _number(pattern, value) for pattern, value in patterns.items()},
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BrokenFileError(f"the {name[:100]} in its header is not a finite number")
    return float(value)


def _module(pattern: str) -> str:
    """The module's name in a pattern; diffusers writes names, possibly anchored and escaped as regular expressions."""
    name = pattern.translate(_ANCHORED)
    if not name.replace(".", "").replace("_", "").isalnum():
        raise RefusedFileError(f"its header scales layers by the pattern {pattern[:100]!r}; allowed: modules' names")
    return name


def _ends(path: str, end: str) -> bool:
    """Whether the module at `path`, dotted or with kohya's underscores, has this name or ends with it."""
    spelled = path.replace(".", "_")
    wanted = end.replace(".", "_")
    return spelled == wanted or spelled.endswith(f"_{wanted}")
