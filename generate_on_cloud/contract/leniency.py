"""Drops from a request what WebUI drops, too, and lists it in the answer's `warnings`.

Real clients send their own fields, the sibling task's fields, every installed script and options of the page. Whatever
would change the picture and is not supported stays in the params and is refused there. `strict` requests skip this.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from generate_on_cloud.contract.controlnet import CONTROLNET
from generate_on_cloud.contract.controlnet_leniency import no_units, tidy_units
from generate_on_cloud.contract.errors import FieldError, reference_token
from generate_on_cloud.contract.idle_options import AT_REST, is_idle
from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams, Img2ImgParams
from generate_on_cloud.contract.script_switches import SILENT_SCRIPTS, is_off
from generate_on_cloud.contract.scripts import SOFT_INPAINTING
from generate_on_cloud.contract.suggestions import nearest
from generate_on_cloud.contract.task_params import TaskParams

SHOWN = 60
"""Maximum characters of a received name or value that a warning repeats."""
MAX_POINTER = 160
MAX_WARNINGS = 40
"""Maximum number of warnings per request; the last one counts the rest."""

CLIP_SKIP, FORMAT, VAE = "CLIP_stop_at_last_layers", "samples_format", "sd_vae"
CHECKPOINT = "sd_model_checkpoint"
_EMPTY_MEANS_NONE = frozenset(
    {
        "mask", "firstpass_image", "refiner_checkpoint", "hr_upscaler", "hr_checkpoint_name", "hr_sampler_name",
        "hr_scheduler", "scheduler", "sampler_name", "script_name", "infotext", "force_task_id", "interrogator",
        "tagger", "latent_mask", "upscaler_1", "upscaler_2",
    }
)  # fmt: skip
"""Text and picture fields in which `""` means null."""
_NOTHING_MEANS_NONE = frozenset({"override_settings", "alwayson_scripts", "comments", "script_args", "styles"})
"""Objects and lists in which `""`, `[]`, `{}` and `None` mean null."""
_NONE_MEANS_NONE = frozenset(
    {"refiner_checkpoint", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "script_name", "scheduler"}
)
"""Fields in which the page's choice `None` means null."""


@dataclass
class Relaxed:
    """A request's params without what WebUI would ignore."""

    params: dict[str, Any]
    warnings: list[FieldError] = field(default_factory=list)
    """What was dropped or changed; pointers are relative to the params."""
    unsupported: list[FieldError] = field(default_factory=list)
    """Requested scripts and options, by name, that change pictures and are not supported."""

    def warn(self, pointer: str, message: str) -> None:
        self.warnings.append(FieldError(pointer=pointer[:MAX_POINTER], message=message))

    def refuse(self, pointer: str, message: str) -> None:
        self.unsupported.append(FieldError(pointer=pointer[:MAX_POINTER], message=message))


def relax(task: Task, document: Mapping[str, Any]) -> Relaxed:
    """The params of a lenient request, ready for `PARAMS_BY_TASK[task]`; `document` is not changed."""
    model = PARAMS_BY_TASK[task]
    relaxed = Relaxed(dict(document))
    # 1. Unknown fields, those of the sibling task, and empty ones.
    _drop_fields(relaxed, model)
    # 2. Numbers as WebUI's JSON reader accepts them.
    _read_numbers(relaxed, model)
    if issubclass(model, ImageParams):
        # 3. Scripts that are off or ignored, and fields of ControlNet units from other versions.
        _drop_styles(relaxed)
        _drop_scripts(relaxed, pictured=issubclass(model, Img2ImgParams))
    # 4. Options that change no picture.
    _drop_options(relaxed, interrogation=not issubclass(model, ImageParams))
    if len(relaxed.warnings) > MAX_WARNINGS:
        unsaid = len(relaxed.warnings) - MAX_WARNINGS + 1
        del relaxed.warnings[MAX_WARNINGS - 1 :]
        relaxed.warn("", f"{unsaid} more fields, scripts or options were ignored")
    return relaxed


def _drop_fields(relaxed: Relaxed, model: type[TaskParams]) -> None:
    for name, value in list(relaxed.params.items()):
        if name not in model.model_fields:
            del relaxed.params[name]
            # Only the first few are shown, and a suggestion takes a tenth of a millisecond.
            shown = len(relaxed.warnings) < MAX_WARNINGS
            relaxed.warn(f"/{_escaped(name)}", _unknown_field(name, model) if shown else "")
        elif _means_null(value, model, name):
            del relaxed.params[name]
            relaxed.warn(f"/{name}", f"{value!r} means no value; the field was ignored")
    if relaxed.params.get("script_args") and not relaxed.params.get("script_name"):
        del relaxed.params["script_args"]
        relaxed.warn("/script_args", "arguments without a script_name were ignored")


def _means_null(value: object, model: type[TaskParams], name: str) -> bool:
    if name in _NOTHING_MEANS_NONE:
        wanted = list if isinstance(model.model_fields[name].default, list) else dict
        return value in ("", "None", [], {}) and not isinstance(value, wanted)
    return name in _EMPTY_MEANS_NONE and (value == "" or (value == "None" and name in _NONE_MEANS_NONE))


def _unknown_field(name: str, model: type[TaskParams]) -> str:
    owners = [task.value for task, other in PARAMS_BY_TASK.items() if name in other.model_fields]
    if owners:
        return f"{_shown(name)!r} is only a field of {' and '.join(owners)} and was ignored"
    return f"{_shown(name)!r} is not a field of WebUI's API and was ignored{nearest(name, model.model_fields)}"


def _read_numbers(relaxed: Relaxed, model: type[TaskParams]) -> None:
    for name, value in list(relaxed.params.items()):
        kinds = _kinds(model, name)
        if str in kinds and isinstance(value, (int, float)) and not isinstance(value, bool):
            relaxed.params[name] = str(value)
        elif int in kinds and float not in kinds and bool not in kinds:
            read = _whole(value)
            if isinstance(value, float) and read != value and read is not None:
                relaxed.warn(f"/{name}", f"received {value}; the fraction was cut off, as in WebUI")
            relaxed.params[name] = value if read is None else read


def _whole(value: object) -> int | None:
    """The integer that pydantic 1, which WebUI reads its requests with, makes of a value; None if it cannot."""
    if isinstance(value, float) and math.isfinite(value):
        return math.trunc(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return None


@cache
def _kinds(model: type[TaskParams], name: str) -> frozenset[type]:
    """The types of a field, without None; for a Literal, the types of its values."""
    return frozenset(_types(model.model_fields[name].annotation))


def _types(annotation: Any) -> list[type]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(inner[0])
    if origin is Literal:
        return [type(value) for value in inner]
    if origin in (Union, UnionType):
        return [kind for each in inner for kind in _types(each)]
    return [annotation] if annotation in (int, float, str, bool) else []


def _drop_styles(relaxed: Relaxed) -> None:
    styles = relaxed.params.get("styles")
    if isinstance(styles, list) and any(style in (None, "", "None") for style in styles):
        relaxed.params["styles"] = [style for style in styles if style not in (None, "", "None")]
        relaxed.warn("/styles", "the empty style ('None') was ignored")


def _drop_scripts(relaxed: Relaxed, *, pictured: bool) -> None:
    scripts = relaxed.params.get("alwayson_scripts")
    if not isinstance(scripts, dict):
        return
    kept = dict(scripts)
    own = {CONTROLNET.lower(), *([SOFT_INPAINTING.lower()] if pictured else [])}
    for title, script in scripts.items():
        pointer, name = f"/alwayson_scripts/{_escaped(title)}", title.lower()
        if name == CONTROLNET.lower() and no_units(script):
            del kept[title]
            relaxed.warn(pointer, f"the script {_shown(title)!r} has no units and was ignored")
        elif name == CONTROLNET.lower():
            kept[title] = tidy_units(script, warn=_below(relaxed, pointer))
        elif name in own:
            continue
        elif name in SILENT_SCRIPTS:
            del kept[title]
            relaxed.warn(pointer, f"the script {_shown(title)!r} was ignored: {SILENT_SCRIPTS[name]}")
        elif is_off(script):
            del kept[title]
            relaxed.warn(pointer, f"the script {_shown(title)!r} is off and was ignored")
        else:
            del kept[title]
            known = (SOFT_INPAINTING, CONTROLNET) if pictured else (CONTROLNET,)
            relaxed.refuse(
                pointer,
                f"the script {_shown(title)!r} is not supported yet; allowed: {', '.join(known)}, or switched off",
            )
    relaxed.params["alwayson_scripts"] = kept


def _drop_options(relaxed: Relaxed, *, interrogation: bool) -> None:
    settings = relaxed.params.get("override_settings")
    if not isinstance(settings, dict):
        return
    kept = dict(settings)
    for name, value in settings.items():
        pointer = f"/override_settings/{_escaped(name)}"
        if name in (InterrogateOptions.model_fields if interrogation else OPTIONS):
            if reason := _ignored(name, value):
                del kept[name]
                relaxed.warn(pointer, f"{reason}; the option was ignored")
            elif not interrogation:
                kept[name] = _as_the_option(name, value)
                if name == VAE and value == "":
                    relaxed.warn(pointer, "'' was read as 'None', the checkpoint's own VAE, as in WebUI")
        elif is_idle(name) or (interrogation and (name in OPTIONS or name in AT_REST)):
            del kept[name]
            relaxed.warn(pointer, f"the option {name} has no effect here and was ignored")
        elif name in AT_REST:
            del kept[name]
            if value is None or value in AT_REST[name]:
                relaxed.warn(pointer, f"the option {name} has its default value and was ignored")
            else:
                allowed = " or ".join(map(repr, AT_REST[name]))
                relaxed.refuse(pointer, f"{name} = {_shown(repr(value))} is not supported yet; allowed: {allowed}")
    relaxed.params["override_settings"] = kept


def _ignored(name: str, value: object) -> str | None:
    """Why a value of an option of ours says nothing; None if it says something."""
    if value is None:
        return f"null means the default of {name}"
    if name == CLIP_SKIP and isinstance(value, int) and value < 1:
        return f"received {value}; below 1, WebUI skips no layer"
    if name == CHECKPOINT and value in ("", "None", "none"):
        return f"{value!r} means no checkpoint"
    return None


def _as_the_option(name: str, value: object) -> object:
    """A number or a yes or no that came as text, and 0 or 1 for no and yes, as fields take them; else the value."""
    default = OPTIONS[name].default
    if not isinstance(value, str):
        return bool(value) if isinstance(default, bool) and value in (0, 1) else value
    if isinstance(default, bool):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), value)
    if isinstance(default, (int, float)):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if isinstance(default, int) and number.is_integer() else number
    if name == FORMAT:
        return value.lower()
    return "None" if name == VAE and value == "" else value


def _below(relaxed: Relaxed, pointer: str) -> Callable[[str, str], None]:
    return lambda inner, message: relaxed.warn(f"{pointer}{inner}", message)


def _escaped(name: str) -> str:
    return reference_token(_shown(name))


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
