"""Names of saved pictures by WebUI's patterns."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from generate_on_cloud.client.picture_names import REPLACEMENTS, picture_name
from generate_on_cloud.contract.job_bodies import JobView
from tests.client.small_service import job

INFO = {
    "all_prompts": ["a cat, (sleeping:1.2)", "a <lora:ink:1> dog/bird"], "all_seeds": [5, 6],
    "all_negative_prompts": ["", ""], "sampler_name": "Euler a", "steps": 20, "cfg_scale": 7.0,
    "sd_model_name": "dreams", "sd_model_hash": "6ce0161689", "denoising_strength": 0.5, "clip_skip": 1,
    "batch_size": 2, "index_of_first_image": 0,
}  # fmt: skip


def finished(*, seeds: tuple[int | None, ...] = (5, 6), **info: Any) -> JobView:
    images = [{"url": "u", "width": 64, "height": 96, "format": "png", "seed": seed, "infotext": ""} for seed in seeds]
    result = {"images": images, "info": INFO | info, "parameters": {"scheduler": "Karras", "prompt": "a cat"},
              "caption": None, "models": [], "timings": {}}  # fmt: skip
    return JobView.model_validate(
        job("succeeded", result=result, finished_at=datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC))
    )


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("[seed]-[prompt_spaces]", ["5-a cat, (sleeping_1.2)", "6-a _lora_ink_1_ dog_bird"]),
        ("[seed]", ["5", "6"]),
        ("[seed_first]_[seed_last]", ["5_6", "5_6"]),
        ("[prompt]", ["a_cat,_(sleeping_1.2)", "a__lora_ink_1__dog_bird"]),
        ("[prompt_words<1>]", ["a", "a"]),
        ("[prompt_words]", ["a cat sleeping 1 2", "a dog bird"]),
        ("[prompt_no_styles]", ["a cat", "a cat"]),
        ("[model_name] [model_hash]", ["dreams 6ce0161689"] * 2),
        ("[sampler]_[scheduler]_[steps]_[cfg]", ["Euler a_Karras_20_7.0"] * 2),
        ("[width]x[height]", ["64x96"] * 2),
        ("[date]", ["2026-11-30"] * 2),
        ("[datetime<%H.%M>]", [datetime(2026, 11, 30, 12, tzinfo=UTC).astimezone().strftime("%H.%M")] * 2),
        ("[job_id]-[number]", ["j1-0", "j1-1"]),
        ("[task]-[batch_number]-[denoising]", ["img2img-1-0.5", "img2img-2-0.5"]),
        ("a/../b", ["a_.._b"] * 2),
        ("[none]", ["j1-0", "j1-1"]),
    ],
)
def test_a_pattern_becomes_a_name(pattern: str, names: list[str]) -> None:
    assert [picture_name(pattern, finished(), number) for number in (0, 1)] == names


def test_a_grid_comes_first_and_takes_the_first_picture_s_prompt() -> None:
    with_grid = finished(seeds=(None, 5, 6), index_of_first_image=1)

    assert [picture_name("[seed]-[prompt_words<2>]", with_grid, number) for number in range(3)] == [
        "5-a cat", "5-a cat", "6-a dog",
    ]  # fmt: skip


@pytest.mark.parametrize("word", REPLACEMENTS)
def test_every_word_makes_a_safe_name_also_of_a_job_that_drew_nothing(word: str) -> None:
    bare = JobView.model_validate(job("succeeded"))

    for done in (finished(), bare):
        assert re.fullmatch(r'[^#<>:"/\\|?*\n\r\t]+', picture_name(f"[{word}]", done, 0))


def test_a_long_prompt_is_cut_as_webui_does() -> None:
    name = picture_name("[seed]-[prompt_spaces]", finished(all_prompts=["x" * 500]), 0)

    assert name == "5-" + "x" * 128


def test_an_unknown_word_is_refused_with_those_that_are_allowed() -> None:
    with pytest.raises(ValueError, match=r"received \[sead\].*allowed: \[seed\]"):
        picture_name("[sead]", finished(), 0)
