"""`/sdapi/v1/scripts` and `/sdapi/v1/script-info`: the scripts that a job can run, with their arguments."""

from collections.abc import Sequence
from typing import Any

from generate_on_cloud.contract.controlnet import CONTROLNET
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.script_arguments import Argument, Choice, Real, Several, Whole
from generate_on_cloud.contract.scripts import LABELS, RANGES, SOFT_INPAINTING, SoftInpainting
from generate_on_cloud.contract.selectable_scripts import find_script, titles

_SOFT_DEFAULTS = SoftInpainting().infotext()
_M2M = "controlnet m2m"
"""A script of the extension by which webuiapi knows that ControlNet is there; it is listed and cannot be run."""
_CONTROLNET_UNITS = 3
"""As many as the extension shows when it is new."""


def scripts() -> dict[str, list[str]]:
    """Titles in lower case, as WebUI lists them."""
    return {
        "txt2img": [*map(str.lower, titles(Task.TXT2IMG)), _M2M, CONTROLNET.lower()],
        "img2img": [*map(str.lower, titles(Task.IMG2IMG)), _M2M, SOFT_INPAINTING.lower(), CONTROLNET.lower()],
    }


def script_info() -> list[dict[str, Any]]:
    """One entry for each script and tab, with its arguments in order."""
    rows = [
        _row(title, always=False, task=task, arguments=_arguments(find_script(title, task).arguments))
        for task in (Task.TXT2IMG, Task.IMG2IMG)
        for title in titles(task)
    ]
    rows += [_row(_M2M, always=False, task=task, arguments=[]) for task in (Task.TXT2IMG, Task.IMG2IMG)]
    units = [_argument(f"ControlNet Unit {number}") for number in range(_CONTROLNET_UNITS)]
    rows += [_row(CONTROLNET, always=True, task=task, arguments=units) for task in (Task.TXT2IMG, Task.IMG2IMG)]
    return [*rows, _row(SOFT_INPAINTING, always=True, task=Task.IMG2IMG, arguments=_soft_inpainting())]


def _row(title: str, *, always: bool, task: Task, arguments: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": title.lower(),
        "is_alwayson": always,
        "is_img2img": task is Task.IMG2IMG,
        "args": list(arguments),
    }


def _argument(label: str, **known: Any) -> dict[str, Any]:
    return {"label": label, "value": None, "minimum": None, "maximum": None, "step": None, "choices": None} | known


def _arguments(arguments: Sequence[Argument]) -> list[dict[str, Any]]:
    return [_argument(one.name, value=_plain(one.default), **_bounds(one)) for one in arguments]


def _bounds(argument: Argument) -> dict[str, Any]:
    kind = argument.kind
    if isinstance(kind, (Whole, Real)):
        return {"minimum": kind.low, "maximum": kind.high, "step": 1 if isinstance(kind, Whole) else 0.01}
    if isinstance(kind, (Choice, Several)):
        return {"choices": list(kind.options)}
    return {}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _soft_inpainting() -> list[dict[str, Any]]:
    numbers = [
        _argument(label.removeprefix("Soft inpainting ").capitalize(), value=_SOFT_DEFAULTS[label], minimum=low,
                  maximum=high, step=0.1)
        for label, (low, high) in zip(LABELS, RANGES, strict=True)
    ]  # fmt: skip
    return [_argument("Soft inpainting", value=False), *numbers]
