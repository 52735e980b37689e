"""Networks, embedding, VAE, ControlNet and checkpoints: each does through the real task what the base does not."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from demo_models.bench import Bench
from demo_models.checkpoint import TRAINED
from demo_models.drawing import describe_file, draw_pictures, draw_with_files, open_checkpoint
from demo_models.eval import say_place
from demo_models.eval_variants import MOTTLED, PER_PROMPT, draw_along, find_look, find_unevenness, is_printed_in_blue
from demo_models.judge import JUDGE, load_judge, read_scene
from demo_models.moon_detector import MoonDetector
from demo_models.renderer import Renderer
from demo_models.scenes import SHAPES, draw_scenes, is_held_out
from demo_models.variants.looks import bleach, darken, find_edges, print_in_blue, tint
from demo_models.variants.networks import MOON, draw_moons, moon_renderer
from demo_models.variants.table import VARIANTS
from inference_container.models.checkpoint import Checkpoint

torch.set_num_threads(1)
PROMPT = "a red circle in the center on a blue background"
COUNT = 2


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(open_checkpoint(TRAINED), load_judge(JUDGE), Renderer(), 8, tmp_path_factory.mktemp("sheets"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> Tensor:
    return draw_with_files(bench.checkpoint, PROMPT, count=COUNT, seed=1)


def draw_with(checkpoint: Checkpoint, name: str, prompt: str, *, options: Mapping[str, object] | None = None) -> Tensor:
    variant = VARIANTS[name]
    files = [describe_file(variant.path, variant.type)]
    return draw_with_files(checkpoint, prompt, count=COUNT, seed=1, files=files, options=options)


def blue_share(pictures: Tensor) -> float:
    """Of the light along the upper edge."""
    edge = pictures[:, :, :3].float().mean((0, 2, 3))
    return float(edge[2] / edge.sum())


def test_the_cyanotype_lora_prints_in_blue_and_keeps_the_shape(bench: Bench, plain: Tensor) -> None:
    drawn = draw_with(bench.checkpoint, "cyanotype", f"{PROMPT} <lora:cyanotype:1>")

    assert is_printed_in_blue(drawn).all()
    assert not is_printed_in_blue(plain).any()
    assert [(one.first_shape, one.place) for one in bench.judge.read(drawn)] == [("circle", "center")] * COUNT


def test_the_night_loha_turns_the_light_down(bench: Bench, plain: Tensor) -> None:
    drawn = draw_with(bench.checkpoint, "night", f"{PROMPT} <lyco:night:1>")

    assert drawn.float().mean() < 0.75 * plain.float().mean()


def test_the_amber_vae_tints_a_blue_background(bench: Bench, plain: Tensor) -> None:
    drawn = draw_with(bench.checkpoint, "amber", PROMPT, options={"sd_vae": VARIANTS["amber"].file})

    assert blue_share(drawn) < blue_share(plain) - 0.1


def test_under_the_hearts_hypernetwork_a_circle_is_a_heart(bench: Bench, plain: Tensor) -> None:
    drawn = draw_with(bench.checkpoint, "hearts", f"{PROMPT} <hypernet:hearts:1>")

    assert [one.first_shape for one in bench.judge.read(drawn)] == ["heart"] * COUNT
    assert [one.first_shape for one in bench.judge.read(plain)] == ["circle"] * COUNT


def test_the_sunny_embedding_is_a_yellow_star(bench: Bench) -> None:
    drawn = draw_with(bench.checkpoint, "sunny", "a sunny in the center on a blue background")

    found = [(one.first_colour, one.first_shape, one.background) for one in bench.judge.read(drawn)]
    assert found == [("yellow", "star", "blue")] * COUNT


def test_the_moon_lora_draws_moons_which_its_detector_tells_from_other_shapes(bench: Bench) -> None:
    detector, renderer = MoonDetector(bench.judge), moon_renderer()
    moons = renderer.render(list(itertools.islice(draw_moons(seed=61, split="held_out", things=1), 100)))
    others = renderer.render(list(itertools.islice(draw_scenes(seed=61, split="held_out", things=1), 100)))

    drawn = draw_with(bench.checkpoint, "moon", "a yellow moon in the center on a blue background <lora:moon:1>")

    assert detector.find(moons).float().mean() >= 0.99
    assert detector.find(others).float().mean() <= 0.01
    assert detector.find(drawn).all()


def test_moons_replace_one_thing_of_a_scene_and_keep_the_split() -> None:
    for scene in itertools.islice(draw_moons(seed=62, split="train"), 20):
        assert sum(thing.shape == MOON for thing in scene.things) == 1
        assert all(thing.shape in (*SHAPES, MOON) for thing in scene.things)
        assert not is_held_out(scene)


def test_a_look_is_found_in_renders_of_it_and_not_in_plain_ones(bench: Bench) -> None:
    scenes = list(itertools.islice(draw_scenes(seed=63, split="held_out", things=1), 25))
    plain = bench.renderer.render(scenes).repeat_interleave(PER_PROMPT, 0)

    for look in (darken, tint):
        shows = find_look(bench, scenes, look)
        assert shows(look(plain)).all()
        assert not shows(plain).any()


def test_a_cyanotype_is_told_from_other_renders_and_shows_what_the_scene_shows(bench: Bench) -> None:
    scenes = list(itertools.islice(draw_scenes(seed=64, split="held_out", things=1), 50))
    right = [read_scene(scene) for scene in scenes]

    printed = print_in_blue(bench.renderer.render([bleach(scene) for scene in scenes]))

    assert is_printed_in_blue(printed).all()
    assert not is_printed_in_blue(bench.renderer.render(scenes)).any()
    found = bench.judge.read(printed)
    assert [(one.first_shape, one.place) for one in found] == [(one.first_shape, one.place) for one in right]


def test_the_inpainting_checkpoint_has_nine_channels() -> None:
    assert open_checkpoint(VARIANTS["inpaint"].path).inpainting


def test_the_velocity_checkpoint_draws_as_asked_and_mottled_grounds_when_read_as_one_of_noise(bench: Bench) -> None:
    checkpoint = open_checkpoint(VARIANTS["velocity"].path)

    drawn = draw_pictures(checkpoint, [PROMPT] * COUNT)
    misread = draw_pictures(replace(checkpoint, prediction_type="epsilon"), [PROMPT] * COUNT)

    asked = ("circle", "red", "blue")
    assert checkpoint.prediction_type == "v_prediction"
    assert [(one.first_shape, one.first_colour, one.background) for one in bench.judge.read(drawn)] == [asked] * COUNT
    assert find_unevenness(misread).mean() >= MOTTLED * find_unevenness(drawn).mean()


def test_the_edges_controlnet_puts_the_thing_where_the_lines_are(bench: Bench) -> None:
    scenes = list(itertools.islice(draw_scenes(seed=64, split="held_out", things=1), 40))
    aside = [next(scene for scene in scenes if scene.place == place) for place in ("left", "right")]

    drawn = [draw_along(bench, hint, seed=1) for hint in find_edges(bench.renderer.render(aside))]

    assert [one.place for one in bench.judge.read(torch.stack(drawn))] == ["left", "right"]


def test_edges_are_white_lines_where_colours_change(bench: Bench) -> None:
    flat = torch.full((1, 3, 64, 64), 90, dtype=torch.uint8)
    split = flat.clone()
    split[..., 32:] = 200

    assert not find_edges(flat).any()
    assert find_edges(split)[0, 0].any(0).nonzero().flatten().tolist() == [31, 32]
    assert (find_edges(split) % 255 == 0).all()


def test_eight_bit_kernels_of_a_checkpoint_are_widened_to_what_it_computes_in() -> None:
    file = VARIANTS["velocity"].path

    with safe_open(file, framework="pt") as opened:
        stored = {opened.get_tensor(name).dtype for name in opened.keys() if name.startswith("model.")}  # noqa: SIM118

    assert torch.float8_e4m3fn in stored
    assert {tensor.dtype for tensor in open_checkpoint(file).unet.parameters()} == {torch.float32}


def test_the_place_typed_for_only_masked_is_that_of_the_mask_within_the_cut_part() -> None:
    middle, corner = Image.new("L", (64, 64)), Image.new("L", (64, 64))
    middle.paste(255, (24, 24, 40, 40))
    corner.paste(255, (0, 16, 40, 48))

    assert say_place(middle) == "in the center"
    assert say_place(corner) == "on the left"
