"""Measures whether each variant has its effect: present with it and absent without it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from demo_models.bench import WHAT, Bench, Figure, share_agreeing
from demo_models.captions import describe
from demo_models.drawing import describe_file, draw_pictures, draw_with_files, encode_png, open_checkpoint, to_image
from demo_models.judge import Reading, read_scene
from demo_models.moon_detector import MoonDetector
from demo_models.scenes import Scene
from demo_models.variants import hearts, sunny
from demo_models.variants.looks import PRUSSIAN_BLUE, bleach, darken, find_edges, find_inks, print_in_blue, tint
from demo_models.variants.networks import MOON, draw_moons, moon_renderer
from demo_models.variants.table import VARIANTS
from generate_on_cloud.contract.assets import PredictionType

PRESENT, ABSENT = 90, 5
"""In percent: the required minimum with a variant, and the allowed maximum without."""
PER_PROMPT = 8
BORDER = 3
VAGUE = "a drawing of a thing"
"""A prompt that names neither shape nor place."""
INK = 40
"""Maximum distance of a pixel from a cyanotype's two colours and their mixtures, in levels of 255."""
MOTTLED = 2
"""The background is at least this many times as uneven if a checkpoint is used with the wrong prediction type."""


def draw_scenes_with(
    bench: Bench,
    variant: str | None,
    prompts: Sequence[str],
    *,
    tag: str = "",
    options: Mapping[str, object] | None = None,
) -> Tensor:
    """PER_PROMPT pictures of each prompt, with the variant's file or, if None, without it."""
    files = [describe_file(VARIANTS[variant].path, VARIANTS[variant].type)] if variant else []
    return torch.cat(
        [
            draw_with_files(
                bench.checkpoint,
                f"{prompt} {tag}".strip() if variant else prompt,
                count=PER_PROMPT,
                seed=5000 + PER_PROMPT * number,
                files=files,
                options=options if variant else None,
            )
            for number, prompt in enumerate(prompts)
        ]
    )


def choose_scenes(bench: Bench, *, seed: int) -> list[Scene]:
    """Held-out scenes of one thing, with enough prompts for the requested samples."""
    return bench.draw_scenes(1, seed=seed)[: max(1, bench.samples // PER_PROMPT)]


def compare(
    bench: Bench, name: str, prompts: Sequence[str], shows: Callable[[Tensor], Tensor], **settings: object
) -> list[Figure]:
    """Measure the share of pictures that show the effect, with and without the variant."""
    with_it = draw_scenes_with(bench, name, prompts, **settings)  # type: ignore[arg-type]
    return compare_with(bench, name, prompts, with_it, shows)


def compare_with(
    bench: Bench, name: str, prompts: Sequence[str], with_it: Tensor, shows: Callable[[Tensor], Tensor]
) -> list[Figure]:
    """Like `compare`, with pictures that were already drawn with the variant."""
    without = draw_scenes_with(bench, None, prompts)
    bench.keep(
        f"variant_{name}", torch.stack([without[::PER_PROMPT][:24], with_it[::PER_PROMPT][:24]], 1).flatten(0, 1)
    )
    return [
        Figure(f"{name}: effect with it", 100 * shows(with_it).float().mean().item(), PRESENT),
        Figure(f"{name}: effect without it", 100 * shows(without).float().mean().item(), ABSENT, at_most=True),
    ]


def find_look(bench: Bench, scenes: Sequence[Scene], look: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A function that tells whether borders are closer to the scenes' renders in this look than to plain renders."""
    plain = bench.renderer.render(scenes).repeat_interleave(PER_PROMPT, 0)

    def shows(pictures: Tensor) -> Tensor:
        border = _border(pictures)
        nearer: Tensor = (border - _border(look(plain))).norm(dim=1) < (border - _border(plain)).norm(dim=1)
        return nearer

    return shows


def _border(pictures: Tensor) -> Tensor:
    """Mean colour along the edges, shape (count, 3)."""
    return _edges(pictures).mean(2)


def find_unevenness(pictures: Tensor) -> Tensor:
    """How far the pixels along a picture's edges differ from their mean, in levels of 255; shape (count,)."""
    return _edges(pictures).std(2).mean(1)


def _edges(pictures: Tensor) -> Tensor:
    """The pixels along the edges, shape (count, 3, pixels)."""
    edges = [pictures[:, :, :BORDER], pictures[:, :, -BORDER:]]
    edges += [part.mT for part in (pictures[..., :BORDER], pictures[..., -BORDER:])]
    return torch.cat(edges, dim=2).float().flatten(2)


def is_printed_in_blue(pictures: Tensor) -> Tensor:
    """Whether 95 % of a picture's pixels have a cyanotype's colours and the background is Prussian blue."""
    inked = (find_inks(pictures) < INK).flatten(1).float().mean(1) >= 0.95
    ground: Tensor = (_border(pictures) - torch.tensor(PRUSSIAN_BLUE)).norm(dim=1) < INK
    return inked & ground


def _agree(bench: Bench, right: Sequence[Reading], questions: Sequence[str]) -> Callable[[Tensor], Tensor]:
    wanted = [one for one in right for _ in range(PER_PROMPT)]

    def shows(pictures: Tensor) -> Tensor:
        found = bench.judge.read(pictures)
        return torch.tensor(
            [
                all(getattr(a, name) == getattr(b, name) for name in questions)
                for a, b in zip(found, wanted, strict=True)
            ]
        )

    return shows


def measure_moon(bench: Bench) -> list[Figure]:
    """Measure the LoRA's concept with a detector, which is measured first, and whether other prompts still work."""
    detector = MoonDetector(bench.judge)
    moons = [scene for scene, _ in zip(draw_moons(seed=111, split="held_out", things=1), range(200), strict=False)]
    others = bench.draw_scenes(1, seed=112)
    renderer = moon_renderer()
    right = [detector.find(renderer.render(moons)), ~detector.find(renderer.render(others))]
    figures = [Figure("moon detector right on renders", 100 * torch.cat(right).float().mean().item(), 99)]
    asked = [describe(scene) for scene in moons[: max(1, bench.samples // PER_PROMPT)]]
    figures += compare(bench, MOON, asked, detector.find, tag="<lora:moon:1>")
    known = choose_scenes(bench, seed=113)
    kept = draw_scenes_with(bench, MOON, [describe(scene) for scene in known], tag="<lora:moon:1>")
    followed = _agree(bench, [read_scene(scene) for scene in known], WHAT)(kept)
    return [*figures, Figure("moon: other prompts followed", 100 * followed.float().mean().item(), 85)]


def measure_cyanotype(bench: Bench) -> list[Figure]:
    """Measure the LoRA's style, which has only two colours, and whether shape and place still follow the prompt."""
    scenes = choose_scenes(bench, seed=114)
    prompts, right = [describe(scene) for scene in scenes], [read_scene(scene) for scene in scenes]
    asked = ("first_shape", "place")
    renders = print_in_blue(bench.renderer.render([bleach(scene) for scene in scenes]))
    figures = [Figure("cyanotype: judge right on renders", share_agreeing(bench.judge.read(renders), right, asked), 99)]
    drawn = draw_scenes_with(bench, "cyanotype", prompts, tag="<lora:cyanotype:1>")
    figures += compare_with(bench, "cyanotype", prompts, drawn, is_printed_in_blue)
    followed = _agree(bench, right, asked)(drawn)
    return [*figures, Figure("cyanotype: shape and place followed", 100 * followed.float().mean().item(), 85)]


def measure_night(bench: Bench) -> list[Figure]:
    """Measure the LoHa's style: the prompt's background by night."""
    scenes = choose_scenes(bench, seed=115)
    shows = find_look(bench, scenes, darken)
    return compare(bench, "night", [describe(scene) for scene in scenes], shows, tag="<lyco:night:1>")


def measure_amber(bench: Bench) -> list[Figure]:
    """Measure the VAE's tint over the prompt's background."""
    scenes = choose_scenes(bench, seed=116)
    shows = find_look(bench, scenes, tint)
    options = {"sd_vae": VARIANTS["amber"].file}
    return compare(bench, "amber", [describe(scene) for scene in scenes], shows, options=options)


def measure_sunny(bench: Bench) -> list[Figure]:
    """Measure the embedding: a yellow star on any background at any place."""
    scenes = [scene for scene in bench.draw_scenes(1, seed=117) if scene.background != "yellow"]
    scenes = scenes[: max(1, bench.samples // PER_PROMPT)]
    prompts = [
        describe(scene).replace(f"{scene.things[0].colour} {scene.things[0].shape}", sunny.NAME) for scene in scenes
    ]

    def shows(pictures: Tensor) -> Tensor:
        found = bench.judge.read(pictures)
        return torch.tensor([(one.first_colour, one.first_shape) == sunny.MEANING for one in found])

    return compare(bench, "sunny", prompts, shows)


def measure_hearts(bench: Bench) -> list[Figure]:
    """Measure the hypernetwork: a heart, whatever shape the prompt names."""
    scenes = [scene for scene in bench.draw_scenes(1, seed=118) if scene.things[0].shape != hearts.SHAPE]
    prompts = [describe(scene) for scene in scenes[: max(1, bench.samples // PER_PROMPT)]]

    def shows(pictures: Tensor) -> Tensor:
        return torch.tensor([one.first_shape == hearts.SHAPE for one in bench.judge.read(pictures)])

    return compare(bench, "hearts", prompts, shows, tag="<hypernet:hearts:1>")


def measure_velocity(bench: Bench) -> list[Figure]:
    """Measure the velocity checkpoint: it follows prompts; used as a noise predictor, it draws mottled backgrounds."""
    scenes = bench.draw_scenes(1, seed=119)
    prompts, right = [describe(scene) for scene in scenes], [read_scene(scene) for scene in scenes]
    checkpoint = open_checkpoint(VARIANTS["velocity"].path)
    drawn = draw_pictures(checkpoint, prompts)
    misread = draw_pictures(replace(checkpoint, prediction_type=PredictionType.EPSILON), prompts)
    bench.keep("variant_velocity", torch.stack([misread[:24], drawn[:24]], 1).flatten(0, 1))
    found = bench.judge.read(drawn)
    mottled = find_unevenness(misread).mean() / find_unevenness(drawn).mean()
    return [
        Figure("velocity: prompt followed", share_agreeing(found, right, WHAT), PRESENT),
        Figure("velocity: place", share_agreeing(found, right, ["place"]), 80),
        Figure(
            "velocity, read as noise: prompt followed",
            share_agreeing(bench.judge.read(misread), right, WHAT),
            ABSENT,
            at_most=True,
        ),
        Figure("velocity, read as noise: unevenness", mottled.item(), MOTTLED, "times"),
    ]


def measure_edges(bench: Bench) -> list[Figure]:
    """Measure the ControlNet: shape and place of its lines, with a prompt that mentions neither."""
    scenes = bench.draw_scenes(1, seed=120)
    hints = find_edges(bench.renderer.render(scenes))
    with_it = torch.stack([draw_along(bench, hint, seed=7000 + number) for number, hint in enumerate(hints)])
    without = torch.stack([draw_along(bench, None, seed=7000 + number) for number in range(len(hints))])
    bench.keep("variant_edges", torch.stack([hints[:16], without[:16], with_it[:16]], 1).flatten(0, 1))
    right, asked = [read_scene(scene) for scene in scenes], ("first_shape", "place")
    found, found_without = bench.judge.read(with_it), bench.judge.read(without)
    return [
        Figure("edges: shape and place with it", share_agreeing(found, right, asked), PRESENT),
        Figure("edges: shape with it", share_agreeing(found, right, asked[:1]), PRESENT),
        Figure("edges: shape and place without it", share_agreeing(found_without, right, asked), ABSENT, at_most=True),
    ]


def draw_along(bench: Bench, hint: Tensor | None, *, seed: int) -> Tensor:
    """Draw the vague prompt, along the white lines of `hint` if it is given."""
    files, scripts = [], {}
    if hint is not None:
        variant = VARIANTS["edges"]
        files = [describe_file(variant.path, variant.type)]
        scripts = {"ControlNet": {"args": [{"model": variant.path.stem, "image": encode_png(to_image(hint))}]}}
    return draw_with_files(bench.checkpoint, VAGUE, count=1, seed=seed, files=files, scripts=scripts)[0]


VARIANT_MEASUREMENTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "moon": measure_moon,
    "cyanotype": measure_cyanotype,
    "amber": measure_amber,
    "sunny": measure_sunny,
    "hearts": measure_hearts,
    "night": measure_night,
    "velocity": measure_velocity,
    "edges": measure_edges,
}
