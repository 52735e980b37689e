"""Always-on scripts that a request may name in `alwayson_scripts`, as WebUI 1.10.1's clients do (semantics §2.13)."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Any

from generate_on_cloud.contract.controlnet import CONTROLNET
from generate_on_cloud.contract.jobs import Task

SOFT_INPAINTING = "Soft Inpainting"
ALWAYSON_SCRIPTS: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {Task.TXT2IMG: (CONTROLNET,), Task.IMG2IMG: (SOFT_INPAINTING, CONTROLNET)}
)
"""Titles that each task may name."""


@dataclass(frozen=True)
class SoftInpainting:
    """The script's arguments after `enabled`, in order, with WebUI's defaults."""

    schedule_bias: float = 1
    """0–8: above 1 keeps more of the original at high noise, below 1 at low noise."""
    preservation_strength: float = 0.5
    """0–8: how strongly partially masked content is preserved."""
    transition_contrast_boost: float = 4
    """1–32: how close a blend's magnitude is to the larger of the two blended magnitudes."""
    mask_influence: float = 0
    """0–1: how much the mask itself decides where original pixels stay."""
    difference_threshold: float = 0.5
    """0–8: how much the latents must change for an original pixel to be half replaced."""
    difference_contrast: float = 2
    """0–8: how sharp that transition is."""

    def infotext(self) -> dict[str, str | int | float | bool | None]:
        """Infotext entries in WebUI's order."""
        return {ENABLED_LABEL: True} | dict(zip(LABELS, astuple(self), strict=True))


ENABLED_LABEL = "Soft inpainting enabled"
LABELS = (
    "Soft inpainting schedule bias",
    "Soft inpainting preservation strength",
    "Soft inpainting transition contrast boost",
    "Soft inpainting mask influence",
    "Soft inpainting difference threshold",
    "Soft inpainting difference contrast",
)
PAGE_LABELS = (
    "Soft inpainting",
    "Schedule bias",
    "Preservation strength",
    "Transition contrast boost",
    "Mask influence",
    "Difference threshold",
    "Difference contrast",
)
"""Of the switch and the sliders on WebUI's page."""
RANGES = ((0, 8), (0, 8), (1, 32), (0, 1), (0, 8), (0, 8))
"""Ranges of WebUI's sliders, in the order of the arguments."""


def check_titles(scripts: Mapping[str, Any], *, allowed: Sequence[str]) -> None:
    """Check that only allowed scripts are named; case does not matter.

    Raises:
        ValueError: an unknown script; the text names what was received and what is allowed.
    """
    known = {title.lower() for title in allowed}
    unknown = [title for title in scripts if title.lower() not in known]
    if unknown:
        raise ValueError(f"unknown scripts {', '.join(map(repr, unknown))}; allowed: {', '.join(allowed)}")


def read_soft_inpainting(scripts: Mapping[str, Any]) -> SoftInpainting | None:
    """The settings in `alwayson_scripts` of an img2img request; None if the script is absent or disabled.

    The title is matched case-insensitively; missing arguments have their defaults.

    Raises:
        ValueError: arguments that the script does not accept.
    """
    found = [_settings(script) for title, script in scripts.items() if title.lower() == SOFT_INPAINTING.lower()]
    if len(found) > 1:
        raise ValueError(f"received {SOFT_INPAINTING} {len(found)} times; allowed: once")
    return found[0] if found else None


def with_soft_inpainting(scripts: Mapping[str, Any], arguments: Sequence[object]) -> dict[str, Any]:
    """The scripts with `arguments` for Soft Inpainting; those that it has in `scripts` go before, by place."""
    given = {title: script for title, script in scripts.items() if title.lower() == SOFT_INPAINTING.lower()}
    if len(given) != 1:
        return dict(scripts) if given else {**scripts, SOFT_INPAINTING: {"args": list(arguments)}}
    ((title, script),) = given.items()
    own = script.get("args", []) if isinstance(script, dict) else None
    if not isinstance(own, list) or (len(own) == 1 and isinstance(own[0], dict)):
        return dict(scripts)
    return {**scripts, title: {**script, "args": [*own, *arguments[len(own) :]]}}


def _settings(script: object) -> SoftInpainting | None:
    arguments = script.get("args", []) if isinstance(script, dict) and set(script) <= {"args"} else None
    if not isinstance(arguments, list) or len(arguments) > 1 + len(RANGES):
        raise ValueError(
            f'{SOFT_INPAINTING}: received {repr(script)[:99]}; allowed: {{"args": [enabled, {_ranges()}]}}'
        )
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        arguments = _by_name(arguments[0])
    enabled, numbers = (arguments[0] if arguments else False), arguments[1:]
    if enabled not in (True, False):
        raise ValueError(f"{SOFT_INPAINTING}: received {repr(enabled)[:200]} for enabled; allowed: true, false")
    for number, label, (low, high) in zip(numbers, LABELS, RANGES, strict=False):
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            raise ValueError(f"{label}: received {repr(number)[:200]}; allowed: {low} to {high}")
    return SoftInpainting(*numbers) if enabled else None


def _by_name(named: Mapping[str, object]) -> list[object]:
    """The arguments in order from an object with the labels of WebUI's page, which many examples for its API have."""
    unknown = named.keys() - PAGE_LABELS
    if unknown:
        raise ValueError(
            f"{SOFT_INPAINTING}: received {repr(sorted(unknown))[:200]}; allowed: {', '.join(PAGE_LABELS)}"
        )
    defaults = (True, *astuple(SoftInpainting()))
    return [named.get(label, default) for label, default in zip(PAGE_LABELS, defaults, strict=True)]


def _ranges() -> str:
    return ", ".join(f"{low}–{high}" for low, high in RANGES)
