"""Converts ControlNet units from Forge and other versions of the extension to units that `ControlNetUnit` accepts."""

from collections.abc import Callable, Mapping
from typing import Any

from generate_on_cloud.contract.controlnet import ALIASES, PICTURE_FIELDS, ControlNetUnit
from generate_on_cloud.contract.preprocessors import PREPROCESSORS, RESOLUTION, Slider, preprocessor_named
from generate_on_cloud.contract.script_switches import is_false

Warn = Callable[[str, str], None]
"""Called with a pointer below the script and what was ignored."""

FLAT_FORM = (
    "is_img2img", "is_ui", "enabled", "module", "model", "weight", "image", "invert_image", "resize_mode",
    "rgbbgr_mode", "low_vram", "processor_res", "threshold_a", "threshold_b", "guidance_start", "guidance_end",
    "guess_mode",
)  # fmt: skip
"""The arguments of the extension's first versions: one unit, by position."""
_NOTHING = (None, "", "None", False, 0)
_KNOWN = frozenset(ControlNetUnit.model_fields) | frozenset(ALIASES)
_FIXED = frozenset(
    {"is_ui", "input_mode", "batch_images", "output_dir", "loopback", "effective_region_mask", "ipadapter_input"}
)
"""Fields whose only accepted value has no effect; other values without effect are dropped."""


def no_units(script: object) -> bool:
    """Whether the script has no unit, in whatever spelling."""
    arguments = script.get("args") if isinstance(script, dict) else script
    if isinstance(arguments, list):
        return all(_is_nothing(unit) for unit in arguments)
    return _is_nothing(arguments)


def tidy_units(script: object, *, warn: Warn) -> object:
    """`{"args": [unit, …]}` with units that have only fields of `ControlNetUnit`; anything else stays as it is."""
    if isinstance(script, list):
        script = {"args": script}
    arguments = script.get("args") if isinstance(script, dict) else None
    if not isinstance(script, dict) or not isinstance(arguments, list):
        return script
    if _is_flat(arguments):
        warn("", "one unit by position was read, as the extension's first versions sent it")
        arguments = [dict(zip(FLAT_FORM, arguments, strict=False))]
    units = []
    for number, unit in enumerate(arguments):
        if unit is None or unit == {}:
            units.append({"enabled": False})
        elif not isinstance(unit, dict):
            units.append(unit)
        elif _is_off(unit):
            units.append({"enabled": False})
        else:
            units.append(_tidy(unit, _in_unit(number, warn)))
    return script | {"args": units}


def _is_flat(arguments: list[Any]) -> bool:
    return 3 <= len(arguments) <= len(FLAT_FORM) and all(isinstance(flag, bool) for flag in arguments[:3])


def _in_unit(number: int, warn: Warn) -> Warn:
    return lambda inner, message: warn(f"/args/{number}{inner}", message)


def _is_off(unit: Mapping[str, Any]) -> bool:
    return "enabled" in unit and unit["enabled"] is not None and is_false(unit["enabled"])


def _tidy(unit: dict[str, Any], warn: Warn) -> dict[str, Any]:
    kept = {}
    for name, value in unit.items():
        if name not in _KNOWN:
            warn(f"/{name[:60]}", f"{name[:60]!r} is not a field of a unit here and was ignored")
        elif name in _FIXED | PICTURE_FIELDS and _is_nothing(value):
            continue
        else:
            kept[name] = _without_empty_pictures(value) if name in PICTURE_FIELDS else value
    _default_numbers(kept, warn)
    return kept


def _is_nothing(value: object) -> bool:
    return value in ([], {}) or (isinstance(value, (str, bool, int, type(None))) and value in _NOTHING)


def _without_empty_pictures(value: object) -> object:
    if isinstance(value, dict):
        return {name: None if _is_nothing(picture) else picture for name, picture in value.items()}
    if isinstance(value, list):
        return [None if _is_nothing(picture) else picture for picture in value]
    return value


def _default_numbers(unit: dict[str, Any], warn: Warn) -> None:
    """Reset numbers that the preprocessor does not use or allow to their defaults, as the extension does."""
    module = preprocessor_named(unit["module"]) if isinstance(unit.get("module"), str) else "none"
    if module is None:
        return
    rule = PREPROCESSORS[module]
    for name, slider in (
        ("threshold_a", rule.threshold_a),
        ("threshold_b", rule.threshold_b),
        ("processor_res", RESOLUTION),
    ):
        value = unit.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not _reaches(slider, value):
            unit[name] = -1
            warn(f"/{name}", f"received {value}; the preprocessor {module} has its default, {slider.default:g}")
        elif name == "processor_res" and isinstance(value, float):
            unit[name] = int(value)


def _reaches(slider: Slider, value: float) -> bool:
    return value < 0 or slider.minimum <= value <= slider.maximum
