"""What WebUI would not look at is dropped and named; what would change the picture and cannot be done is refused."""

from typing import Any

import pytest

from generate_on_cloud.contract.idle_options import AT_REST, IDLE_OPTIONS
from generate_on_cloud.contract.interrogation import InterrogateOptions
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.leniency import MAX_WARNINGS, Relaxed, relax
from generate_on_cloud.contract.options import OPTIONS
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams, Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.contract.script_switches import SILENT_SCRIPTS, is_off

PICTURE = "aGVsbG8="
NEEDED: dict[Task, dict[str, Any]] = {
    Task.TXT2IMG: {},
    Task.IMG2IMG: {"init_images": [PICTURE]},
    Task.INTERROGATE_CLIP: {"image": PICTURE},
    Task.INTERROGATE_DEEPBOORU: {"image": PICTURE},
    Task.EXTRA_SINGLE_IMAGE: {"image": PICTURE},
    Task.EXTRA_BATCH_IMAGES: {"imageList": [{"data": PICTURE}]},
}


def _relaxed(task: Task, **params: Any) -> Relaxed:
    """The request with what its task needs; it must be valid afterwards."""
    relaxed = relax(task, NEEDED[task] | params)
    PARAMS_BY_TASK[task].model_validate(relaxed.params)
    return relaxed


def _warned(relaxed: Relaxed) -> list[str]:
    return [warning.pointer for warning in relaxed.warnings]


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "http://localhost:7860"),
        ("auth", ""),
        ("clip_skip", 1),
        ("selection_info", {"left": 0}),
        ("seed_enable_extras", True),
        ("distilled_cfg_scale", 3.5),
        ("a/b~c", 1),
        ("", 1),
        ("控", None),
    ],
)
def test_a_field_webui_does_not_have_is_dropped_and_named(task: Task, name: str, value: object) -> None:
    relaxed = _relaxed(task, **{name: value})

    assert relaxed.params == NEEDED[task]
    assert _warned(relaxed) == ["/" + name.replace("~", "~0").replace("/", "~1")]


@pytest.mark.parametrize("task", Task)
def test_a_field_of_a_sibling_task_is_dropped_and_its_task_named(task: Task) -> None:
    for other, model in PARAMS_BY_TASK.items():
        for name in set(model.model_fields) - set(PARAMS_BY_TASK[task].model_fields):
            (warning,) = _relaxed(task, **{name: "anything"}).warnings
            assert warning.pointer == f"/{name}"
            assert other.value in warning.message


def test_a_misspelt_field_gets_the_name_that_was_meant() -> None:
    (warning,) = _relaxed(Task.TXT2IMG, stepz=20).warnings

    assert "did you mean 'steps'?" in warning.message


def test_a_request_without_anything_to_drop_stays_as_it_is() -> None:
    params = {"prompt": "a fox", "steps": 20, "alwayson_scripts": {}, "override_settings": {"randn_source": "CPU"}}

    relaxed = relax(Task.TXT2IMG, params)

    assert (relaxed.params, relaxed.warnings, relaxed.unsupported) == (params, [], [])


def test_the_request_itself_is_not_changed() -> None:
    params = {"url": 1, "steps": 2.5, "alwayson_scripts": {"Seed": {"args": []}}, "override_settings": {"font": ""}}

    relax(Task.TXT2IMG, params)

    assert params == {
        "url": 1,
        "steps": 2.5,
        "alwayson_scripts": {"Seed": {"args": []}},
        "override_settings": {"font": ""},
    }


@pytest.mark.parametrize(
    ("task", "field", "value"),
    [
        (Task.IMG2IMG, "mask", ""),
        (Task.IMG2IMG, "firstpass_image", ""),
        (Task.IMG2IMG, "latent_mask", ""),
        *((Task.TXT2IMG, name, "") for name in ("sampler_name", "scheduler", "infotext", "hr_upscaler", "script_name")),
        *((Task.TXT2IMG, "refiner_checkpoint", value) for value in ("", "None")),
        *((Task.TXT2IMG, "hr_checkpoint_name", value) for value in ("", "None")),
        (Task.TXT2IMG, "script_name", "None"),
        (Task.TXT2IMG, "script_args", [1, 2]),
        (Task.TXT2IMG, "scheduler", "None"),
        (Task.EXTRA_SINGLE_IMAGE, "upscaler_1", ""),
        (Task.EXTRA_BATCH_IMAGES, "upscaler_2", ""),
        (Task.INTERROGATE_CLIP, "interrogator", ""),
        (Task.INTERROGATE_DEEPBOORU, "tagger", ""),
    ],
)
def test_a_value_that_means_none_is_dropped_and_named(task: Task, field: str, value: object) -> None:
    relaxed = _relaxed(task, **{field: value})

    assert field not in relaxed.params
    assert _warned(relaxed) == [f"/{field}"]


@pytest.mark.parametrize("nothing", ["", "None", [], {}])
@pytest.mark.parametrize("field", ["override_settings", "alwayson_scripts", "comments", "script_args", "styles"])
def test_an_empty_value_of_another_type_means_an_empty_object_or_list(field: str, nothing: object) -> None:
    expected = Txt2ImgParams.model_fields[field].default

    relaxed = _relaxed(Task.TXT2IMG, **{field: nothing})

    assert Txt2ImgParams.model_validate(relaxed.params).model_dump()[field] == expected
    assert _warned(relaxed) == ([] if nothing == expected else [f"/{field}"])


@pytest.mark.parametrize(
    ("option", "said", "read"),
    [
        ("CLIP_stop_at_last_layers", "2", 2),
        ("CLIP_stop_at_last_layers", "2.0", 2),
        ("CLIP_stop_at_last_layers", " 2 ", 2),
        ("initial_noise_multiplier", "0.6", 0.6),
        ("img2img_color_correction", "True", True),
        ("img2img_color_correction", "false", False),
        ("randn_source", "CPU", "CPU"),
    ],
)
def test_numbers_and_switches_of_options_may_come_as_texts(option: str, said: str, read: object) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={option: said})

    assert relaxed.params["override_settings"] == {option: read}
    assert type(relaxed.params["override_settings"][option]) is type(read)


@pytest.mark.parametrize("said", ["two", "1,5", "", "yes"])
def test_texts_that_are_no_numbers_and_switches_stay_for_the_refusal(said: str) -> None:
    for option in ("CLIP_stop_at_last_layers", "initial_noise_multiplier", "img2img_color_correction"):
        assert relax(Task.TXT2IMG, {"override_settings": {option: said}}).params["override_settings"] == {option: said}


@pytest.mark.parametrize("value", ["", "None", "none"])
def test_a_checkpoint_that_is_none_is_dropped_and_named(value: str) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={"sd_model_checkpoint": value})

    assert relaxed.params["override_settings"] == {}
    assert _warned(relaxed) == ["/override_settings/sd_model_checkpoint"]


def test_a_vae_that_is_an_empty_text_is_the_checkpoints_own_as_in_webui() -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={"sd_vae": ""})

    assert relaxed.params["override_settings"] == {"sd_vae": "None"}
    assert _warned(relaxed) == ["/override_settings/sd_vae"]


@pytest.mark.parametrize(
    "script", [None, "", {}, [], {"args": None}, {"args": []}, {"args": {}}, {"args": [None, None]}, [None, {}]]
)
def test_controlnet_without_units_is_dropped_and_named(script: object) -> None:
    relaxed = _relaxed(Task.TXT2IMG, alwayson_scripts={"ControlNet": script})

    assert relaxed.params["alwayson_scripts"] == {}
    assert _warned(relaxed) == ["/alwayson_scripts/ControlNet"]


@pytest.mark.parametrize("empty", [None, "", "None"])
def test_the_empty_style_is_dropped_and_the_others_stay(empty: object) -> None:
    relaxed = _relaxed(Task.TXT2IMG, styles=["night", empty])

    assert relaxed.params["styles"] == ["night"]
    assert _warned(relaxed) == ["/styles"]


@pytest.mark.parametrize(
    ("field", "value", "read", "warns"),
    [
        ("hr_second_pass_steps", 2.5, 2, True),
        ("steps", 20.0, 20, False),
        ("steps", 7.9, 7, True),
        ("seed", -1.0, -1, False),
        ("seed", -0.5, 0, True),
        ("seed", "5", 5, False),
        ("seed", " 5 ", 5, False),
        ("width", "512", 512, False),
        ("n_iter", True, 1, False),
        ("cfg_scale", 2.5, 2.5, False),
        ("enable_hr", False, False, False),
        ("prompt", 5, "5", False),
    ],
)
def test_numbers_are_read_as_pydantic_1_reads_them(field: str, value: object, read: object, warns: bool) -> None:
    relaxed = _relaxed(Task.TXT2IMG, **{field: value})

    assert relaxed.params[field] == read
    assert type(relaxed.params[field]) is type(read)
    assert _warned(relaxed) == ([f"/{field}"] if warns else [])


@pytest.mark.parametrize(("field", "value"), [("inpainting_fill", "1"), ("resize_mode", 1.5), ("resize_mode", True)])
def test_choices_by_number_are_read_like_numbers(field: str, value: object) -> None:
    assert Img2ImgParams.model_validate(_relaxed(Task.IMG2IMG, **{field: value}).params).model_dump()[field] == 1


@pytest.mark.parametrize("value", ["2.5", "many", [1], {}, float("nan"), float("inf")])
def test_what_is_no_number_is_left_for_the_refusal(value: object) -> None:
    assert relax(Task.TXT2IMG, {"steps": value}).params["steps"] is value


@pytest.mark.parametrize("title", [*SILENT_SCRIPTS, *map(str.title, SILENT_SCRIPTS)])
@pytest.mark.parametrize("arguments", [[], [True, "x", 0.8], [5, "Euler", "Automatic"], None])
@pytest.mark.parametrize("task", [Task.TXT2IMG, Task.IMG2IMG])
def test_scripts_whose_arguments_webuis_api_ignores_are_dropped_whatever_they_hold(
    title: str, arguments: object, task: Task
) -> None:
    relaxed = _relaxed(task, alwayson_scripts={title: {"args": arguments}})

    assert relaxed.params["alwayson_scripts"] == {}
    assert _warned(relaxed) == [f"/alwayson_scripts/{title}"]


OFF: list[tuple[str, object]] = [
    ("ADetailer", {"args": [False]}),
    ("ADetailer", {"args": [False, False, {"ad_model": "face_yolov8n.pt"}]}),
    ("ADetailer", {"args": [True, False, {"ad_model": "None"}, {"ad_model": "None"}]}),
    ("ADetailer", {"args": [{"ad_model": "None"}]}),
    ("ADetailer", {"args": [True, {"ad_model": "face_yolov8n.pt", "ad_tab_enable": False}]}),
    ("ReActor", {"args": [None, False, "0", "0", "inswapper_128.onnx", "CodeFormer", 1]}),
    ("roop", {"args": ["", False, "0"]}),
    ("FreeU Integrated (SD 1.x, SD 2.x, SDXL)", {"args": [False, 1.01, 1.02, 0.99, 0.95]}),
    ("Tiled Diffusion", {"args": [False, "MultiDiffusion", False, True, 1024, 1024]}),
    ("Dynamic Thresholding (CFG Scale Fix)", {"args": [False, 7, 100]}),
    ("Regional Prompter", {"args": {"active": False, "mode": "Matrix"}}),
    ("Some script", {"args": []}),
    ("Some script", {"args": [None, "", "None", [], {}]}),
    ("Some script", {"args": None}),
    ("Some script", {}),
    ("Some script", []),
    ("Some script", None),
    ("Units", {"args": [{"enabled": False, "model": "x"}, {"enabled": False}]}),
]
ON: list[tuple[str, object]] = [
    ("ADetailer", {"args": [True, False, {"ad_model": "face_yolov8n.pt"}]}),
    ("ADetailer", {"args": [{"ad_model": "face_yolov8n.pt"}]}),
    ("ReActor", {"args": [PICTURE, True, "0"]}),
    ("Tiled Diffusion", {"args": [True, "MultiDiffusion"]}),
    ("Regional Prompter", {"args": {"active": True}}),
    ("Some script", {"args": [0.5]}),
    ("Some script", {"args": ["text"]}),
    ("Some script", {"args": [True]}),
    ("Some script", {"args": "text"}),
    ("Units", {"args": [{"enabled": False}, {"enabled": True}]}),
    ("Units", {"args": [True, {"enabled": False}]}),
]


@pytest.mark.parametrize(("title", "script"), OFF)
def test_a_script_that_is_off_is_dropped_and_named(title: str, script: object) -> None:
    assert is_off(script)
    relaxed = _relaxed(Task.TXT2IMG, alwayson_scripts={title: script})

    assert relaxed.params["alwayson_scripts"] == {}
    assert "is off" in relaxed.warnings[0].message
    assert not relaxed.unsupported


@pytest.mark.parametrize(("title", "script"), ON)
def test_a_script_that_is_on_and_not_here_is_unsupported_by_its_name(title: str, script: object) -> None:
    relaxed = _relaxed(Task.TXT2IMG, alwayson_scripts={title: script})

    assert not relaxed.warnings
    (refused,) = relaxed.unsupported
    assert title[:20] in refused.message


def test_soft_inpainting_is_read_for_img2img_and_dropped_from_txt2img_when_off() -> None:
    script = {"Soft Inpainting": {"args": [False, 1, 0.5, 4, 0, 0.5, 2]}}

    assert _relaxed(Task.IMG2IMG, alwayson_scripts=script).params["alwayson_scripts"] == script
    assert _relaxed(Task.TXT2IMG, alwayson_scripts=script).params["alwayson_scripts"] == {}


@pytest.mark.parametrize("name", [*sorted(IDLE_OPTIONS), "prioritized_callbacks_app_started"])
def test_an_option_that_changes_no_picture_is_dropped_whatever_it_holds(name: str) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={name: ["anything"], "randn_source": "CPU"})

    assert relaxed.params["override_settings"] == {"randn_source": "CPU"}
    assert _warned(relaxed) == [f"/override_settings/{name}"]


@pytest.mark.parametrize("name", sorted(AT_REST))
def test_an_option_that_cannot_be_followed_is_taken_at_rest_only(name: str) -> None:
    for value in (*AT_REST[name], None):
        assert _warned(_relaxed(Task.TXT2IMG, override_settings={name: value})) == [f"/override_settings/{name}"]
    (refused,) = _relaxed(Task.TXT2IMG, override_settings={name: "something else"}).unsupported
    assert name in refused.message
    assert "allowed" in refused.message


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_null_means_the_default_of_an_option(name: str) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={name: None})

    assert relaxed.params["override_settings"] == {}
    assert _warned(relaxed) == [f"/override_settings/{name}"]


def test_options_of_drawing_mean_nothing_to_an_interrogation_and_the_other_way_round() -> None:
    for name in (*OPTIONS, *AT_REST, *(IDLE_OPTIONS - set(InterrogateOptions.model_fields))):
        relaxed = _relaxed(Task.INTERROGATE_CLIP, override_settings={name: 1})
        assert relaxed.params["override_settings"] == {}
        assert _warned(relaxed) == [f"/override_settings/{name}"]
    for name in InterrogateOptions.model_fields:
        assert _warned(_relaxed(Task.TXT2IMG, override_settings={name: 1})) == [f"/override_settings/{name}"]


@pytest.mark.parametrize("value", [0, -1, -2])
def test_a_clip_skip_below_one_skips_nothing_as_in_webui(value: int) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={"CLIP_stop_at_last_layers": value})

    assert relaxed.params["override_settings"] == {}
    assert _warned(relaxed) == ["/override_settings/CLIP_stop_at_last_layers"]
    assert _relaxed(Task.TXT2IMG, override_settings={"CLIP_stop_at_last_layers": 2}).warnings == []


@pytest.mark.parametrize(("said", "read"), [("PNG", "png"), ("Jpg", "jpg"), ("webp", "webp")])
def test_a_format_is_read_in_any_case(said: str, read: str) -> None:
    relaxed = _relaxed(Task.TXT2IMG, override_settings={"samples_format": said})

    assert (relaxed.params["override_settings"], relaxed.warnings) == ({"samples_format": read}, [])


def test_an_option_webui_does_not_have_is_left_for_the_refusal() -> None:
    """WebUI itself answers HTTP 500."""
    assert relax(Task.TXT2IMG, {"override_settings": {"filter_nsfw": True}}).params["override_settings"] == {
        "filter_nsfw": True
    }


def test_no_option_is_in_two_tables() -> None:
    assert not set(OPTIONS) & (IDLE_OPTIONS | set(AT_REST))
    assert not IDLE_OPTIONS & set(AT_REST)
    assert set(InterrogateOptions.model_fields) <= IDLE_OPTIONS


def test_a_flood_of_fields_is_counted_and_not_listed() -> None:
    relaxed = _relaxed(Task.TXT2IMG, **{f"field{number}": number for number in range(1000)})

    assert len(relaxed.warnings) == MAX_WARNINGS
    assert relaxed.warnings[-1].message == f"{1000 - MAX_WARNINGS + 1} more fields, scripts or options were ignored"


def test_long_names_are_cut_in_warnings() -> None:
    relaxed = _relaxed(Task.TXT2IMG, **{"x" * 5000: 1})

    assert len(relaxed.warnings[0].pointer) + len(relaxed.warnings[0].message) < 300


UNIT = {"enabled": True, "module": "none", "model": "edges", "image": PICTURE}


def _unit(changes: dict[str, Any], task: Task = Task.TXT2IMG) -> tuple[Any, list[str]]:
    script = {"ControlNet": {"args": [UNIT | changes]}}
    relaxed = _relaxed(task, alwayson_scripts=script)
    params = PARAMS_BY_TASK[task].model_validate(relaxed.params)
    assert isinstance(params, ImageParams)
    (unit,) = params.controlnet_units()
    prefix = "/alwayson_scripts/ControlNet/args/0/"
    return unit, [warning.pointer.removeprefix(prefix) for warning in relaxed.warnings]


@pytest.mark.parametrize(
    "name",
    ["batch_image_dir", "batch_input_gallery", "batch_mask_dir", "batch_mask_gallery", "generated_image", "image_fg",
     "mask_image_fg", "use_preview_as_input", "guessmode", "guess_mode", "rgbbgr_mode", "invert_image",
     "animatediff_batch"],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, "", [], False, "x", True])
def test_a_field_of_another_version_of_a_unit_is_dropped_and_named(name: str, value: object) -> None:
    assert _unit({name: value})[1] == [name]


@pytest.mark.parametrize("nothing", [None, "", "None", [], {}, False])
@pytest.mark.parametrize("name", ["mask", "mask_image"])
def test_a_unit_has_no_mask_where_nothing_is_sent(name: str, nothing: object) -> None:
    assert _unit({name: nothing})[0].mask is None


@pytest.mark.parametrize("nothing", [None, "", []])
def test_a_unit_without_a_picture_takes_the_init_picture(nothing: object) -> None:
    for image in (nothing, {"image": nothing, "mask": nothing}):
        assert _unit({"image": image}, Task.IMG2IMG)[0].image is None


@pytest.mark.parametrize("nothing", [None, "", [], False])
@pytest.mark.parametrize(
    "name", ["batch_images", "ipadapter_input", "effective_region_mask", "loopback", "output_dir", "is_ui"]
)
def test_what_a_unit_cannot_do_may_hold_any_spelling_of_nothing(name: str, nothing: object) -> None:
    assert _unit({name: nothing})[1] == []


@pytest.mark.parametrize("module", PREPROCESSORS)
@pytest.mark.parametrize("name", ["threshold_a", "threshold_b", "processor_res"])
@pytest.mark.parametrize("value", [5000, 5000.5])
def test_a_number_beyond_a_preprocessors_slider_is_its_default(module: str, name: str, value: float) -> None:
    unit, warned = _unit({"module": module, name: value})

    assert getattr(unit, name) == -1
    assert warned == [name]


def test_numbers_a_preprocessor_uses_stay() -> None:
    unit, warned = _unit({"module": "canny", "threshold_a": 64, "threshold_b": 128.5, "processor_res": 256.0})

    assert (unit.threshold_a, unit.threshold_b, unit.processor_res, warned) == (64, 128.5, 256, [])


def test_a_disabled_unit_may_hold_anything() -> None:
    unit = {"enabled": False, "module": "openpose_full", "model": 5, "what": "ever"}

    assert not _relaxed(Task.TXT2IMG, alwayson_scripts={"controlnet": {"args": [unit]}}).warnings


FLAT = [False, False, True, "none", "edges", 0.5, {"image": PICTURE}, False, "Scale to Fit (Inner Fit)", False, False,
        64, 64, 64, 0.0, 0.9, False]  # fmt: skip


@pytest.mark.parametrize("script", [{"args": FLAT}, FLAT])
def test_the_flat_form_of_the_first_versions_is_one_unit(script: object) -> None:
    relaxed = _relaxed(Task.TXT2IMG, alwayson_scripts={"ControlNet": script})
    (unit,) = Txt2ImgParams.model_validate(relaxed.params).controlnet_units()

    assert (unit.model_name, unit.weight, unit.image) == ("edges", 0.5, PICTURE)
    assert (unit.resize_mode, unit.guidance_end, unit.processor_res) == ("Crop and Resize", 0.9, 64)
