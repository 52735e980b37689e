"""What the scripts of a tab say: steps, sampler, seed and refiner are script values in WebUI, not the tab's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webui_extension.core.controlnet import unit_body
from webui_extension.core.errors import PanelError
from webui_extension.core.texts import say

SELECTABLE = frozenset(
    {
        "loopback", "outpainting mk2", "poor man's outpainting", "prompt matrix", "prompts from file or textbox",
        "sd upscale", "x/y/z plot",
    }
)  # fmt: skip
"""Scripts that the cloud runs."""
_NOTHING_TO_SAY = frozenset(
    {"api payload", "comments", "extra options", "generate on cloud", "hypertile", "never oom integrated"}
)
"""Scripts whose values are settings, or which change no picture."""


@dataclass(frozen=True)
class ScriptValues:
    """One script of the tab."""

    title: str
    args: Sequence[Any]
    always_on: bool = True


def script_fields(scripts: Sequence[ScriptValues], selected: ScriptValues | None, *, masked: bool) -> dict[str, Any]:
    """The fields of the API's body that scripts decide.

    Raises:
        PanelError: a script that is on cannot run in the cloud; the text names all of them.
    """
    unknown = [script.title for script in scripts if not _is_known(script) and not is_off(script.args)]
    fields: dict[str, Any] = {}
    for script in scripts:
        fields.update(_READERS.get(script.title.casefold(), _no_fields)(script.args))
    if selected is not None:
        if selected.title.casefold() not in SELECTABLE:
            unknown.append(selected.title)
        fields.update(script_name=selected.title, script_args=list(selected.args))
    if unknown:
        raise PanelError(say("scripts_refused", titles=", ".join(unknown)))
    if always_on := _always_on(scripts, masked=masked):
        fields["alwayson_scripts"] = always_on
    return fields


def _is_known(script: ScriptValues) -> bool:
    title = script.title.casefold()
    return title in _READERS or title in _NOTHING_TO_SAY or title in ("soft inpainting", "controlnet")


def _always_on(scripts: Sequence[ScriptValues], *, masked: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for script in scripts:
        title = script.title.casefold()
        if title == "soft inpainting" and masked and script.args and script.args[0]:
            found["Soft Inpainting"] = {"args": list(script.args)}
        if title == "controlnet" and (units := [unit_body(unit) for unit in script.args if _is_on(unit)]):
            found["ControlNet"] = {"args": units}
    return found


def _no_fields(_: Sequence[Any]) -> dict[str, Any]:
    return {}


def is_off(args: Sequence[Any]) -> bool:
    """Whether an always-on script is off: by its first boolean; without one, if nothing is filled in."""
    for value in args:
        if isinstance(value, bool):
            return not value
    return not any(_says_something(value) for value in args)


def _says_something(value: object) -> bool:
    enabled = value.get("enabled") if isinstance(value, Mapping) else getattr(value, "enabled", None)
    if enabled is not None:
        return bool(enabled)
    return isinstance(value, str) and value not in ("", "None", "none")


def _is_on(unit: object) -> bool:
    return bool(unit.get("enabled") if isinstance(unit, Mapping) else getattr(unit, "enabled", False))


def _sampler(args: Sequence[Any]) -> dict[str, Any]:
    steps, name, scheduler = args[:3]
    return {"steps": int(steps), "sampler_name": name, "scheduler": scheduler}


def _seed(args: Sequence[Any]) -> dict[str, Any]:
    seed, extra, subseed, strength, width, height = args[:6]
    fields: dict[str, Any] = {"seed": -1 if seed in ("", None) else int(seed)}
    if extra and strength > 0:
        fields.update(subseed=int(subseed), subseed_strength=strength)
    if extra and width > 0 and height > 0:
        fields.update(seed_resize_from_w=int(width), seed_resize_from_h=int(height))
    return fields


def _refiner(args: Sequence[Any]) -> dict[str, Any]:
    enabled, checkpoint, switch_at = args[:3]
    if not enabled or checkpoint in ("", "None", None):
        return {}
    return {"refiner_checkpoint": checkpoint, "refiner_switch_at": switch_at}


_READERS = {"sampler": _sampler, "seed": _seed, "refiner": _refiner}
