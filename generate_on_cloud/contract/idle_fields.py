"""Fields that have no effect in a request: clients send them with zeros, and WebUI never looks at them."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from generate_on_cloud.contract.script_switches import is_false
from generate_on_cloud.contract.task_params import TaskParams

HIRES_FIELDS = frozenset(
    {
        "hr_scale", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "firstphase_width", "firstphase_height",
        "denoising_strength",
    }
)  # fmt: skip
"""Of txt2img without `enable_hr`."""
MASK_FIELDS = frozenset(
    {
        "mask_blur", "mask_blur_x", "mask_blur_y", "inpainting_fill", "inpaint_full_res", "inpaint_full_res_padding",
        "inpainting_mask_invert", "mask_round",
    }
)  # fmt: skip
"""Of img2img without a mask."""


def idle_fields(params: Mapping[str, Any], model: type[TaskParams]) -> dict[str, str]:
    """The fields without effect, with the field that would give them one."""
    if params.get("infotext"):  # it may bring what gives them an effect
        return {}
    idle: dict[str, str] = {}
    if "enable_hr" in model.model_fields and is_false(params.get("enable_hr")):
        idle |= dict.fromkeys(HIRES_FIELDS, "enable_hr")
    if "mask" in model.model_fields and not params.get("mask"):
        idle |= dict.fromkeys(MASK_FIELDS, "mask")
    if "refiner_checkpoint" in model.model_fields and not params.get("refiner_checkpoint"):
        idle["refiner_switch_at"] = "refiner_checkpoint"
    return idle


def drop_idle_faults(
    params: dict[str, Any], model: type[TaskParams], error: ValidationError, *, warn: Callable[[str, str], None]
) -> bool:
    """Take the fields without effect that `error` is about out of `params`; whether there was one."""
    idle = idle_fields(params, model)
    faulty = {str(found["loc"][0]): found["input"] for found in error.errors(include_url=False) if found["loc"]}
    dropped = {name: received for name, received in faulty.items() if name in idle}
    for name, received in dropped.items():
        del params[name]
        warn(f"/{name}", f"received {repr(received)[:60]}; without {idle[name]} it has no effect and was ignored")
    return bool(dropped)
