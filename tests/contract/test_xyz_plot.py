"""X/Y/Z plot: WebUI's axes and values, what each changes, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from generate_on_cloud.contract import task_params
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import PARAMS_BY_TASK, ImageParams
from generate_on_cloud.contract.plot_axes import axes
from generate_on_cloud.contract.plot_values import int_values, number_values, split_values

PICTURE = "aGVsbG8="


def plotted(task: Task, *arguments: object, **body: Any) -> ImageParams:
    drawn_from = {"init_images": [PICTURE]} if task is Task.IMG2IMG else {}
    document = {"width": 64, "height": 64, "seed": 1, "steps": 4, **drawn_from, **body}
    model = PARAMS_BY_TASK[task].model_validate(
        {**document, "script_name": "X/Y/Z plot", "script_args": list(arguments)}
    )
    assert isinstance(model, ImageParams)
    return model


VALUES: dict[str, tuple[str, str, object]] = {
    "Seed": ("3", "seed", 3),
    "Var. seed": ("3", "subseed", 3),
    "Var. strength": ("0.5", "subseed_strength", 0.5),
    "Steps": ("9", "steps", 9),
    "Hires steps": ("9", "hr_second_pass_steps", 9),
    "CFG Scale": ("5", "cfg_scale", 5.0),
    "Image CFG Scale": ("2", "image_cfg_scale", 2.0),
    "Sampler": ("ddim", "sampler_name", "DDIM"),
    "Hires sampler": ("DDIM", "hr_sampler_name", "DDIM"),
    "Checkpoint name": ("dream", "sd_model_checkpoint", "dream"),
    "Negative Guidance minimum sigma": ("1", "s_min_uncond", 1.0),
    "Sigma Churn": ("1", "s_churn", 1.0),
    "Sigma min": ("1", "s_tmin", 1.0),
    "Sigma max": ("1", "s_tmax", 1.0),
    "Sigma noise": ("1", "s_noise", 1.0),
    "Schedule type": ("Karras", "scheduler", "Karras"),
    "Schedule min sigma": ("1", "sigma_min", 1.0),
    "Schedule max sigma": ("1", "sigma_max", 1.0),
    "Schedule rho": ("1", "rho", 1.0),
    "Skip Early CFG": ("0.5", "skip_early_cond", 0.5),
    "Beta schedule alpha": ("0.5", "beta_dist_alpha", 0.5),
    "Beta schedule beta": ("0.5", "beta_dist_beta", 0.5),
    "Eta": ("0.5", "eta", 0.5),
    "Clip skip": ("2", "CLIP_stop_at_last_layers", 2),
    "Denoising": ("0.5", "denoising_strength", 0.5),
    "Initial noise multiplier": ("0.5", "initial_noise_multiplier", 0.5),
    "Extra noise": ("0.5", "img2img_extra_noise", 0.5),
    "Hires upscaler": ("Lanczos", "hr_upscaler", "Lanczos"),
    "Cond. Image Mask Weight": ("0.5", "inpainting_mask_weight", 0.5),
    "VAE": ("auto", "sd_vae", "Automatic"),
    "Styles": ('"a,b"', "styles", ["base", "a", "b"]),
    "UniPC Order": ("9", "uni_pc_order", 3),
    "Face restore": ("no", "restore_faces", False),
    "Token merging ratio": ("0.5", "token_merging_ratio", 0.5),
    "Token merging ratio high-res": ("0.5", "token_merging_ratio_hr", 0.5),
    "Always discard next-to-last sigma": ("True", "always_discard_next_to_last_sigma", True),
    "SGM noise multiplier": ("true", "sgm_noise_multiplier", True),
    "Refiner checkpoint": ("dream", "refiner_checkpoint", "dream"),
    "Refiner switch at": ("0.5", "refiner_switch_at", 0.5),
    "RNG source": ("NV", "randn_source", "NV"),
    "FP8 mode": ("Disable", "seed", 1),
    "Size": ("72x80", "height", 80),
    "Prompt S/R": ("x, y", "prompt", "x and b"),
    "Prompt order": ("x", "prompt", "x and b"),
    "[Hypertile] Unet First pass Enabled": ("True", "hypertile_enable_unet", True),
    "[Hypertile] Unet Second pass Enabled": ("true", "hypertile_enable_unet_secondpass", True),
    "[Hypertile] Unet Max Depth": ("1", "hypertile_max_depth_unet", 1),
    "[Hypertile] Unet Max Tile Size": ("64", "hypertile_max_tile_unet", 64),
    "[Hypertile] Unet Swap Size": ("6", "hypertile_swap_size_unet", 6),
    "[Hypertile] VAE Enabled": ("no", "hypertile_enable_vae", False),
    "[Hypertile] VAE Max Depth": ("1", "hypertile_max_depth_vae", 1),
    "[Hypertile] VAE Max Tile Size": ("64", "hypertile_max_tile_vae", 64),
    "[Hypertile] VAE Swap Size": ("6", "hypertile_swap_size_vae", 6),
}
WEBUI_LABELS = {
    Task.TXT2IMG: """Nothing; Seed; Var. seed; Var. strength; Steps; Hires steps; CFG Scale; Prompt S/R; Prompt order;
        Sampler; Hires sampler; Checkpoint name; Negative Guidance minimum sigma; Sigma Churn; Sigma min; Sigma max;
        Sigma noise; Schedule type; Schedule min sigma; Schedule max sigma; Schedule rho; Beta schedule alpha;
        Beta schedule beta; Eta; Clip skip; Denoising; Initial noise multiplier; Extra noise; Hires upscaler; VAE;
        Styles; UniPC Order; Face restore; Token merging ratio; Token merging ratio high-res;
        Always discard next-to-last sigma; SGM noise multiplier; Refiner checkpoint; Refiner switch at; RNG source;
        FP8 mode; Size; [Hypertile] Unet First pass Enabled; [Hypertile] Unet Second pass Enabled;
        [Hypertile] Unet Max Depth; [Hypertile] Unet Max Tile Size; [Hypertile] Unet Swap Size;
        [Hypertile] VAE Enabled; [Hypertile] VAE Max Depth; [Hypertile] VAE Max Tile Size; [Hypertile] VAE Swap Size""",
    Task.IMG2IMG: """Nothing; Seed; Var. seed; Var. strength; Steps; CFG Scale; Image CFG Scale; Prompt S/R;
        Prompt order; Sampler; Checkpoint name; Negative Guidance minimum sigma; Sigma Churn; Sigma min; Sigma max;
        Sigma noise; Schedule type; Schedule min sigma; Schedule max sigma; Schedule rho; Beta schedule alpha;
        Beta schedule beta; Eta; Clip skip; Denoising; Initial noise multiplier; Extra noise; Cond. Image Mask Weight;
        VAE; Styles; UniPC Order; Face restore; Token merging ratio; Token merging ratio high-res;
        Always discard next-to-last sigma; SGM noise multiplier; Refiner checkpoint; Refiner switch at; RNG source;
        FP8 mode; Size; [Hypertile] Unet First pass Enabled; [Hypertile] Unet Second pass Enabled;
        [Hypertile] Unet Max Depth; [Hypertile] Unet Max Tile Size; [Hypertile] Unet Swap Size;
        [Hypertile] VAE Enabled; [Hypertile] VAE Max Depth; [Hypertile] VAE Max Tile Size; [Hypertile] VAE Swap Size""",
}
"""The choices of the first argument in `/sdapi/v1/script-info` of WebUI 1.10.1, in order."""


@pytest.mark.parametrize("task", WEBUI_LABELS)
def test_every_axis_has_webuis_index(task: Task) -> None:
    expected = [" ".join(label.split()) for label in WEBUI_LABELS[task].split(";")]

    assert [axis.label for axis in axes(task)][: len(expected)] == expected


@pytest.mark.parametrize(
    ("task", "label"), [(task, axis.label) for task in (Task.TXT2IMG, Task.IMG2IMG) for axis in axes(task)[1:]]
)
def test_every_axis_changes_its_field_or_option_by_label_and_by_place(task: Task, label: str) -> None:
    text, field, expected = VALUES[label]
    place = [axis.label for axis in axes(task)].index(label)

    for kind in (label.upper(), place):
        given = plotted(task, kind, text, prompt="x and b", styles=["base"])
        drawn = given.variants()[0]
        if field not in type(drawn).model_fields and field not in drawn.override_settings:
            assert label == "Initial noise multiplier"  # txt2img has none
            continue
        value = getattr(drawn, field) if field in type(drawn).model_fields else drawn.override_settings[field]
        assert value == expected
        assert drawn.script_name is None


def test_axes_combine_with_the_slow_ones_outside() -> None:
    def order(*arguments: object) -> list[tuple[object, ...]]:
        drawn = plotted(Task.TXT2IMG, *arguments).variants()
        return [(one.override_settings.get("sd_model_checkpoint"), one.steps, one.cfg_scale) for one in drawn]

    by_default = order("CFG Scale", "1,2", [], "Steps", "3,4")
    slow = order("Checkpoint name", "", ["a", "b"], "Steps", "3,4", [], "CFG Scale", "1,2")

    assert by_default == [(None, 3, 1), (None, 3, 2), (None, 4, 1), (None, 4, 2)]
    assert slow == [(name, steps, cfg) for name in ("a", "b") for cfg in (1, 2) for steps in (3, 4)]


def test_a_prompt_is_searched_and_ordered_as_webui_does() -> None:
    replaced = plotted(Task.TXT2IMG, "Prompt S/R", "cat,dog,", prompt="a cat", negative_prompt="cat").variants()
    quoted = plotted(Task.TXT2IMG, "Prompt S/R", 'cat, "dog, big"', prompt="a cat").variants()
    ordered = plotted(Task.TXT2IMG, "Prompt order", "b,a,c", prompt="(a) b, c!").variants()

    assert [(one.prompt, one.negative_prompt) for one in replaced] == [("a cat", "cat"), ("a dog", "dog"), ("a ", "")]
    assert [one.prompt for one in quoted] == ["a cat", "a dog, big"]
    assert [one.prompt for one in ordered] == [
        "(b) a, c!", "(b) c, a!", "(a) b, c!", "(a) c, b!", "(c) b, a!", "(c) a, b!",
    ]  # fmt: skip


def test_seeds_vary_along_the_chosen_axes() -> None:
    switches = [True, False, False, False, True, True, False]

    drawn = plotted(Task.TXT2IMG, "Steps", "1,2", [], "CFG Scale", "1,2", [], 0, "", [], *switches).variants()

    assert [one.seed for one in drawn] == [1, 2, 3, 4]


def test_all_pictures_of_all_cells_are_counted() -> None:
    given = plotted(Task.TXT2IMG, "Steps", "10,20", batch_size=2, n_iter=3)
    alone = plotted(Task.TXT2IMG, "Steps", "10,20", batch_size=2, override_settings={"return_grid": False})

    assert float(given.megapixel_steps()) == pytest.approx(30 * 6 * 64 * 64 / 10**6, abs=0.001)
    assert float(alone.megapixel_steps()) == pytest.approx(30 * 64 * 64 / 10**6, abs=0.001)


@pytest.mark.parametrize(
    ("texts", "whole", "numbers"),
    [
        ("1, 2 ,-3", [1, 2, -3], [1.0, 2.0, -3.0]),
        ("1-3", [1, 2, 3], [1.0, 2.0, 3.0]),
        ("1-5 (+2)", [1, 3, 5], [1.0, 3.0, 5.0]),
        ("5-1 (-2)", [5, 3], [5.0, 3.0, 1.0]),
        ("1-10 [4]", [1, 4, 7, 10], [1.0, 4.0, 7.0, 10.0]),
        ("0-1 [3]", [0, 0, 1], [0.0, 0.5, 1.0]),
        ("7 [1]-8", None, None),
        ("", [], []),
        ("1,, 2, ", [1, 2], [1.0, 2.0]),
    ],
)
def test_ranges_are_written_as_in_webui(texts: str, whole: list[int] | None, numbers: list[float] | None) -> None:
    for read, expected in ((int_values, whole), (number_values, numbers)):
        if expected is None:
            with pytest.raises(ValueError, match="allowed"):
                read(split_values(texts))
        else:
            assert read(split_values(texts)) == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Sed", "1"], "x_type: received 'Sed'; allowed: 0 to 51, or Nothing, Seed"),
        ([99, "1"], "x_type: received '99'; allowed: 0 to"),
        (["Image CFG Scale", "1"], "x_type: received 'Image CFG Scale'"),
        (["Seed", ""], "x_values: received no value for Seed; allowed: one or more"),
        (["Steps", "many"], "x_values: received 'many'; allowed: whole numbers and ranges such as"),
        (["Steps", "1-9 (+0)"], "x_values: received '1-9 .*allowed: a step other than 0"),
        (["Steps", "1-2000"], "x_values: received a range of 2000 values; allowed: up to 1000"),
        (["CFG Scale", "inf"], "x_values: received 'inf'; allowed: finite numbers"),
        (["Steps", "1-40", [], "CFG Scale", "1-40"], "received 1600 cells; allowed: up to 1000"),
        (["Steps", "0"], r"X/Y/Z plot: Steps: 0.*: steps: .*greater than or equal to 1.*received '0'"),
        (["Sampler", "", ["Eule"]], "unknown sampler 'Eule'"),
        (["Clip skip", "99"], "override_settings: .*received 99 for CLIP_stop_at_last_layers"),
        (["Prompt S/R", "dog,cat"], "x_values: received 'dog'; allowed: a text that is in prompt or negative_prompt"),
        (["Prompt order", "a,dog"], "x_values: received 'dog'; allowed: texts that are in prompt"),
        (["Prompt order", "a,b,c,d,e,f,g"], "received 7 texts to order; allowed: up to 6"),
        (["FP8 mode", "Enable"], "x_values: received 'Enable'; allowed: Disable"),
        (["Size", "big"], "x_values: received 'big'; allowed: WIDTHxHEIGHT"),
        (["Sampler", "", [1]], r"x_values_dropdown: received \[1\]; allowed: a list of up to 1000 texts"),
    ],
)
def test_a_bad_axis_or_value_is_refused_by_name(arguments: list[object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plotted(Task.TXT2IMG, *arguments, prompt="a cat")


@pytest.mark.parametrize(
    ("arguments", "prompt", "said"),
    [
        (["Prompt S/R", "a," + "b" * 90_000], "a" * 90_000, "make a prompt of 8100000000 characters"),
        (["Prompt S/R", '"",' + "b" * 90_000], "a" * 90_000, "make a prompt of 8100180000 characters"),
        (["Steps", "1-900"], "a" * 90_000, "expand to 81000000 characters"),
    ],
)
def test_a_plot_that_would_fill_the_memory_is_refused_before_it_does(
    arguments: list[object], prompt: str, said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        plotted(Task.TXT2IMG, *arguments, prompt=prompt)


def test_a_cell_that_asks_for_what_is_not_supported_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_params, "FIELDS_NOT_SUPPORTED_YET", {"restore_faces"})
    (refusal,) = plotted(Task.TXT2IMG, "Face restore", "no,GFPGAN,yes").unsupported()

    assert refusal.message.startswith("restore_faces = True is not supported yet")
