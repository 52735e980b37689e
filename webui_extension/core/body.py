"""The body of WebUI's API from the values of a tab, by parameter name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webui_extension.core.errors import PanelError
from webui_extension.core.modes import drawn, has_forge_canvases
from webui_extension.core.overrides import changed_options
from webui_extension.core.pictures import data_url
from webui_extension.core.prompts import strip_comments
from webui_extension.core.scripts import ScriptValues, script_fields
from webui_extension.core.texts import say

_BOTH = ("n_iter", "batch_size", "cfg_scale")
_HIRES = (
    "hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_checkpoint_name",
    "hr_sampler_name", "hr_scheduler", "hr_prompt", "hr_negative_prompt",
)  # fmt: skip
_IMG2IMG = ("denoising_strength", "image_cfg_scale", "resize_mode")
_MASKED = ("mask_blur", "inpainting_fill", "inpaint_full_res_padding", "inpainting_mask_invert")
_WHOLE = frozenset(
    {
        "n_iter", "batch_size", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "mask_blur",
        "inpaint_full_res_padding",
    }
)  # fmt: skip
AUTOMATIC = "Automatic"


@dataclass(frozen=True)
class Host:
    """What only the host knows."""

    setting: Callable[[str], Any] = lambda _: None
    """Its settings by name; None for those it does not have."""
    styles: Callable[[str, Sequence[str], bool], str] = lambda prompt, _names, _negative: prompt
    """Merges the styles of these names into a prompt; the last argument says which of the two."""
    overrides: Callable[[Any], dict[str, Any]] = lambda _: {}
    """The tab's own override settings, from texts like `Clip skip: 2`."""


@dataclass(frozen=True)
class Tab:
    """The values of a tab at the moment of the click."""

    task: str
    """`txt2img` or `img2img`."""
    named: Mapping[str, Any]
    """By the parameter names of the host's own function."""
    scripts: Sequence[ScriptValues] = ()
    """The always-on scripts."""
    selected: ScriptValues | None = None
    vae: str = AUTOMATIC
    warnings: list[str] = field(default_factory=list)
    """What the picture will lack; `build` adds to it."""


def build(tab: Tab, host: Host) -> dict[str, Any]:
    """`params` of `POST /v1/jobs`; LoRA names are still the host's.

    Raises:
        PanelError: a picture or mask is missing, or something that is on cannot run in the cloud.
    """
    named = tab.named
    body: dict[str, Any] = {name: _number(name, named[name]) for name in _BOTH if name in named}
    body.update(width=int(named["width"]), height=int(named["height"]), styles=[], send_images=True)
    body.update(prompt=_prompt(named, host, negative=False), negative_prompt=_prompt(named, host, negative=True))
    body.update(_img2img(named) if tab.task == "img2img" else _txt2img(tab, host))
    body.update(script_fields(tab.scripts, tab.selected, masked="mask" in body))
    options = {**changed_options(host.setting), **host.overrides(named.get("override_settings_texts"))}
    options.pop("sd_model_checkpoint", None)
    if tab.vae != AUTOMATIC:
        options["sd_vae"] = tab.vae
    body["override_settings"] = options
    return body


def _prompt(named: Mapping[str, Any], host: Host, *, negative: bool, prefix: str = "") -> str:
    text = str(named.get(f"{prefix}{'negative_prompt' if negative else 'prompt'}") or "")
    text = host.styles(text, named.get("prompt_styles") or (), negative)
    return text if host.setting("enable_prompt_comments") is False else strip_comments(text)


def _txt2img(tab: Tab, host: Host) -> dict[str, Any]:
    named = tab.named
    if not named.get("enable_hr"):
        return {}
    fields = {name: _number(name, named[name]) for name in _HIRES if name in named}
    for negative, name in ((False, "hr_prompt"), (True, "hr_negative_prompt")):
        if fields.get(name):  # without one, the second pass uses the first one's, styles and all
            fields[name] = _prompt(named, host, negative=negative, prefix="hr_")
    hires_cfg = named.get("hr_cfg")
    if hires_cfg is not None and hires_cfg != named["cfg_scale"]:
        tab.warnings.append(say("no_hires_cfg", hires=hires_cfg, first=named["cfg_scale"]))
    return {**fields, "enable_hr": True, "denoising_strength": named["denoising_strength"]}


def _img2img(named: Mapping[str, Any]) -> dict[str, Any]:
    picture = drawn(int(named["mode"]), named)
    fields: dict[str, Any] = {name: _number(name, named[name]) for name in _IMG2IMG if name in named}
    fields["init_images"] = [data_url(picture.image)]
    if picture.mask is not None:
        fields.update({name: _number(name, named[name]) for name in _MASKED if name in named})
        fields["mask"] = data_url(picture.mask)
        fields["inpaint_full_res"] = bool(named["inpaint_full_res"])
    if named.get("selected_scale_tab") == 1:
        sides = [int(side * named["scale_by"]) for side in picture.image.size]
        if has_forge_canvases(named):  # Forge rounds down to whole latents
            sides = [side - side % 8 for side in sides]
        if min(sides) < 1:
            raise PanelError(say("too_small", factor=named["scale_by"]))
        fields["width"], fields["height"] = sides
    return fields


def _number(name: str, value: Any) -> Any:
    """Sliders give floats in one host and whole numbers in the other."""
    return int(value) if name in _WHOLE else value
