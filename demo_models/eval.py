"""`python -m demo_models.eval`: measures the demo checkpoint against its quality bars and prints a table."""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from demo_models.autoencoder import decode, encode, measure_psnr
from demo_models.bench import WHAT, Bench, Figure, share_agreeing
from demo_models.captions import describe
from demo_models.checkpoint import TRAINED
from demo_models.drawing import MASKED_PADDING, draw_pictures, inpaint_picture, open_checkpoint
from demo_models.eval_interrogation import measure_interrogation
from demo_models.eval_variants import VARIANT_MEASUREMENTS
from demo_models.judge import JUDGE, load_judge, read_scene, share_exact
from demo_models.renderer import SIDE, Renderer
from demo_models.scenes import Scene, draw_scenes
from demo_models.variants.table import VARIANTS
from inference_container.pictures.crop_region import crop_region

RETOUCH_SEED = 77
OFF_CENTRE = 0.06
"""A mask counts as "in the center" if it is off the crop's middle by at most this fraction of the crop's side."""


def measure_judge(bench: Bench) -> list[Figure]:
    """Measure the judge itself on real renders."""
    scenes = bench.draw_scenes(None, seed=101)
    found = bench.judge.read(bench.renderer.render(scenes))
    return [Figure("judge exact on renders", 100 * share_exact(found, [read_scene(one) for one in scenes]), 99)]


def measure_autoencoder(bench: Bench) -> list[Figure]:
    """Measure pictures that were encoded and decoded by the VAE."""
    scenes = bench.draw_scenes(None, seed=102)
    pictures = bench.renderer.render(scenes)
    back = torch.cat(
        [decode(bench.checkpoint.vae, encode(bench.checkpoint.vae, part)) for part in torch.split(pictures, 32)]
    )
    bench.keep("autoencoder", torch.stack([pictures[:24], back[:24]], dim=1).flatten(0, 1))
    found, right = bench.judge.read(back), [read_scene(one) for one in scenes]
    return [
        Figure("VAE reconstruction PSNR", measure_psnr(pictures, back), 30, "dB"),
        Figure("VAE reconstructions read exactly", 100 * share_exact(found, right), 95),
    ]


def measure_txt2img(bench: Bench) -> list[Figure]:
    """Measure held-out prompts from noise: 20 steps, Euler a, cfg 6."""
    figures = []
    scenes = bench.draw_scenes(1, seed=103)
    pictures = draw_pictures(bench.checkpoint, [describe(scene) for scene in scenes])
    bench.keep("txt2img_one", pictures)
    found, right = bench.judge.read(pictures), [read_scene(scene) for scene in scenes]
    figures.append(Figure("txt2img colour, shape, background", share_agreeing(found, right, WHAT), 90))
    figures += [
        Figure(f"txt2img {question}", share_agreeing(found, right, [question]), bar)
        for question, bar in (("first_shape", 90), ("first_colour", 90), ("background", 90), ("place", 80))
    ]
    pairs = bench.draw_scenes(2, seed=104)
    pictures = draw_pictures(bench.checkpoint, [describe(scene) for scene in pairs])
    bench.keep("txt2img_two", pictures)
    found, right = bench.judge.read(pictures), [read_scene(scene) for scene in pairs]
    figures.append(Figure("txt2img two things, all right", share_agreeing(found, right, (*WHAT, "arrangement")), 70))
    return figures


def retouch(scene: Scene, lot: random.Random) -> Scene:
    """The same scene, with its thing in another shape and colour."""
    (thing,) = scene.things
    other = next(
        other.things[0]
        for other in draw_scenes(seed=lot.randrange(2**31), split="held_out", things=1)
        if other.background == scene.background
        and other.things[0].colour != thing.colour
        and other.things[0].shape != thing.shape
    )
    return replace(scene, things=(replace(thing, shape=other.shape, colour=other.colour),))


def measure_img2img(bench: Bench) -> list[Figure]:
    """Measure renders as init pictures: strong denoising follows the prompt, weak denoising keeps the picture."""
    lot = random.Random(RETOUCH_SEED)
    scenes = bench.draw_scenes(1, seed=105)
    wanted = [retouch(scene, lot) for scene in scenes]
    sources = bench.renderer.render(scenes)
    prompts = [describe(scene) for scene in wanted]
    strong = draw_pictures(bench.checkpoint, prompts, init=sources, denoising_strength=0.6)
    weak = draw_pictures(bench.checkpoint, [describe(scene) for scene in scenes], init=sources, denoising_strength=0.2)
    bench.keep("img2img_06", torch.stack([sources[:24], strong[:24]], dim=1).flatten(0, 1))
    bench.keep("img2img_02", torch.stack([sources[:24], weak[:24]], dim=1).flatten(0, 1))
    followed = share_agreeing(bench.judge.read(strong), [read_scene(scene) for scene in wanted], WHAT)
    error = (weak.float() - sources.float()).square().flatten(1).mean(1)
    kept = 100 * (10 * (255**2 / error).log10() >= 22).float().mean().item()
    return [
        Figure("img2img d=0.6 prompt followed", followed, 85),
        Figure("img2img d=0.2 source kept (PSNR ≥22 dB)", kept, 95),
    ]


def draw_mask(scene: Scene) -> Image.Image:
    """A box around the scene's first thing, on the grid of latent cells."""
    thing = scene.things[0]
    reach = thing.radius + 0.04
    low = [int(max(0.0, centre - reach) * SIDE) // 8 * 8 for centre in (thing.x, thing.y)]
    high = [-int(-min(1.0, centre + reach) * SIDE // 8) * 8 for centre in (thing.x, thing.y)]
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((low[0], low[1], high[0] - 1, high[1] - 1), fill=255)
    return mask


def say_place(mask: Image.Image) -> str:
    """Where the mask is within the crop of "only masked" (semantics §2.3), in the words that a user would type."""
    region = crop_region(mask, padding=MASKED_PADDING, width=SIDE, height=SIDE)
    inside = mask.getbbox()
    if region is None or inside is None:
        return "in the center"
    x = ((inside[0] + inside[2]) / 2 - region.left) / region.width - 0.5
    y = ((inside[1] + inside[3]) / 2 - region.top) / region.height - 0.5
    if max(abs(x), abs(y)) < OFF_CENTRE:
        return "in the center"
    if abs(x) > abs(y):
        return "on the left" if x < 0 else "on the right"
    return "at the top" if y < 0 else "at the bottom"


def measure_inpainting(bench: Bench) -> list[Figure]:
    """Measure inpainting of another thing in both modes; the rest of the picture must not change at all."""
    lot = random.Random(RETOUCH_SEED)
    scenes = bench.draw_scenes(1, seed=106)
    wanted = [retouch(scene, lot) for scene in scenes]
    sources = bench.renderer.render(scenes)
    figures = []
    for only_masked, name in ((True, "only masked"), (False, "whole picture")):
        drawn, untouched = [], 0
        for number, (source, scene, new) in enumerate(zip(sources, scenes, wanted, strict=True)):
            mask = draw_mask(scene)
            thing = new.things[0]
            close_up = f"a {thing.colour} {thing.shape} {say_place(mask)} on a {new.background} background"
            prompt = close_up if only_masked else describe(new)
            picture = inpaint_picture(
                bench.checkpoint, source, mask, prompt, only_masked=only_masked, seed=3000 + number
            )
            left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
            outside = torch.ones(SIDE, SIDE, dtype=torch.bool)
            outside[top:bottom, left:right] = False
            untouched += bool((picture[:, outside] == source[:, outside]).all())
            drawn.append(picture)
        pictures = torch.stack(drawn)
        bench.keep(f"inpaint_{name.replace(' ', '_')}", torch.stack([sources[:24], pictures[:24]], 1).flatten(0, 1))
        found, answers = bench.judge.read(pictures), [read_scene(scene) for scene in wanted]
        figures += [
            Figure(f"inpaint {name}: new thing drawn", share_agreeing(found, answers, WHAT), 85),
            Figure(f"inpaint {name}: outside identical", 100 * untouched / len(scenes), 100),
        ]
    return figures


def measure_inpaint_checkpoint(bench: Bench) -> list[Figure]:
    """Measure the same with the nine-channel checkpoint, which sees the surroundings of the mask."""
    inpaint = replace(bench, checkpoint=open_checkpoint(VARIANTS["inpaint"].path), sheets=bench.sheets / "inpaint")
    return [replace(figure, name=f"9 channels, {figure.name}") for figure in measure_inpainting(inpaint)]


def measure_speed(bench: Bench) -> list[Figure]:
    """Measure the second of two pictures of 20 steps."""
    draw_pictures(bench.checkpoint, ["a red circle on a blue background"])
    began = time.perf_counter()
    draw_pictures(bench.checkpoint, ["a red circle on a blue background"])
    return [Figure("one picture, 20 steps", time.perf_counter() - began, 2, "s", at_most=True)]


MEASUREMENTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "judge": measure_judge,
    "vae": measure_autoencoder,
    "txt2img": measure_txt2img,
    "img2img": measure_img2img,
    "inpaint": measure_inpainting,
    "inpaint_checkpoint": measure_inpaint_checkpoint,
    "speed": measure_speed,
    "interrogation": lambda bench: [Figure(*figure) for figure in measure_interrogation(bench.samples)],
    **VARIANT_MEASUREMENTS,
}


def main() -> None:
    """Run the chosen measurements; the exit status is 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure only this; can be repeated")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--checkpoint", type=Path, default=TRAINED)
    parser.add_argument("--judge", type=Path, default=JUDGE)
    parser.add_argument(
        "--sheets", type=Path, default=Path("build/demo_models/sheets"), help="folder for contact sheets"
    )
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    judge = load_judge(options.judge)
    checkpoint = open_checkpoint(options.checkpoint)
    bench = Bench(checkpoint, judge, Renderer(), options.samples, options.sheets)
    missed = 0
    for name in options.only or MEASUREMENTS:
        for figure in MEASUREMENTS[name](bench):
            missed += not figure.reached
            word = "reached" if figure.reached else "MISSED"
            limit = "≤" if figure.at_most else "≥"
            value = f"{figure.value:.1f} {figure.unit}"
            sys.stdout.write(f"{figure.name:45} {value:>9}  {limit}{figure.bar:g} {figure.unit}  {word}\n")
            sys.stdout.flush()
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
