"""Selectable scripts (`script_name`, `script_args`): those that ship with WebUI 1.10.1, with its lists of arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.limits import MAX_BLUR, MAX_PICTURES, MAX_PROMPT, MAX_SCALE, MAX_SIDE, MAX_STEPS
from generate_on_cloud.contract.script_arguments import (
    Argument,
    AxisName,
    Choice,
    Kind,
    Label,
    Real,
    Several,
    Switch,
    Text,
    Texts,
    Whole,
    read_arguments,
)
from generate_on_cloud.contract.suggestions import nearest
from generate_on_cloud.contract.upscalers import MAX_NAME, PIXEL_UPSCALERS, read_upscaler

SIDES = ("left", "right", "up", "down")
MASKED_CONTENT = ("fill", "original", "latent noise", "latent nothing")
MAX_GROWTH = 4096
"""Pixels by which outpainting may grow a picture on each side."""


@dataclass(frozen=True)
class SdUpscale:
    """Enlarges the init picture and draws it anew in overlapping tiles of the request's width and height."""

    overlap: int
    """Pixels that neighbouring tiles share."""
    upscaler: str
    scale_factor: float


@dataclass(frozen=True)
class Loopback:
    """Draws from its own result again and again."""

    loops: int
    final_denoising_strength: float
    denoising_curve: Literal["Aggressive", "Linear", "Lazy"]
    append_interrogation: Literal["None", "CLIP", "DeepBooru"]
    """What describes each picture; its words follow the request's prompt."""


@dataclass(frozen=True)
class PoorMansOutpainting:
    """Adds a frame to the init picture and draws the tiles that touch it."""

    pixels: int
    mask_blur: int
    inpainting_fill: str
    """One of MASKED_CONTENT."""
    direction: tuple[str, ...]


@dataclass(frozen=True)
class OutpaintingMk2:
    """Grows the init picture side by side, each from noise that resembles the picture."""

    pixels: int
    mask_blur: int
    direction: tuple[str, ...]
    noise_q: float
    """Exponent of the spectrum's fall-off; lower: more detail."""
    color_variation: float


@dataclass(frozen=True)
class PromptMatrix:
    """Draws every combination of the parts of a prompt that `|` separates."""

    put_at_start: bool
    different_seeds: bool
    prompt_type: Literal["positive", "negative"]
    variations_delimiter: Literal["comma", "space"]
    margin_size: int
    """Pixels between the cells of the grid."""


@dataclass(frozen=True)
class PromptsFromFile:
    """Draws every line of a text."""

    checkbox_iterate: bool
    """Each line has a seed after those of the line before."""
    checkbox_iterate_batch: bool
    """All lines have one seed, also if the request leaves it to chance."""
    prompt_position: Literal["start", "end"]
    """Where a line's prompts go in the request's."""
    prompt_txt: str


@dataclass(frozen=True)
class XyzPlot:
    """Draws every combination of the values of three axes; `generate_on_cloud.contract.plot_axes` has the axes."""

    x_type: str | int
    """Label of the axis, or its place in WebUI's list for the task."""
    x_values: str
    x_values_dropdown: tuple[str, ...]
    y_type: str | int
    y_values: str
    y_values_dropdown: tuple[str, ...]
    z_type: str | int
    z_values: str
    z_values_dropdown: tuple[str, ...]
    draw_legend: bool
    include_lone_images: bool
    include_sub_grids: bool
    no_fixed_seeds: bool
    """Keep -1: every cell has a random seed."""
    vary_seeds_x: bool
    vary_seeds_y: bool
    vary_seeds_z: bool
    margin_size: int
    """Pixels between cells."""
    csv_mode: bool
    """Read the texts also for axes with a list."""


@dataclass(frozen=True)
class Img2ImgAlternative:
    """Draws from the noise that the init picture would have been drawn from."""

    override_sampler: bool
    """Draw with Euler."""
    override_prompt: bool
    """Draw the original prompts."""
    original_prompt: str
    """Describes the init picture; the noise is found with it."""
    original_negative_prompt: str
    override_steps: bool
    """Draw in `st` steps."""
    st: int
    """Steps in which the noise is found."""
    override_strength: bool
    """Draw with a denoising strength of 1."""
    cfg: float
    """CFG scale with which the noise is found."""
    randomness: float
    """0–1: how much of the seed's own noise is mixed in."""
    sigma_adjustment: bool
    """Call the model at the noise level before each step instead of the one after it."""


SelectedScript = (
    XyzPlot
    | PromptMatrix
    | PromptsFromFile
    | SdUpscale
    | Loopback
    | PoorMansOutpainting
    | OutpaintingMk2
    | Img2ImgAlternative
)

VARYING = (PromptMatrix, PromptsFromFile, XyzPlot, Img2ImgAlternative)
"""Scripts whose drawings differ in the request's own fields."""


@dataclass(frozen=True)
class _Upscaler:
    """The name of an upscaler, or WebUI's index of a built-in one.

    In WebUI, files have the indexes above these, in an order that differs between installations.
    """

    allowed = "None, Lanczos, Nearest (or 0 to 2), or the name of an uploaded upscaler"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            return Choice(PIXEL_UPSCALERS).read(value)
        return read_upscaler(value)


@dataclass(frozen=True)
class ScriptRow:
    """A script that ships with WebUI."""

    title: str
    kind: type[Any]
    """Its arguments as a dataclass."""
    arguments: tuple[Argument, ...] = ()
    tasks: tuple[Task, ...] = (Task.IMG2IMG, Task.TXT2IMG)


def _argument(name: str, kind: Kind, default: object) -> Argument:
    return Argument(name, kind, default)


def _axis_arguments(name: str, kind: int) -> tuple[Argument, ...]:
    return (
        _argument(f"{name}_type", AxisName(), kind),
        _argument(f"{name}_values", Text(MAX_PROMPT), ""),
        _argument(f"{name}_values_dropdown", Texts(MAX_PICTURES), ()),
    )


_LABEL = Argument("info", Label(), None)
_IMG2IMG = (Task.IMG2IMG,)

_ROWS: tuple[ScriptRow, ...] = (
    ScriptRow(
        "img2img alternative test",
        Img2ImgAlternative,
        (
            _LABEL,
            _argument("override_sampler", Switch(), default=True),
            _argument("override_prompt", Switch(), default=True),
            _argument("original_prompt", Text(MAX_PROMPT), ""),
            _argument("original_negative_prompt", Text(MAX_PROMPT), ""),
            _argument("override_steps", Switch(), default=True),
            _argument("st", Whole(1, MAX_STEPS), 50),
            _argument("override_strength", Switch(), default=True),
            _argument("cfg", Real(-MAX_SCALE, MAX_SCALE), 1.0),
            _argument("randomness", Real(0, 1), 0.0),
            _argument("sigma_adjustment", Switch(), default=False),
        ),
        _IMG2IMG,
    ),
    ScriptRow(
        "Loopback",
        Loopback,
        (
            _argument("loops", Whole(1, MAX_PICTURES), 4),
            _argument("final_denoising_strength", Real(0, 1), 0.5),
            _argument("denoising_curve", Choice(("Aggressive", "Linear", "Lazy")), "Linear"),
            _argument("append_interrogation", Choice(("None", "CLIP", "DeepBooru")), "None"),
        ),
        _IMG2IMG,
    ),
    ScriptRow(
        "Outpainting mk2",
        OutpaintingMk2,
        (
            _LABEL,
            _argument("pixels", Whole(8, MAX_GROWTH), 128),
            _argument("mask_blur", Whole(0, MAX_BLUR // 4), 8),
            _argument("direction", Several(SIDES), SIDES),
            _argument("noise_q", Real(0, 4), 1.0),
            _argument("color_variation", Real(0, 1), 0.05),
        ),
        _IMG2IMG,
    ),
    ScriptRow(
        "Poor man's outpainting",
        PoorMansOutpainting,
        (
            _argument("pixels", Whole(8, MAX_GROWTH), 128),
            _argument("mask_blur", Whole(0, MAX_BLUR // 2), 4),
            _argument("inpainting_fill", Choice(MASKED_CONTENT), "fill"),
            _argument("direction", Several(SIDES), SIDES),
        ),
        _IMG2IMG,
    ),
    ScriptRow(
        "Prompt matrix",
        PromptMatrix,
        (
            _argument("put_at_start", Switch(), default=False),
            _argument("different_seeds", Switch(), default=False),
            _argument("prompt_type", Choice(("positive", "negative")), "positive"),
            _argument("variations_delimiter", Choice(("comma", "space")), "comma"),
            _argument("margin_size", Whole(0, 500), 0),
        ),
    ),
    ScriptRow(
        "Prompts from file or textbox",
        PromptsFromFile,
        (
            _argument("checkbox_iterate", Switch(), default=False),
            _argument("checkbox_iterate_batch", Switch(), default=False),
            _argument("prompt_position", Choice(("start", "end")), "start"),
            _argument("prompt_txt", Text(MAX_PROMPT), ""),
        ),
    ),
    ScriptRow(
        "SD upscale",
        SdUpscale,
        (
            _LABEL,
            _argument("overlap", Whole(0, MAX_SIDE), 64),
            _argument("upscaler", _Upscaler(), "None"),
            _argument("scale_factor", Real(1, 16), 2.0),
        ),
        _IMG2IMG,
    ),
    ScriptRow(
        "X/Y/Z plot",
        XyzPlot,
        (
            *(row for name, kind in (("x", 1), ("y", 0), ("z", 0)) for row in _axis_arguments(name, kind)),
            _argument("draw_legend", Switch(), default=True),
            *(
                _argument(name, Switch(), default=False)
                for name in ("include_lone_images", "include_sub_grids", "no_fixed_seeds")
            ),
            *(_argument(f"vary_seeds_{axis}", Switch(), default=False) for axis in "xyz"),
            _argument("margin_size", Whole(0, 500), 0),
            _argument("csv_mode", Switch(), default=False),
        ),
    ),
)
SCRIPTS: Mapping[str, ScriptRow] = MappingProxyType({row.title.casefold(): row for row in _ROWS})
"""Rows by the title in lower case."""


def titles(task: Task) -> tuple[str, ...]:
    """The scripts that a task can run."""
    return tuple(row.title for row in _ROWS if task in row.tasks)


def find_script(name: str, task: Task) -> ScriptRow:
    """The row of a script that ships with WebUI; case does not matter.

    Raises:
        ValueError: no such script, or not one for this task; the text says what is allowed.
    """
    row = SCRIPTS.get(name.casefold())
    if row is None:
        known = titles(task)
        raise ValueError(f"unknown script {name[:MAX_NAME]!r}; allowed: {', '.join(known)}{nearest(name, known)}")
    if task not in row.tasks:
        raise ValueError(f"the script {row.title!r} is only for {row.tasks[0]}; allowed: {', '.join(titles(task))}")
    return row


def read_script(name: str, arguments: Sequence[object], task: Task) -> SelectedScript:
    """The script with its arguments.

    Raises:
        ValueError: as in `find_script`, or an argument that is not allowed.
    """
    row = find_script(name, task)
    script: SelectedScript = row.kind(**read_arguments(row.title, row.arguments, arguments))
    return script


def describe_scripts(schema: dict[str, Any]) -> None:
    """Describe every script's arguments in the JSON schema of `script_args`."""
    lines = [
        f"{row.title}: " + ", ".join(f"{one.name} = {one.default!r} ({one.kind.allowed})" for one in row.arguments)
        for row in _ROWS
    ]
    schema["description"] = "The script's arguments in WebUI's order, with its defaults. " + "; ".join(lines)
