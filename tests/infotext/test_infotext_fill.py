"""A request filled from an infotext: what goes where, and what stays as the request says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.samplers import SCHEDULE_LABELS, Schedule
from generate_on_cloud.contract.scripts import SoftInpainting
from generate_on_cloud.webui.infotext.fill import (
    FIELDS,
    IMG2IMG_FIELDS,
    OPTION_ENTRIES,
    TXT2IMG_FIELDS,
    fill_in,
    unused_entries,
)
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


@pytest.mark.parametrize(
    ("prompt", "entries", "version", "options"),
    [
        ("a [b:c:1]", "Sampler: Euler", "v1.5.2", {"use_old_scheduling", "use_downcasted_alpha_bar"}),
        ("a", "Sampler: PLMS", "v1.5.2", {"pad_cond_uncond_v0", "use_downcasted_alpha_bar"}),
        ("a", "Sampler: DDIM", "v1.6.0", {"use_downcasted_alpha_bar"}),
        ("a", "Sampler: Euler, Refiner: x", "v1.7.0-225-gabc", {"refiner_switch_by_sample_steps"}),
        ("a [b:c:1]", "Sampler: DDIM, Refiner: x", "v1.8.0", set()),
    ],
)
def test_pictures_of_older_webuis_are_drawn_in_their_ways(
    prompt: str, entries: str, version: str, options: set[str]
) -> None:
    text = f"{prompt}\nSteps: 20, Seed: 1, Size: 64x64, {entries}, Version: {version}"

    filled = fill_in(Txt2ImgParams(infotext=text))

    assert filled.override_settings == dict.fromkeys(options, True)


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
        ("Sampler: Eular", "Sampler: unknown sampler 'Eular'.*The request's own sampler_name goes before this entry"),
        ("Sampler: Undefined", "Sampler: unknown sampler 'Undefined'"),
        ("Schedule type: Turbo", "Schedule type: unknown scheduler 'Turbo'.*own scheduler goes before this entry"),
        ("Size: 90000x64", "Size: received '?90000'?; .*less than or equal to 16384"),
        ("Denoising strength: 7", "Denoising strength: received 7.0; .*less than or equal to 1"),
        ("RNG: TPU", "RNG: received 'TPU' for randn_source; allowed: GPU, CPU, NV"),
        ("Clip skip: two", "received 'two' for Clip skip; allowed: a number"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_by_name(entry: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fill_in(Txt2ImgParams(infotext=f"Steps: 20, Seed: 1, Size: 64x64, {entry}, Version: 1"))


def test_every_name_of_the_tables_exists() -> None:
    assert {*FIELDS, *IMG2IMG_FIELDS} <= set(Img2ImgParams.model_fields)
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


@pytest.mark.parametrize(
    ("size", "first_pass", "first", "final"),
    [
        ("128x128", "64x64", (64, 64), (128, 128)),
        ("1024x512", "0x0", (768, 384), (1024, 512)),
        ("512x512", "0x0", (512, 512), (512, 512)),
    ],
)
def test_hires_fix_of_early_webuis_draws_its_first_pass_first(
    size: str, first_pass: str, first: tuple[int, int], final: tuple[int, int]
) -> None:
    text = f"Steps: 6, Sampler: Euler a, Seed: 5, Size: {size}, Denoising strength: 0.7, First pass size: {first_pass}"

    filled = fill_in(Txt2ImgParams(infotext=text))

    assert (filled.width, filled.height) == first
    assert (filled.hr_resize_x, filled.hr_resize_y) == final
    assert (filled.enable_hr, filled.denoising_strength) == (True, 0.7)


@pytest.mark.parametrize(("strength", "tag"), [(", Hypernet strength: 0.4", "0.4"), ("", "1.0")])
def test_the_hypernetwork_of_early_webuis_becomes_a_tag(strength: str, tag: str) -> None:
    text = f"a heart\nSteps: 6, Sampler: Euler a, Seed: 5, Size: 64x64, Hypernet: hearts{strength}"

    assert fill_in(Txt2ImgParams(infotext=text)).prompt == f"a heart<hypernet:hearts:{tag}>"


def test_img2img_takes_the_noise_multiplier_unless_the_request_has_one() -> None:
    text = "Steps: 6, Sampler: Euler, Seed: 5, Noise multiplier: 0.6"

    assert fill_in(Img2ImgParams(init_images=[PICTURE], infotext=text)).initial_noise_multiplier == 0.6
    own = Img2ImgParams(init_images=[PICTURE], infotext=text, initial_noise_multiplier=0.9)
    assert fill_in(own).initial_noise_multiplier == 0.9


@pytest.mark.parametrize("number", ["1", "0", "-1", "-2"])
def test_a_clip_skip_below_two_skips_nothing(number: str) -> None:
    text = f"Steps: 6, Sampler: Euler, Seed: 5, Clip skip: {number}"

    assert fill_in(Txt2ImgParams(infotext=text)).options.CLIP_stop_at_last_layers == 1


@pytest.mark.parametrize(
    ("entries", "given", "expected"),
    [
        ("Sampler: DPM++ 2M SDE Karras", {}, ("DPM++ 2M SDE", "Karras")),
        ("Sampler: DPM++ 2M SDE Karras, Schedule type: Automatic", {}, ("DPM++ 2M SDE", "Karras")),
        ("Sampler: Euler, Schedule type: Karras", {}, ("Euler", "Karras")),
        ("Sampler: Euler Karras", {"scheduler": "Exponential"}, ("Euler", "Exponential")),
        ("Sampler: Undefined, Schedule type: Karras", {"sampler_name": "Heun"}, ("Heun", "Karras")),
        ("Sampler: Heun, Schedule type: Turbo", {"scheduler": "Karras"}, ("Heun", "Karras")),
        # WebUI takes the first of its list, not the API's default.
        ("CFG scale: 4", {}, ("DPM++ 2M", "Automatic")),
        ("CFG scale: 4, Schedule type: Exponential", {}, ("DPM++ 2M", "Exponential")),
        ("CFG scale: 4", {"scheduler": "Uniform"}, ("DPM++ 2M", "Uniform")),
        ("CFG scale: 4", {"sampler_name": "Heun"}, ("Heun", "Automatic")),
    ],
)
def test_sampler_and_schedule_are_read_together(entries: str, given: dict[str, str], expected: tuple[str, str]) -> None:
    filled = fill_in(Txt2ImgParams.model_validate({"infotext": f"Steps: 6, Seed: 5, {entries}"} | given))

    choice = filled.sampler_choice()
    assert (choice.sampler, SCHEDULE_LABELS[choice.schedule]) == expected


def test_entries_that_change_nothing_are_listed_by_name() -> None:
    text = WRITTEN + ", ADetailer model: face, Distilled CFG Scale: 3.5, Mask blur: 4, Lora hashes: x, Odd size: 3x4"

    assert unused_entries(Txt2ImgParams(infotext=text)) == (
        "ADetailer model",
        "Distilled CFG Scale",
        "Mask blur",
        "Odd size",
    )
    assert unused_entries(Txt2ImgParams(infotext="a cat")) == ()
    assert unused_entries(Txt2ImgParams()) == ()
    img2img = unused_entries(Img2ImgParams(init_images=[PICTURE], infotext=text))
    assert {"CFG scale", "Size", "Denoising strength", "Hires upscale"} <= set(img2img)


SOFT = (
    "Soft inpainting enabled: True, Soft inpainting schedule bias: 2, Soft inpainting preservation strength: 0.25, "
    "Soft inpainting transition contrast boost: 8, Soft inpainting mask influence: 0.5, "
    "Soft inpainting difference threshold: 1, Soft inpainting difference contrast: 3.5"
)


@pytest.mark.parametrize(
    ("entries", "scripts", "expected"),
    [
        (SOFT, {}, SoftInpainting(2, 0.25, 8, 0.5, 1, 3.5)),
        ("Soft inpainting enabled: True", {}, SoftInpainting()),
        ("Soft inpainting enabled: True, Soft inpainting schedule bias: 3", {}, SoftInpainting(3)),
        (SOFT.replace("True", "False"), {}, None),
        ("Soft inpainting schedule bias: 3", {}, None),
        (SOFT, {"Soft Inpainting": {"args": [False]}}, None),
        (SOFT, {"soft inpainting": {"args": [True, 5]}}, SoftInpainting(5, 0.25, 8, 0.5, 1, 3.5)),
        ("Steps: 5", {"Soft Inpainting": {"args": [True, 5]}}, SoftInpainting(5)),
        (SOFT, {"Soft Inpainting": {"args": [{"Soft inpainting": False}]}}, None),
        (SOFT, {"ControlNet": {"args": []}}, SoftInpainting(2, 0.25, 8, 0.5, 1, 3.5)),
    ],
)
def test_an_infotext_switches_soft_inpainting_and_the_request_s_own_arguments_go_before(
    entries: str, scripts: dict[str, object], expected: SoftInpainting | None
) -> None:
    params = Img2ImgParams(
        init_images=[PICTURE], mask=PICTURE, alwayson_scripts=scripts, infotext=f"a cat\nSteps: 6, Seed: 5, {entries}"
    )

    assert fill_in(params).soft_inpainting() == expected
    assert unused_entries(params) == ()


@pytest.mark.parametrize("entry", ["Soft inpainting mask influence: much", "Soft inpainting enabled: Yes"])
def test_a_bad_entry_of_soft_inpainting_is_named(entry: str) -> None:
    params = Img2ImgParams(init_images=[PICTURE], infotext=f"a cat\nSteps: 6, Seed: 5, {entry}")

    with pytest.raises(ValueError, match=entry.partition(":")[0]):
        fill_in(params)


def test_the_entries_that_soft_inpainting_writes_are_read_back_as_they_were() -> None:
    settings = SoftInpainting(2, 0.25, 8, 0.5, 1, 3.5)
    text = ", ".join(f"{name}: {value}" for name, value in settings.infotext().items())
    params = Img2ImgParams(init_images=[PICTURE], mask=PICTURE, infotext=f"a cat\nSteps: 6, Seed: 5, {text}")

    read = fill_in(params).soft_inpainting()

    assert read is not None
    assert list(map(str, read.infotext().values())) == list(map(str, settings.infotext().values()))


@pytest.mark.parametrize(
    ("written", "sampler", "schedule"),
    [
        ("k_euler_a", "Euler a", Schedule.AUTOMATIC),
        ("K_DPMPP_2M", "DPM++ 2M", Schedule.AUTOMATIC),
        ("euler a", "Euler a", Schedule.AUTOMATIC),
        ("dpm++ 2m karras", "DPM++ 2M", Schedule.KARRAS),
        ("euler_ancestral", "Euler a", Schedule.AUTOMATIC),
        ("dpmpp_2m_karras", "DPM++ 2M", Schedule.KARRAS),
        ("dpmpp_2m_sde_gpu_sgm_uniform", "DPM++ 2M SDE", Schedule.SGM_UNIFORM),
        ("dpmpp_2s_ancestral", "DPM++ 2S a", Schedule.AUTOMATIC),
        ("euler_normal", "Euler", Schedule.NORMAL),
        ("uni_pc", "UniPC", Schedule.AUTOMATIC),
        ("DPM++ 2M SDE Heun Align Your Steps", "DPM++ 2M SDE Heun", Schedule.ALIGN_YOUR_STEPS),
    ],
)
@pytest.mark.parametrize("kind", [Txt2ImgParams, Img2ImgParams])
def test_samplers_are_read_by_the_names_that_other_tools_write(
    kind: type[Txt2ImgParams | Img2ImgParams], written: str, sampler: str, schedule: Schedule
) -> None:
    more = {"init_images": [PICTURE]} if kind is Img2ImgParams else {}
    params = kind.model_validate({"infotext": f"a cat\nSteps: 6, Sampler: {written}, Seed: 5", **more})

    choice = fill_in(params).sampler_choice()

    assert (choice.sampler, choice.schedule) == (sampler, schedule)


@pytest.mark.parametrize("written", ["dpmpp_2m_turbo", "ddpm", "Default", "HeunPP2", "euler_", "k_euler_karras_x"])
def test_a_sampler_that_nobody_has_is_named_with_its_entry(written: str) -> None:
    with pytest.raises(ValueError, match=f"Sampler: unknown sampler '{written}'"):
        fill_in(Txt2ImgParams(infotext=f"a cat\nSteps: 6, Sampler: {written}, Seed: 5"))


@pytest.mark.parametrize(
    ("entries", "field", "value"),
    [
        ("Steps: 20.0, Seed: 1, Size: 64x64", "steps", 20),
        ("Steps: 20, Seed: 123.0, Size: 64x64", "seed", 123),
        ("Steps: 20, Seed: , Size: 64x64", "seed", -1),
        ("Steps: , Seed: 3, Size: 64x64", "steps", 50),
        ('Steps: "", Seed: 3, Size: 64x64', "steps", 50),
        ("Steps: 20, Seed: 3, Clip skip: 2.0", "override_settings", {"CLIP_stop_at_last_layers": 2}),
        ("Steps: 20, Seed: 3, Tiling: true", "override_settings", {"tiling": True}),
        ("Steps: 20, Seed: 3, Tiling: FALSE", "override_settings", {}),
    ],
)
def test_numbers_and_truths_are_read_as_tools_write_them_and_empty_entries_are_left_out(
    entries: str, field: str, value: object
) -> None:
    assert fill_in(Txt2ImgParams(infotext=f"a cat\n{entries}")).model_dump()[field] == value


@pytest.mark.parametrize(
    ("entry", "option", "value"), [("RNG: cpu", "randn_source", "CPU"), ("Emphasis: no norm", "emphasis", "No norm")]
)
def test_choices_are_read_in_any_case(entry: str, option: str, value: str) -> None:
    assert getattr(fill_in(Txt2ImgParams(infotext=f"a cat\nSteps: 6, Seed: 5, {entry}")).options, option) == value


def test_an_empty_entry_that_would_count_is_named() -> None:
    params = Txt2ImgParams(infotext="a cat\nSteps: 6, Seed: , Size: 64x64, Model hash: , Mood: ")

    assert unused_entries(params) == ("Seed", "Mood")


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ("Size-1: a, First pass size: 64x64", "Size-1"),
        ("Size: 64x64, First pass size-1: a, First pass size-2: 5", "First pass size-1"),
        (f"Size: {'9' * 400}x64, First pass size: 0x0", "Size"),
        (f"Size: {'9' * 400}x{'9' * 400}, First pass size: {'9' * 400}x0", "Hires resize"),
        (f"Size: 64x64, First pass size: {'9' * 400}x64", "Size"),
    ],
)
def test_a_bad_size_of_an_old_infotext_is_named(entries: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        fill_in(Txt2ImgParams(infotext=f"a cat\nSteps: 6, Seed: 5, {entries}"))


def test_an_old_infotext_with_one_side_of_the_first_pass_has_it_chosen() -> None:
    filled = fill_in(Txt2ImgParams(infotext="a cat\nSteps: 6, Seed: 5, Size: 1024x1024, First pass size-1: 5"))

    assert (filled.width, filled.height) == (512, 512)
