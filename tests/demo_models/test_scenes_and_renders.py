"""Scenes, their captions and their pictures."""

import itertools
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from demo_models.captions import WORDS, describe, draw_caption, draw_training_text
from demo_models.judge import QUESTIONS, read_scene
from demo_models.renderer import DISTANCES, Renderer
from demo_models.scenes import (
    ALL_TAGS,
    COLOURS,
    SHAPES,
    Scene,
    Split,
    Thing,
    draw_scenes,
    is_held_out,
    list_tags,
)

FLAT = (0.0, 0.0, 0.0)


def some_scenes(count: int, *, seed: int = 0, split: Split = "train") -> list[Scene]:
    return list(itertools.islice(draw_scenes(seed=seed, split=split), count))


def single(shape: str, colour: str, background: str) -> Scene:
    thing = Thing(shape, colour, 0.5, 0.5, 0.3, FLAT)
    return Scene(background, FLAT, (thing,), "large", "center", None)


def test_the_same_seed_draws_the_same_scenes_and_pixels_and_another_seed_does_not() -> None:
    first, again, other = some_scenes(12), some_scenes(12), some_scenes(12, seed=1)

    assert first == again
    assert first != other
    assert torch.equal(Renderer().render(first), Renderer().render(again))


def test_no_combination_is_in_both_splits() -> None:
    train = {combination(scene) for scene in some_scenes(1500)}
    held_out = {combination(scene) for scene in some_scenes(400, split="held_out")}

    assert not train & held_out


def combination(scene: Scene) -> tuple[object, ...]:
    return (scene.background, *((thing.colour, thing.shape) for thing in scene.things))


def test_about_one_combination_in_ten_is_held_out() -> None:
    every = [
        single(shape, colour, background)
        for shape, colour, background in itertools.product(SHAPES, COLOURS, COLOURS)
        if colour != background
    ]

    assert 0.06 < sum(map(is_held_out, every)) / len(every) < 0.15


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_everything_stays_inside_the_picture_and_things_do_not_touch(seed: int) -> None:
    for scene in some_scenes(5, seed=seed):
        for thing in scene.things:
            assert thing.radius * 1.12 <= min(thing.x, thing.y, 1 - thing.x, 1 - thing.y) + 0.06
        if len(scene.things) == 2:
            first, second = scene.things
            apart = ((first.x - second.x) ** 2 + (first.y - second.y) ** 2) ** 0.5
            assert apart > first.radius + second.radius
            assert (first.x < second.x) if scene.arrangement == "beside" else (first.y < second.y)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_its_middle_or_is_a_ring_and_leaves_the_corners_free(shape: str) -> None:
    picture = Renderer().render([single(shape, "red", "blue")])[0]

    red_is_stronger = picture[0].int() > picture[2].int()
    assert bool(red_is_stronger[32, 32]) != (shape == "ring")
    assert not red_is_stronger[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert 0.08 < red_is_stronger.float().mean().item() < 0.35


def test_no_two_shapes_cover_nearly_the_same_pixels() -> None:
    pictures = Renderer().render([single(shape, "red", "blue") for shape in SHAPES])

    covered = pictures[:, 0].int() > pictures[:, 2].int()
    for one, other in itertools.combinations(range(len(SHAPES)), 2):
        common = (covered[one] & covered[other]).sum() / (covered[one] | covered[other]).sum()
        assert common < 0.85, (SHAPES[one], SHAPES[other])


@pytest.mark.parametrize("shape", SHAPES)
def test_distances_grow_outwards(shape: str) -> None:
    reach = torch.tensor([1.2, 1.5, 2.0])

    assert bool((DISTANCES[shape](reach, reach).diff() > 0).all())


def test_a_scene_renders_at_any_size() -> None:
    small, large = (Renderer().render(some_scenes(2), side=side) for side in (32, 128))

    assert small.shape == (2, 3, 32, 32)
    assert large.shape == (2, 3, 128, 128)


def test_the_plain_caption_names_what_is_shown() -> None:
    scene = single("star", "orange", "blue")

    assert describe(scene) == "a large orange star in the center on a blue background"


def test_captions_say_only_what_is_true() -> None:
    lot = random.Random(5)
    for scene in some_scenes(300):
        caption, truth = draw_caption(scene, lot), read_scene(scene)
        for question, answer in caption.said.items():
            assert getattr(truth, question) == answer
            if question != "arrangement":
                assert answer.replace("center", "") in caption.text


def test_a_tenth_of_the_training_texts_asks_for_nothing() -> None:
    lot = random.Random(6)
    texts = [draw_training_text(scene, lot) for scene in some_scenes(2000)]

    assert 0.07 < sum(not text.said for text in texts) / len(texts) < 0.13
    assert any(text.text == "" for text in texts)


def test_every_tag_is_in_the_list_of_tags() -> None:
    found = {tag for scene in some_scenes(1500) for tag in list_tags(scene)}

    assert found == set(ALL_TAGS)
    assert len(ALL_TAGS) == len(set(ALL_TAGS))


def test_the_judge_can_give_the_right_answer_to_every_question() -> None:
    for scene in some_scenes(200):
        reading = read_scene(scene)
        for question, answers in QUESTIONS.items():
            assert getattr(reading, question) in answers


def test_the_words_of_captions_are_known() -> None:
    lot = random.Random(7)
    for scene in some_scenes(300):
        words = draw_caption(scene, lot).text.split(", ")[0].split()
        assert set(words) <= {*WORDS, "masterpiece"}, words
