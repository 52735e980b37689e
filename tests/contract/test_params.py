"""The params models: WebUI's names, API defaults and ranges, and refusals that name what was received."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from generate_on_cloud.contract import task_params
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.limits import (
    MAX_BLUR,
    MAX_MEGAPIXEL_STEPS,
    MAX_PICTURES,
    MAX_PIXELS,
    MAX_SIDE,
    MAX_STEPS,
    MAX_TIMESTEPS,
    MIN_SIDE,
)
from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import MAX_ECHO, PARAMS_BY_TASK, Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.single_image_params import InterrogateClipParams, InterrogateDeepbooruParams
from generate_on_cloud.contract.task_params import FIELDS_NOT_SUPPORTED_YET

PICTURE = "aGVsbG8="


def test_img2img_has_the_api_defaults_and_not_the_ones_of_the_page() -> None:
    params = Img2ImgParams.model_validate({"init_images": [PICTURE], "mask": PICTURE})

    assert params.steps == 50
    assert params.sampler_choice().sampler == "Euler"
    assert params.denoising_strength == 0.75
    assert params.cfg_scale == 7.0
    assert (params.width, params.height) == (512, 512)
    assert params.inpainting_fill == 0
    assert params.inpaint_full_res is True
    assert params.inpaint_full_res_padding == 0
    assert params.mask_blur_axes() == (4, 4)


def test_mask_blur_overwrites_both_axes() -> None:
    params = Img2ImgParams(init_images=[PICTURE], mask_blur=9, mask_blur_x=1, mask_blur_y=2)

    assert params.mask_blur_axes() == (9, 9)


def test_pictures_are_echoed_up_to_a_size() -> None:
    picture = "A" * (MAX_ECHO // 2)

    assert Img2ImgParams(init_images=[picture], mask=picture, include_init_images=True).include_init_images
    with pytest.raises(ValidationError, match=f"received pictures of {MAX_ECHO + 4} characters; allowed: {MAX_ECHO}"):
        Img2ImgParams(init_images=[picture + "AAAA"], mask=picture, include_init_images=True)
    assert Img2ImgParams(init_images=[picture * 3]).include_init_images is False


def test_every_task_has_its_params() -> None:
    assert set(PARAMS_BY_TASK) == set(Task)


def test_an_unknown_field_is_refused_by_its_name() -> None:
    with pytest.raises(ValidationError, match="stepz"):
        Txt2ImgParams.model_validate({"stepz": 20})


def test_img2img_without_a_picture_is_refused() -> None:
    with pytest.raises(ValidationError, match="init_images"):
        Img2ImgParams.model_validate({})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("steps", MAX_STEPS + 1),
        ("steps", "many"),
        ("batch_size", MAX_PICTURES + 1),
        ("width", MIN_SIDE - 1),
        ("height", MAX_SIDE + 1),
        ("denoising_strength", 1.01),
        ("denoising_strength", -0.01),
        ("cfg_scale", float("nan")),
        ("resize_mode", 4),
        ("inpainting_fill", -1),
        ("mask_blur", MAX_BLUR + 1),
        ("seed", 2**64),
        ("seed", -2),
        ("latent_mask", "x"),
        ("init_images", []),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Img2ImgParams.model_validate({"init_images": [PICTURE], field: value})

    assert refused.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize("value", [-1, "", None])
def test_several_spellings_ask_for_a_random_seed(value: object) -> None:
    assert Txt2ImgParams.model_validate({"seed": value}).seed == -1


def test_null_means_the_default() -> None:
    body = {"steps": None, "sampler_name": None, "override_settings": None, "styles": None}

    params = Txt2ImgParams.model_validate(body)

    assert params == Txt2ImgParams()


def test_an_unknown_sampler_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValidationError, match=r"unknown sampler 'Eular'; allowed: DPM\+\+ 2M, .*Euler"):
        Txt2ImgParams(sampler_name="Eular")


def test_an_unknown_option_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValidationError, match="did you mean 'img2img_extra_noise'"):
        Txt2ImgParams(override_settings={"img2img_noise": 2})


def test_an_option_has_webuis_default_until_it_is_overridden() -> None:
    assert Txt2ImgParams().options.randn_source == "GPU"
    assert Txt2ImgParams(override_settings={"randn_source": "CPU"}).options.randn_source == "CPU"


@pytest.mark.parametrize("task", [Task.TXT2IMG, Task.IMG2IMG])
def test_fields_not_honoured_yet_pass_with_their_defaults_written_out(task: Task) -> None:
    required = {"init_images": [PICTURE]} if task is Task.IMG2IMG else {}
    model = PARAMS_BY_TASK[task]
    spelled_out = model.model_validate(required).model_dump()

    assert model.model_validate(spelled_out).unsupported() == []


def test_every_field_not_honoured_yet_exists() -> None:
    declared = {name for model in PARAMS_BY_TASK.values() for name in model.model_fields}

    assert declared >= FIELDS_NOT_SUPPORTED_YET


def test_a_field_not_honoured_yet_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_params, "FIELDS_NOT_SUPPORTED_YET", {"restore_faces"})

    errors = Txt2ImgParams(restore_faces=True).unsupported()

    assert [error.pointer for error in errors] == ["/restore_faces"]
    assert "True" in errors[0].message
    assert Txt2ImgParams(restore_faces=False).unsupported() == []


def test_a_body_of_webuis_interrogate_is_taken_as_it_is() -> None:
    assert InterrogateClipParams.model_validate({"image": PICTURE, "model": "clip"}).model == "clip"
    assert InterrogateDeepbooruParams.model_validate({"image": PICTURE, "model": "deepdanbooru"}).tagger is None


def test_a_model_of_the_other_interrogate_task_is_refused() -> None:
    with pytest.raises(ValidationError, match="Input should be 'clip'"):
        InterrogateClipParams.model_validate({"image": PICTURE, "model": "deepdanbooru"})


def test_interrogation_has_webuis_options_with_its_defaults() -> None:
    options = InterrogateClipParams(image=PICTURE).override_settings

    assert (options.interrogate_clip_num_beams, options.interrogate_clip_dict_limit) == (1, 1500)
    assert (options.interrogate_clip_min_length, options.interrogate_clip_max_length) == (24, 48)
    assert (options.deepbooru_sort_alpha, options.deepbooru_use_spaces, options.deepbooru_escape) == (True, True, True)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            {"interrogate_clip_beams": 2},
            "unknown option 'interrogate_clip_beams'; allowed: .*interrogate_clip_num_beams",
        ),
        ({"interrogate_clip_num_beams": 17}, "less than or equal to 16"),
        ({"interrogate_clip_num_beams": "2"}, "valid integer"),
        ({"interrogate_clip_min_length": 60}, "min_length = 60 and interrogate_clip_max_length = 48"),
        ({"interrogate_deepbooru_score_threshold": 1.5}, "less than or equal to 1"),
        ({"deepbooru_escape": None}, "valid boolean"),
        ({"interrogate_clip_skip_categories": "artists"}, "valid list"),
    ],
)
def test_a_bad_option_of_interrogation_is_refused_in_words(option: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        InterrogateDeepbooruParams.model_validate({"image": PICTURE, "override_settings": option})


@given(st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_whatever_a_client_sends_is_taken_or_refused_and_never_crashes(body: dict[str, object]) -> None:
    for model in PARAMS_BY_TASK.values():
        with suppress(ValidationError):
            assert model.model_validate(body).model_fields_set <= set(body)


def test_arguments_without_a_script_are_refused() -> None:
    with pytest.raises(ValidationError, match="received 2 arguments without a script; allowed: none"):
        Txt2ImgParams.model_validate({"script_args": [1, 2]})

    assert Txt2ImgParams.model_validate({"script_name": "", "script_args": []}).script_name is None


def test_every_option_of_a_request_is_a_typed_value_and_only_those_it_sets_are_sent_on() -> None:
    params = Txt2ImgParams(override_settings={"eta_ancestral": 1, "CLIP_stop_at_last_layers": 2.0})

    options = params.options

    # As in WebUI, infotexts show a whole number as it was sent.
    assert (options.eta_ancestral, type(options.eta_ancestral)) == (1, int)
    assert (options.CLIP_stop_at_last_layers, type(options.CLIP_stop_at_last_layers)) == (2, int)
    assert {name: getattr(options, name) for name in OPTIONS if name not in params.override_settings} == {
        name: rule.default for name, rule in OPTIONS.items() if name not in params.override_settings
    }
    assert params.model_dump(exclude_unset=True) == {
        "override_settings": {"eta_ancestral": 1, "CLIP_stop_at_last_layers": 2.0}
    }


def test_a_request_changed_afterwards_has_the_options_it_has_then() -> None:
    params = Txt2ImgParams(override_settings={"randn_source": "CPU"})
    assert params.options.randn_source == "CPU"

    changed = params.model_copy(update={"override_settings": {}})

    assert changed.options.randn_source == "GPU"


def test_the_schema_of_override_settings_has_type_default_and_bounds_of_every_option() -> None:
    settings = Txt2ImgParams.model_json_schema()["properties"]["override_settings"]

    assert settings["additionalProperties"] is False
    assert set(settings["properties"]) == set(OPTIONS)
    weight = settings["properties"]["inpainting_mask_weight"]
    assert (weight["type"], weight["default"], weight["minimum"], weight["maximum"]) == ("number", 1.0, 0, 1)
    assert settings["properties"]["randn_source"]["enum"] == ["GPU", "CPU", "NV"]
    assert "CodeFormer needs" in settings["properties"]["face_restoration_model"]["description"]


@pytest.mark.parametrize(
    "params",
    [
        {"width": 2560, "height": 64, "steps": 1},
        {"width": 40, "height": 8},
        {"steps": 200, "batch_size": 12},
        {"n_iter": 101, "width": 64, "height": 64},
        {"cfg_scale": 150},
        {"s_churn": 101, "s_min_uncond": 16},
        {"enable_hr": True, "hr_scale": 5, "denoising_strength": 0.5},
        {"enable_hr": True, "hr_scale": 0.5, "denoising_strength": 0.5},
        {"enable_hr": True, "hr_second_pass_steps": 151, "denoising_strength": 0.5},
        {"seed_resize_from_w": 4096, "seed_resize_from_h": 4096},
    ],
)
def test_the_ends_of_webuis_sliders_are_no_limits(params: dict[str, object]) -> None:
    assert set(params) <= set(Txt2ImgParams.model_validate(params).model_fields_set)


@pytest.mark.parametrize(
    "params", [{"mask_blur": 65}, {"inpaint_full_res_padding": 257}, {"initial_noise_multiplier": 2}]
)
def test_the_ends_of_img2imgs_sliders_are_no_limits(params: dict[str, object]) -> None:
    assert set(params) <= set(Img2ImgParams.model_validate(params | {"init_images": [PICTURE]}).model_fields_set)


@pytest.mark.parametrize(
    ("params", "limit"),
    [
        ({"batch_size": 10, "n_iter": MAX_PICTURES // 10 + 1}, MAX_PICTURES),
        ({"width": MAX_SIDE, "height": MAX_SIDE}, MAX_PIXELS),
        ({"batch_size": MAX_PIXELS // 512**2 + 1}, MAX_PIXELS),
        ({"width": 4096, "height": 4096, "enable_hr": True, "hr_scale": 4, "denoising_strength": 0.5}, MAX_PIXELS),
        ({"width": 2048, "height": 2048, "steps": MAX_STEPS, "n_iter": 100}, MAX_MEGAPIXEL_STEPS),
        ({"sampler_name": "DDIM", "steps": MAX_TIMESTEPS + 1}, MAX_TIMESTEPS),
        ({"width": 8192, "enable_hr": True, "hr_scale": 3, "denoising_strength": 0.5}, MAX_SIDE),
    ],
)
def test_what_one_job_cannot_hold_is_refused_with_what_was_received_and_the_limit(
    params: dict[str, object], limit: int
) -> None:
    with pytest.raises(ValidationError, match=f"received .*; allowed: .*{limit}"):
        Txt2ImgParams.model_validate(params)


def test_work_counts_both_passes_and_every_picture() -> None:
    first = Txt2ImgParams(width=500, height=400, steps=10, batch_size=2, n_iter=3)
    both = first.model_copy(update={"enable_hr": True, "hr_scale": 2.0, "hr_second_pass_steps": 5})

    assert float(first.megapixel_steps()) == 12
    assert float(both.megapixel_steps()) == 12 + 0.8 * 5 * 6
    assert both.pixels_at_once() == 1000 * 800 * 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [name for name, rule in OPTIONS.items() if isinstance(rule.default, float)])
def test_an_option_is_a_finite_number(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match=f"for {name}; allowed: a finite number"):
        Txt2ImgParams(override_settings={name: value})


@pytest.mark.parametrize(("count", "batch_size"), [(2, 1), (5, 4)])
def test_more_init_pictures_than_a_batch_holds_are_refused(count: int, batch_size: int) -> None:
    with pytest.raises(ValidationError, match=f"received {count} for batch_size {batch_size}; allowed: 1 to"):
        Img2ImgParams(init_images=[PICTURE] * count, batch_size=batch_size)
    assert Img2ImgParams(init_images=[PICTURE] * count, batch_size=count).batch_size == count
