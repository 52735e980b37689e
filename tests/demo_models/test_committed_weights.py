"""The weights in the repository: whole, readable, and able to do what they are for."""

import hashlib
import itertools
import json
import random
from dataclasses import fields

import pytest
import torch

from demo_models.bench import WHAT, share_agreeing
from demo_models.checkpoint import TRAINED
from demo_models.drawing import draw_pictures, inpaint_picture, open_checkpoint
from demo_models.eval import draw_mask, retouch
from demo_models.judge import JUDGE, Judge, Reading, load_judge, read_scene, share_exact
from demo_models.renderer import Renderer
from demo_models.scenes import draw_scenes
from inference_container.models.checkpoint import Checkpoint

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return load_judge(JUDGE)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return open_checkpoint(TRAINED)


def test_the_manifest_names_every_file_with_its_hash_and_all_are_small() -> None:
    folder = TRAINED.parent
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))

    assert set(manifest) == {file.name for file in folder.iterdir()} - {"manifest.json"}
    for name, entry in manifest.items():
        data = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    assert manifest[TRAINED.name]["size"] <= 16_000_000


def test_the_judge_reads_held_out_renders(judge: Judge) -> None:
    scenes = list(itertools.islice(draw_scenes(seed=11, split="held_out"), 200))

    found = judge.read(Renderer().render(scenes))

    assert share_exact(found, [read_scene(scene) for scene in scenes]) >= 0.99


def test_a_red_circle_on_a_blue_background_is_one(checkpoint: Checkpoint, judge: Judge) -> None:
    pictures = draw_pictures(checkpoint, ["a red circle on a blue background"] * 4)

    asked = {"first_shape": "circle", "first_colour": "red", "background": "blue", "second_shape": "none"}
    right = [all(getattr(reading, name) == value for name, value in asked.items()) for reading in judge.read(pictures)]
    assert sum(right) >= 3


def test_an_inpainted_thing_is_the_new_one_and_the_rest_is_untouched(checkpoint: Checkpoint, judge: Judge) -> None:
    (scene,) = itertools.islice(draw_scenes(seed=12, split="held_out", things=1), 1)
    wanted = retouch(scene, random.Random(1))
    (source,) = Renderer().render([scene])
    thing, mask = wanted.things[0], draw_mask(scene)
    prompt = f"a {thing.colour} {thing.shape} in the center on a {wanted.background} background"

    drawn = torch.stack(
        [inpaint_picture(checkpoint, source, mask, prompt, only_masked=True, seed=seed) for seed in range(3)]
    )

    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    changed = (drawn != source).any(1)
    assert changed[:, top:bottom, left:right].any()
    changed[:, top:bottom, left:right] = False
    assert not changed.any()
    assert share_agreeing(judge.read(drawn), [read_scene(wanted)] * 3, WHAT) >= 60


def test_agreement_counts_only_the_questions_asked() -> None:
    scenes = list(itertools.islice(draw_scenes(seed=13, split="train", things=1), 2))
    right = [read_scene(scene) for scene in scenes]
    wrong_place = Reading(
        **{field.name: getattr(right[0], field.name) for field in fields(Reading)} | {"place": "none"}
    )

    assert share_agreeing([wrong_place, right[1]], right, WHAT) == 100
    assert share_agreeing([wrong_place, right[1]], right, ["place"]) == 50


def test_a_retouched_scene_keeps_all_but_shape_and_colour() -> None:
    lot = random.Random(2)
    for scene in itertools.islice(draw_scenes(seed=14, split="held_out", things=1), 20):
        new = retouch(scene, lot)
        assert new.things[0].shape != scene.things[0].shape
        assert new.things[0].colour not in (scene.things[0].colour, scene.background)
        assert (new.background, new.place, new.things[0].x) == (scene.background, scene.place, scene.things[0].x)


def test_the_mask_covers_the_thing_by_whole_latent_cells() -> None:
    for scene in itertools.islice(draw_scenes(seed=15, split="held_out", things=1), 20):
        left, top, right, bottom = draw_mask(scene).getbbox() or (0, 0, 0, 0)
        thing = scene.things[0]
        assert {left % 8, top % 8, right % 8, bottom % 8} == {0}
        assert left <= (thing.x - thing.radius) * 64
        assert bottom >= (thing.y + thing.radius) * 64
