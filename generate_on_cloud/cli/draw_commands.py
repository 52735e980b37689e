"""`goc txt2img`, `img2img`, `inpaint`, `interrogate`, `upscale`: from a prompt or pictures to saved results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from generate_on_cloud.cli.draw_options import LookOptions, SendOptions, set_fields
from generate_on_cloud.cli.drawing import Work, draw, request_of
from generate_on_cloud.cli.dynamic_prompts import prompts_of
from generate_on_cloud.cli.option_groups import with_options
from generate_on_cloud.cli.output import AsJson
from generate_on_cloud.cli.picture_files import mask_of, pictures_in, read_picture
from generate_on_cloud.cli.session import defaults
from generate_on_cloud.contract.jobs import Task

Prompt = Annotated[str, typer.Argument(metavar="PROMPT", help="`{red|blue} fox` draws one job for each choice.")]
Plain = Annotated[bool, typer.Option("--plain-prompt", help="Braces in the prompt are text, no choices.")]
Picture = Annotated[Path, typer.Argument(metavar="PICTURE", help="A picture, or a folder of them.", exists=True)]
Pictures = Annotated[
    list[Path], typer.Argument(metavar="PICTURE...", help="Pictures, or folders of them.", exists=True)
]


class Fill(StrEnum):
    """WebUI's masked content, in the order of `inpainting_fill`."""

    FILL = "fill"
    ORIGINAL = "original"
    NOISE = "noise"
    NOTHING = "nothing"


class Model(StrEnum):
    CLIP = "clip"
    DEEPBOORU = "deepbooru"


TASK_OF_MODEL = {Model.CLIP: Task.INTERROGATE_CLIP, Model.DEEPBOORU: Task.INTERROGATE_DEEPBOORU}


@dataclass(frozen=True)
class ChangeOptions:
    """What img2img does with the picture."""

    denoising_strength: Annotated[
        float | None, typer.Option("--denoising-strength", "-d", metavar="X", help="0: keep the picture, 1: ignore it.")
    ] = None
    resize_mode: Annotated[
        int | None, typer.Option(metavar="0-3", help="0 stretch, 1 crop, 2 fill, 3 stretch latents.")
    ] = None


@dataclass(frozen=True)
class MaskOptions:
    """Where and how to inpaint."""

    mask_blur: Annotated[int | None, typer.Option(metavar="PIXELS", help="Soft edge of the mask.")] = None
    fill: Annotated[Fill | None, typer.Option(help="What the masked area begins with.")] = None
    only_masked: Annotated[
        bool | None,
        typer.Option("--only-masked/--whole-picture", help="Draw the masked area enlarged, or the whole picture."),
    ] = None
    padding: Annotated[int | None, typer.Option(metavar="PIXELS", help="Around the masked area.")] = None
    invert: Annotated[bool, typer.Option("--invert", help="Inpaint what is not masked.")] = False

    def body(self) -> dict[str, Any]:
        named = {
            "mask_blur": self.mask_blur,
            "inpainting_fill": None if self.fill is None else list(Fill).index(self.fill),
            "inpaint_full_res": self.only_masked,
            "inpaint_full_res_padding": self.padding,
            "inpainting_mask_invert": 1 if self.invert else None,
        }
        return {name: value for name, value in named.items() if value is not None}


@with_options(look=LookOptions, send=SendOptions)
def txt2img(
    prompt: Prompt, *, plain: Plain = False, look: LookOptions, send: SendOptions, as_json: AsJson = False
) -> None:
    """Draw from a prompt: `goc txt2img "a red fox" --save out/`."""
    body = look.body(defaults())
    works = (
        _work(Task.TXT2IMG, send, {**body, "prompt": one}, label=one) for one in _prompts(prompt, plain=plain)
    )  # fmt: skip
    draw(list(works), send, as_json=as_json)


@with_options(change=ChangeOptions, masking=MaskOptions, look=LookOptions, send=SendOptions)
def img2img(
    picture: Picture, prompt: Prompt, *,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="White is repainted; or a folder of masks by name.", exists=True)
    ] = None,
    plain: Plain = False,
    change: ChangeOptions, masking: MaskOptions, look: LookOptions, send: SendOptions, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Draw from pictures and a prompt: `goc img2img photo.png "a red fox" --save out/`."""
    _change(
        picture, mask, _prompts(prompt, plain=plain),
        change=change, masking=masking, look=look, send=send, as_json=as_json,
    )  # fmt: skip


@with_options(change=ChangeOptions, masking=MaskOptions, look=LookOptions, send=SendOptions)
def inpaint(
    picture: Picture,
    mask: Annotated[Path, typer.Argument(metavar="MASK", help="White is repainted; may be a folder.", exists=True)],
    prompt: Prompt, *,
    plain: Plain = False,
    change: ChangeOptions, masking: MaskOptions, look: LookOptions, send: SendOptions, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Repaint what a mask covers: `goc inpaint photo.png mask.png "a red fox" --save out/`."""
    _change(
        picture, mask, _prompts(prompt, plain=plain),
        change=change, masking=masking, look=look, send=send, as_json=as_json,
    )  # fmt: skip


@with_options(send=SendOptions)
def interrogate(
    pictures: Pictures, *,
    model: Annotated[Model, typer.Option(help="A caption by CLIP, or DeepBooru's tags.")] = Model.CLIP,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the task.")
    ] = None,
    send: SendOptions, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Describe pictures: prints a caption, or tags, for each."""
    more = set_fields(fields)
    works = [
        _work(TASK_OF_MODEL[model], send, {"image": read_picture(path), **more}, label=path.name, image=path)
        for path in pictures_in(pictures)
    ]
    draw(works, replace(send, wait=True), as_json=as_json)


@with_options(send=SendOptions)
def upscale(
    pictures: Pictures, *,
    scale: Annotated[float, typer.Option(metavar="X", help="How many times larger each side gets.")] = 2.0,
    upscaler: Annotated[
        str, typer.Option(metavar="NAME", help="Lanczos, Nearest, R-ESRGAN 4x+, or an uploaded upscaler.")
    ] = "Lanczos",
    one_job: Annotated[bool, typer.Option("--one-job", help="Send all pictures as one job, not one for each.")] = False,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Any other field of the task.")
    ] = None,
    send: SendOptions, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Enlarge pictures: `goc upscale photo.png --scale 2 --save out/`."""
    more = {"upscaling_resize": scale, "upscaler_1": upscaler, **set_fields(fields)}
    files = pictures_in(pictures)
    if one_job:
        rows = [{"data": read_picture(path), "name": path.name} for path in files]
        label = f"{len(files)} pictures"
        works = [_work(Task.EXTRA_BATCH_IMAGES, send, {"imageList": rows, **more}, label=label)]
        works[0].pictures = {f"/params/imageList/{number}": path for number, path in enumerate(files)}
    else:
        works = [
            _work(Task.EXTRA_SINGLE_IMAGE, send, {"image": read_picture(path), **more}, label=path.name, image=path)
            for path in files
        ]
    called: list[str | list[str]] = [[path.stem for path in files]] if one_job else [path.stem for path in files]
    for work, name in zip(works, called, strict=True):
        work.called = name if send.name is None else None
    draw(works, send, as_json=as_json)


def _change(
    picture: Path, mask: Path | None, prompts: Sequence[str], *, change: ChangeOptions, masking: MaskOptions,
    look: LookOptions, send: SendOptions, as_json: bool,
) -> None:  # fmt: skip
    """One img2img job for each picture and prompt."""
    named = {"denoising_strength": change.denoising_strength, "resize_mode": change.resize_mode}
    fields = look.body(defaults()) | {name: value for name, value in named.items() if value is not None}
    works: list[Work] = []
    for path in pictures_in([picture]):
        masked = mask_of(path, mask)
        drawn = {**fields, "init_images": [read_picture(path)]}
        if masked is not None:
            drawn |= {"mask": read_picture(masked), **masking.body()}
        works += [
            _work(
                Task.IMG2IMG, send, {**drawn, "prompt": one}, label=f"{path.name}, {one}",
                **{"init_images/0": path, "mask": masked},
            )
            for one in prompts
        ]  # fmt: skip
        if picture.is_dir() and send.name is None and len(prompts) == 1:
            works[-1].called = path.stem  # as WebUI's batch tab does
    draw(works, send, as_json=as_json)


def _prompts(prompt: str, *, plain: bool) -> list[str]:
    return [prompt] if plain else prompts_of(prompt)


def _work(task: Task, send: SendOptions, params: dict[str, Any], *, label: str, **pictures: Path | None) -> Work:
    """`pictures`: the files in the params, by their places there."""
    files = {f"/params/{place}": path for place, path in pictures.items() if path is not None}
    return Work(label=label, request=request_of(task, send, params), pictures=files)
