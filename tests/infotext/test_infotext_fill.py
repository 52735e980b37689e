"""A request filled from an infotext: what goes where, and what stays as the request says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from generate_on_cloud.webui.infotext.fill import FIELDS, OPTION_ENTRIES, TXT2IMG_FIELDS, fill_in
from generate_on_cloud.webui.infotext.parser import parse_infotext

WRITTEN = (
    "a cat, sitting\nNegative prompt: a dog\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5.5, "
    "Seed: 42, Size: 640x768, Model hash: e1441589a6, Model: other, VAE: nice.pt, Variation seed: 3, "
    "Variation seed strength: 0.3, Seed resize from: 192x96, Denoising strength: 0.6, Clip skip: 2, ENSD: 31337, "
    'RNG: NV, Tiling: True, Hires sampler: Euler a, Hires prompt: "a hat, red", Hires upscale: 1.5, Hires steps: 7, '
    "Hires upscaler: Latent (nearest), Emphasis: No norm, NGMS: 1.5, Version: v1.10.1"
)
PICTURE = "aGVsbG8="


def test_txt2img_takes_prompts_sizes_and_hires_fix() -> None:
    filled = fill_in(Txt2ImgParams(infotext=WRITTEN))

    assert (filled.prompt, filled.negative_prompt) == ("a cat, sitting", "a dog")
    assert (filled.steps, filled.cfg_scale, filled.seed, filled.width, filled.height) == (20, 5.5, 42, 640, 768)
    assert filled.sampler_choice().sampler == "DPM++ 2M"
    assert filled.scheduler == "Karras"
    assert (filled.subseed, filled.subseed_strength) == (3, 0.3)
    assert (filled.seed_resize_from_w, filled.seed_resize_from_h) == (192, 96)
    assert (filled.enable_hr, filled.denoising_strength, filled.hr_scale) == (True, 0.6, 1.5)
    assert (filled.hr_second_pass_steps, filled.hr_upscaler) == (7, "Latent (nearest)")
    assert (filled.hr_sampler_name, filled.hr_prompt) == ("Euler a", "a hat, red")


def test_options_are_set_that_are_not_at_their_defaults() -> None:
    filled = fill_in(Txt2ImgParams(infotext=WRITTEN + ", Sigma noise: 1.0, Pad conds: True"))

    assert filled.override_settings == {
        "CLIP_stop_at_last_layers": 2,
        "eta_noise_seed_delta": 31337,
        "randn_source": "NV",
        "tiling": True,
        "emphasis": "No norm",
        "s_min_uncond": 1.5,
        "pad_cond_uncond": True,
    }


def test_img2img_takes_seed_sampler_and_options_alone() -> None:
    filled = fill_in(Img2ImgParams(init_images=[PICTURE], infotext=WRITTEN))

    assert (filled.seed, filled.steps, filled.scheduler) == (42, 20, "Karras")
    assert (filled.prompt, filled.width, filled.denoising_strength, filled.cfg_scale) == ("", 512, 0.75, 7.0)
    assert filled.options.randn_source == "NV"


def test_what_the_request_names_stays_even_at_its_default() -> None:
    body = {"seed": -1, "prompt": "", "enable_hr": False, "override_settings": {"randn_source": "GPU"}, "steps": None}

    filled = fill_in(Txt2ImgParams.model_validate({**body, "infotext": WRITTEN}))

    assert (filled.seed, filled.prompt, filled.enable_hr) == (-1, "", False)
    assert filled.options.randn_source == "GPU"
    assert filled.options.emphasis == "No norm"
    assert filled.steps == 20


def test_hires_fix_needs_an_entry_of_its_own() -> None:
    plain = "Steps: 20, Sampler: Euler, Seed: 1, Size: 64x64, Denoising strength: 0.5"

    assert fill_in(Txt2ImgParams(infotext=plain)).enable_hr is False
    assert fill_in(Txt2ImgParams(infotext=f"{plain}, Hires resize: 128x0")).hr_resize_x == 128


def test_pictures_from_before_1_6_have_old_prompt_timelines() -> None:
    last = "\nSteps: 20, Sampler: Euler, Seed: 1, Size: 64x64, Version: v1.5.2"

    assert fill_in(Txt2ImgParams(infotext="a [b:c:1]" + last)).options.use_old_scheduling is True
    assert fill_in(Txt2ImgParams(infotext="a" + last)).options.use_old_scheduling is False


def test_a_text_that_is_no_infotext_is_a_prompt() -> None:
    assert fill_in(Txt2ImgParams(infotext="a cat, a dog")).prompt == "a cat, a dog"


def test_nothing_is_filled_from_nothing() -> None:
    params = Txt2ImgParams(infotext="")

    assert fill_in(params) is params
    filled = fill_in(Txt2ImgParams(infotext=WRITTEN))
    assert fill_in(filled) == filled


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("CFG scale: high", "received 'high' for CFG scale; allowed: a number"),
        ("Tiling: maybe", "received 'maybe' for Tiling; allowed: True or False"),
        ("Sampler: Eular", "unknown sampler 'Eular'"),
        ("Size: 90000x64", "less than or equal to 16384"),
        ("RNG: TPU", "received 'TPU' for randn_source; allowed: GPU, CPU, NV"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_by_name(entry: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fill_in(Txt2ImgParams(infotext=f"Steps: 20, Seed: 1, Size: 64x64, {entry}, Version: 1"))


def test_every_name_of_the_tables_exists() -> None:
    assert set(FIELDS) <= set(Img2ImgParams.model_fields)
    assert {*FIELDS, *TXT2IMG_FIELDS} <= set(Txt2ImgParams.model_fields)
    assert set(OPTION_ENTRIES.values()) <= set(OPTIONS)


@settings(max_examples=100, deadline=None)
@given(st.text() | st.lists(st.sampled_from(WRITTEN.split(", ")), max_size=8).map(", ".join))
def test_any_infotext_is_taken_or_refused(text: str) -> None:
    try:
        filled = fill_in(Txt2ImgParams(infotext=text))
    except (ValidationError, ValueError):
        return

    assert filled.prompt == (parse_infotext(text).prompt if text else "")
