"""`make gallery`: draws every mode and option through the local cloud on labelled sheets for people to look at."""

import argparse
import base64
import io
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from demo_models.checkpoint import TRAINED
from demo_models.drawing import to_image, to_picture
from demo_models.eval_variants import VAGUE
from demo_models.renderer import Renderer
from demo_models.scenes import COLOURS, Scene, Thing
from demo_models.variants.looks import find_edges
from demo_models.variants.table import VARIANTS
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.inpaint_sketch import derive_inpaint_sketch
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.samplers import SAMPLERS
from local_cloud.cloud import LocalCloud
from local_cloud.preflight import CannotStartError

SIDE = 64
CELL = 160
"""Side length in pixels of a cell's picture on the sheet."""
GAP = 8
LABEL = 30
STILL = (0.0, 0.0, 0.0)
STAR = "a medium yellow star in the center on a blue background"
GROUND = "a medium red circle in the center on a yellow background"
HEART = "a medium green heart in the center on a blue background"
DRAWN = {"steps": 20, "cfg_scale": 6, "sampler_name": "Euler a", "seed": 11, "width": SIDE, "height": SIDE}


@dataclass(frozen=True)
class Cell:
    """One picture on a sheet: given, or drawn by a job."""

    label: str
    picture: Image.Image | None = None
    task: Task = Task.IMG2IMG
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Sheet:
    name: str
    columns: int
    cells: Sequence[Cell]


def scene(shape: str = "circle", colour: str = "red", *, x: float = 0.5, radius: float = 0.25) -> Image.Image:
    """A rendered source picture with a blue background."""
    thing = Thing(shape, colour, x, 0.5, radius, STILL)
    picture = Renderer().render([Scene("blue", STILL, (thing,), "medium", "center", None)])[0]
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def wide_scene() -> Image.Image:
    """A source with another aspect ratio than the result: 96 by 64 pixels."""
    whole = Image.new("RGB", (96, SIDE), COLOURS["blue"])
    whole.paste(scene(), (0, 0))
    whole.paste(scene("square", "yellow", radius=0.2).crop((8, 0, 56, SIDE)), (48, 0))
    return whole


def round_mask(*, radius: int = 20, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """A mask that is white (repaint) within `radius` pixels of the middle of the left square."""
    mask = Image.new("L", size, 0)
    x = y = SIDE // 2
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask


def painted(source: Image.Image) -> Image.Image:
    """`source` with strokes on it, as if drawn by hand."""
    picture = source.copy()
    pen = ImageDraw.Draw(picture)
    zigzag = [(16, 16), (48, 16), (14, 26), (50, 26), (14, 37), (50, 37), (16, 48), (48, 48)]
    pen.line(zigzag, fill=COLOURS["yellow"], width=13, joint="curve")
    return picture


def modes() -> Sheet:
    """The five modes of img2img, and txt2img."""
    source, sketch, mask = scene(), painted(scene()), round_mask()
    derived = derive_inpaint_sketch(painted=sketch, original=source, mask_blur=2)
    inpaint = {"inpainting_fill": 1, "inpaint_full_res": False, "mask_blur": 1, "denoising_strength": 0.9}
    upload = source.copy()
    upload.putalpha(255)
    return Sheet(
        "modes",
        6,
        (
            Cell("source", source),
            Cell("source, painted on", sketch),
            Cell("source", source),
            Cell("source, painted on", sketch),
            Cell("source", source),
            Cell("(no source)"),
            Cell("(no mask)"),
            Cell("(no mask)"),
            Cell("mask, brushed", mask),
            Cell("mask: what was painted", derived.mask),
            Cell("mask, uploaded", round_mask(radius=26)),
            Cell("(no mask)"),
            drawn("img2img", source, prompt=HEART, denoising_strength=0.75),
            drawn("sketch", sketch, prompt=STAR, denoising_strength=0.3),
            drawn("inpaint", source, prompt=STAR, mask=png(mask), **inpaint),
            drawn(
                "inpaint sketch",
                derived.image,
                prompt=STAR,
                mask=png(derived.mask),
                **inpaint | {"mask_blur": 2},
            ),
            drawn("inpaint upload", source, prompt=STAR, mask=png(round_mask(radius=26)), **inpaint),
            Cell("txt2img", task=Task.TXT2IMG, params={**DRAWN, "prompt": STAR}),
        ),
    )


def fills() -> Sheet:
    """Masked content by inpaint area, at two strengths."""
    source, mask = scene(), round_mask()
    names = ("fill", "original", "latent noise", "latent nothing")
    cells = []
    for whole in (True, False):
        for strength in (0.1, 0.6):
            area = "whole picture" if whole else "only masked"
            cells += [
                drawn(
                    f"{name}\n{area}, d={strength}",
                    source,
                    prompt=STAR,
                    cfg_scale=2,
                    mask=png(mask),
                    mask_blur=1,
                    inpainting_fill=number,
                    inpaint_full_res=not whole,
                    inpaint_full_res_padding=8,
                    denoising_strength=strength,
                )
                for number, name in enumerate(names)
            ]
    return Sheet("masked-content", 4, cells)


def resize_modes() -> Sheet:
    """A wide source drawn square, with and without a mask."""
    source = wide_scene()
    names = ("just resize", "crop and resize", "resize and fill", "just resize (latent)")
    mask = round_mask(size=source.size, radius=20)
    repaint = {"mask": png(mask), "mask_blur": 1, "inpainting_fill": 1, "inpaint_full_res": False}
    return Sheet(
        "resize-modes",
        5,
        (
            Cell("source, 96x64", source),
            *(
                drawn(f"{name}\nd=0.05", source, prompt="", resize_mode=number, denoising_strength=0.05)
                for number, name in enumerate(names)
            ),
            Cell("mask, 96x64", mask),
            *(
                drawn(f"{name}\ninpaint", source, prompt=STAR, resize_mode=number, denoising_strength=0.9, **repaint)
                for number, name in enumerate(names)
            ),
        ),
    )


def strengths() -> Sheet:
    """Denoising strengths and guidance scales."""
    source = scene()
    return Sheet(
        "strengths",
        7,
        (
            Cell("source", source),
            *(
                drawn(f"d={strength}, cfg=2", source, prompt=HEART, denoising_strength=strength, cfg_scale=2)
                for strength in (0.0, 0.1, 0.15, 0.2, 0.4, 1.0)
            ),
            Cell("source", source),
            *(
                drawn(f"d=0.15, cfg={scale}", source, prompt=HEART, denoising_strength=0.15, cfg_scale=scale)
                for scale in (1, 1.5, 2, 4, 7, 14)
            ),
        ),
    )


def mask_options() -> Sheet:
    """The options of masks."""
    source, mask = scene(), round_mask(radius=14)
    base = {"prompt": STAR, "mask": png(mask), "inpainting_fill": 1, "denoising_strength": 0.95}
    whole = {**base, "inpaint_full_res": False}
    soft = {"Soft Inpainting": {"args": [True, 1, 0.5, 4, 0, 0.5, 2]}}
    return Sheet(
        "mask-options",
        6,
        (
            Cell("mask", mask),
            drawn("blur 0", source, **whole, mask_blur=0),
            drawn("blur 4", source, **whole, mask_blur=4),
            drawn("blur 8", source, **whole, mask_blur=8),
            drawn("inverted", source, **whole | {"prompt": GROUND}, mask_blur=1, inpainting_mask_invert=1),
            drawn("soft inpainting", source, **whole, mask_blur=4, mask_round=False, alwayson_scripts=soft),
            Cell("source", source),
            *(
                drawn(f"only masked\npadding {padding}", source, **base, mask_blur=1, inpaint_full_res_padding=padding)
                for padding in (0, 8, 32)
            ),
            drawn(
                "colour correction",
                source,
                **whole,
                mask_blur=1,
                override_settings={"img2img_color_correction": True},
            ),
            drawn("initial noise 0.6", source, **whole, mask_blur=1, initial_noise_multiplier=0.6),
        ),
    )


def samplers() -> Sheet:
    """Every sampler from the same noise; the oldest ones need more than 20 steps and less guidance than 6."""
    gently = {"steps": 30, "cfg_scale": 3}
    return Sheet(
        "samplers",
        7,
        [
            Cell(name, task=Task.TXT2IMG, params={**DRAWN, **gently, "prompt": STAR, "sampler_name": name})
            for name in SAMPLERS
        ],
    )


def networks() -> Sheet:
    """The demo checkpoint's variants: the same request without and with each file."""
    square = "a medium red square in the center on a blue background"
    moon, sunny = (f"a medium {what} in the center on a blue background" for what in ("yellow moon", "sunny"))
    star = "a medium green star in the center on a yellow background"
    amber = {"override_settings": {"sd_vae": "amber.vae.safetensors"}}
    rows: list[tuple[str, str, str, dict[str, Any]]] = [
        ("LoRA moon", moon, f"{moon} <lora:moon:1>", {}),
        ("LoRA cyanotype", star, f"{star} <lora:cyanotype:1>", {}),
        ("LoHa night", square, f"{square} <lyco:night:1>", {}),
        ("hypernetwork hearts", square, f"{square} <hypernet:hearts:1>", {}),
        ("embedding sunny", sunny.replace("sunny", "thing"), sunny, {}),
        ("VAE amber", square, square, amber),
    ]
    without = [txt2img(f"without\n{name}", prompt) for name, prompt, _, _ in rows]
    return Sheet(
        "networks", 6, [*without, *(txt2img(f"with\n{name}", prompt, **extra) for name, _, prompt, extra in rows)]
    )


def lines() -> Sheet:
    """The ControlNet: the same vague prompt and seeds, without lines and with them."""
    cells = []
    for number, (shape, x) in enumerate((("circle", 0.285), ("heart", 0.5), ("triangle", 0.5), ("star", 0.715))):
        hint = find_edges(to_picture(scene(shape, x=x))[None])[0]
        units = {"ControlNet": {"args": [{"model": "edges", "image": png(to_image(hint))}]}}
        seed = 20 + number
        cells += [
            Cell("lines", to_image(hint)),
            txt2img("without", VAGUE, seed=seed),
            txt2img("along the lines", VAGUE, seed=seed, alwayson_scripts=units),
        ]
    return Sheet("controlnet", 6, cells)


def txt2img(label: str, prompt: str, **params: Any) -> Cell:
    """A txt2img job."""
    return Cell(label, task=Task.TXT2IMG, params={**DRAWN, "prompt": prompt, **params})


SHEETS = (networks, lines, modes, fills, resize_modes, strengths, mask_options, samplers)


def drawn(label: str, source: Image.Image, **params: Any) -> Cell:
    """An img2img job on `source`."""
    return Cell(label, params={**DRAWN, "init_images": [png(source)], **params})


def png(image: Image.Image) -> str:
    """A picture in the form used in requests."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def draw_sheet(sheet: Sheet, cloud: GenerateOnCloud, *, checkpoint: str) -> Image.Image:
    """Send all jobs of a sheet at once, wait for them in order, and assemble the sheet.

    Raises:
        CloudError: a request was refused or a job did not succeed.
    """
    sent = [
        cloud.jobs.submit(CreateJob(task=cell.task, params=dict(cell.params), checkpoint=checkpoint))
        if cell.params is not None
        else None
        for cell in sheet.cells
    ]
    rows = -(-len(sheet.cells) // sheet.columns)
    size = (sheet.columns * (CELL + GAP) + GAP, rows * (CELL + LABEL + GAP) + GAP)
    canvas = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(11)
    for number, (cell, job) in enumerate(zip(sheet.cells, sent, strict=True)):
        left = GAP + number % sheet.columns * (CELL + GAP)
        top = GAP + number // sheet.columns * (CELL + LABEL + GAP)
        picture = cell.picture
        if job is not None:
            with tempfile.TemporaryDirectory() as folder:
                # As in WebUI, the ControlNet's map may follow the drawn picture.
                drawn, *_ = cloud.jobs.save(cloud.jobs.finish(job.job_id), Path(folder), name="cell")
                picture = Image.open(drawn).convert("RGB")
        if picture is not None:
            scale = CELL / max(picture.size)
            shown = picture.resize(
                (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.NEAREST
            )
            canvas.paste(shown, (left, top))
        pen.multiline_text((left, top + CELL + 2), cell.label, fill="black", font=font, spacing=1)
    return canvas


def main(arguments: list[str] | None = None) -> int:
    """Write one PNG per sheet; returns 1 if a job failed, 2 if the local cloud could not start."""
    parser = argparse.ArgumentParser(prog="python -m demo_models.gallery", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", choices=[make.__name__ for make in SHEETS], action="append")
    chosen = parser.parse_args(arguments)
    console = Console(highlight=False)
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        with (
            tempfile.TemporaryDirectory() as state,
            LocalCloud(Path(state)) as local,
            GenerateOnCloud(local.api_url, local.admin_key) as cloud,
        ):
            cloud.assets.upload(TRAINED, "checkpoint")
            for variant in VARIANTS.values():
                cloud.assets.upload(variant.path, variant.type)
            for make in SHEETS:
                if chosen.only is None or make.__name__ in chosen.only:
                    sheet = make()
                    file = chosen.out / f"{sheet.name}.png"
                    draw_sheet(sheet, cloud, checkpoint=TRAINED.name).save(file, optimize=True)
                    console.print(f"{file}: {len(sheet.cells)} pictures", soft_wrap=True)
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 2
    except CloudError as error:
        print(f"gallery: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
