"""Options and fields of a request: that each changes what is drawn, and is told in infotext where WebUI tells it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from checks.fidelity.recording import Recording
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.params import Txt2ImgParams
from generate_on_cloud.contract.samplers import choose_sampler
from generate_on_cloud.webui.infotext.parser import parse_infotext
from inference_container.drawing.fitted_checkpoints import FittedCheckpoints
from inference_container.drawing.sampling_record import noted_seed_delta, sampling_extra
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.models.model_cache import ModelCache
from inference_container.task import TaskInput, TaskOutput, load_nothing
from inference_container.tasks.txt2img import txt2img
from tests.tasks.conftest import as_text, noisy, rectangle
from tests.tasks.running import opened, pixels, run

LONG = ", ".join(["red cat on the blue dog"] * 20)
STEPS = 4


def draw(checkpoint: Checkpoint, **body: Any) -> TaskOutput:
    return run(checkpoint, Task.TXT2IMG, **{"steps": STEPS, **body})


def differs(one: TaskOutput, other: TaskOutput) -> bool:
    return not np.array_equal(pixels(one), pixels(other))


def told(output: TaskOutput) -> str:
    """What infotext says between the noise source and the version."""
    return output.images[0].infotext.partition(", RNG: CPU")[2].partition(", Version: ")[0].removeprefix(", ")


@pytest.mark.parametrize(
    ("body", "options", "entries"),
    [
        ({"sampler_name": "Euler a"}, {"eta_ancestral": 0.5}, "Eta: 0.5"),
        ({"sampler_name": "Euler a", "eta": 0.25}, {"eta_ancestral": 0.5}, "Eta: 0.25"),
        ({"sampler_name": "DDIM"}, {"eta_ddim": 0.5}, "Eta DDIM: 0.5"),
        ({"sampler_name": "DDIM", "eta": 1}, {}, "Eta DDIM: 1.0"),
        ({}, {"s_churn": 2.0, "s_tmin": 0.1, "s_tmax": 10, "s_noise": 1.05},
         "Sigma churn: 2.0, Sigma tmin: 0.1, Sigma tmax: 10, Sigma noise: 1.05"),
        ({"s_churn": 2.0}, {}, ""),
        ({"sampler_name": "DPM++ 2M"}, {"sigma_min": 0.1, "sigma_max": 10, "rho": 5},
         "Schedule min sigma: 0.1, Schedule max sigma: 10, Schedule rho: 5"),
        ({"scheduler": "Beta"}, {"beta_dist_alpha": 0.5},
         "Beta schedule alpha: 0.5, Beta schedule beta: 0.6"),
        ({}, {"always_discard_next_to_last_sigma": True}, "Discard penultimate sigma: True"),
        ({"sampler_name": "DDIM"}, {"always_discard_next_to_last_sigma": True}, "Discard penultimate sigma: True"),
        ({}, {"sgm_noise_multiplier": True}, "SGM noise multiplier: True"),
        ({}, {"skip_early_cond": 0.5}, "Skip Early CFG: 0.5"),
        ({"s_min_uncond": 3}, {}, "NGMS: 3.0"),
        ({}, {"s_min_uncond": 3, "s_min_uncond_all": True}, "NGMS: 3, NGMS all steps: True"),
        ({"prompt": LONG}, {"pad_cond_uncond": True}, "Pad conds: True"),
        ({"prompt": LONG}, {"pad_cond_uncond_v0": True}, "Pad conds v0: True"),
        ({"prompt": LONG}, {"pad_cond_uncond": True, "pad_cond_uncond_v0": True}, "Pad conds v0: True"),
        ({}, {"use_downcasted_alpha_bar": True}, "Downcast alphas_cumprod: True"),
        ({"sampler_name": "DDIM"}, {"use_downcasted_alpha_bar": True}, "Downcast alphas_cumprod: True"),
        ({}, {"use_downcasted_alpha_bar": True, "sd_noise_schedule": "Zero Terminal SNR"},
         "Downcast alphas_cumprod: True, Noise Schedule: Zero Terminal SNR"),
        ({"scheduler": "Karras"}, {"use_old_karras_scheduler_sigmas": True}, ""),
        ({"sampler_name": "DPM++ SDE"}, {"no_dpmpp_sde_batch_determinism": True}, ""),
        ({"prompt": "[the red cat:on:1.0]"}, {"use_old_scheduling": True}, "Old prompt editing timelines: True"),
        ({"prompt": "(the:1.3) [red:cat:0.5]"}, {"emphasis": "Ignore"}, "Emphasis: Ignore"),
        ({}, {"sd_noise_schedule": "Zero Terminal SNR"}, "Noise Schedule: Zero Terminal SNR"),
        ({"tiling": True}, {}, "Tiling: True"),
        ({}, {"tiling": True}, "Tiling: True"),
        ({"sampler_name": "UniPC"}, {"uni_pc_variant": "bh2"}, ""),
        ({"sampler_name": "UniPC"}, {"uni_pc_skip_type": "logSNR"}, ""),
        ({"sampler_name": "UniPC", "steps": 8}, {"uni_pc_order": 2}, ""),
        ({"steps": 5}, {"enable_quantization": True}, ""),
    ],
)  # fmt: skip
def test_what_is_asked_for_moves_the_picture_and_is_told(
    checkpoint: Checkpoint, body: dict[str, Any], options: dict[str, Any], entries: str
) -> None:
    plain = {key: value for key, value in body.items() if key in ("steps", "prompt", "sampler_name", "scheduler")}

    with Recording(checkpoint) as asked_latents:
        asked = draw(checkpoint, **body, override_settings=options)
    with Recording(checkpoint) as plain_latents:
        draw(checkpoint, **plain)

    assert told(asked) == entries
    assert np.abs(asked_latents.latents - plain_latents.latents).max() > 1e-5


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({"sampler_name": "Euler"}, {"eta_ancestral": 0.5, "eta_ddim": 0.5}),
        ({"sampler_name": "LMS"}, {"s_churn": 3.0, "s_noise": 1.05, "rho": 3, "sigma_min": 0.1, "sigma_max": 9}),
        ({"sampler_name": "Euler a"}, {"s_noise": 1.05}),
        ({"sampler_name": "DPM2"}, {"always_discard_next_to_last_sigma": True}),
        ({"sampler_name": "DDIM"}, {"sgm_noise_multiplier": True, "rho": 3}),
        ({}, {"pad_cond_uncond": True, "use_old_scheduling": True, "s_min_uncond_all": True, "emphasis": "Ignore"}),
        ({"s_min_uncond": 0.001}, {}),
        ({"image_cfg_scale": 1.2, "task": Task.IMG2IMG}, {}),
        ({}, {"pad_cond_uncond_v0": True, "use_old_karras_scheduler_sigmas": True}),
        ({}, {"no_dpmpp_sde_batch_determinism": True, "use_old_hires_fix_width_height": True}),
        ({}, {"hires_fix_use_firstpass_conds": True}),
    ],
)
def test_what_the_sampler_does_not_look_at_changes_and_tells_nothing(
    checkpoint: Checkpoint, body: dict[str, Any], options: dict[str, Any]
) -> None:
    task = body.pop("task", Task.TXT2IMG)
    always: dict[str, Any] = {"init_images": [as_text(noisy(64, 64))]} if task is Task.IMG2IMG else {}
    sampler = {key: value for key, value in body.items() if key == "sampler_name"}

    asked = run(checkpoint, task, steps=3, **always, **body, override_settings=options)
    plain = run(checkpoint, task, steps=3, **always, **sampler)

    assert asked.images[0].infotext == plain.images[0].infotext
    assert not differs(asked, plain)


@pytest.mark.parametrize(
    ("prompt", "noted"), [("[red:cat:0.5]", True), ("[red:cat:1.5]", True), ("[red|cat]", False), ("red", False)]
)
def test_old_timelines_are_told_also_if_they_change_the_second_pass_only(
    checkpoint: Checkpoint, prompt: str, noted: bool
) -> None:
    hires = {"enable_hr": True, "denoising_strength": 0.5, "hr_scale": 1.5}
    entry = "Old prompt editing timelines: True"

    drawn = draw(checkpoint, prompt=prompt, steps=4, **hires, override_settings={"use_old_scheduling": True})
    plain = draw(checkpoint, prompt="[red:cat:0.5]", steps=4, override_settings={"use_old_scheduling": True})

    assert (entry in drawn.images[0].infotext) is noted
    assert entry not in plain.images[0].infotext


@pytest.mark.parametrize(
    "options",
    [
        {"batch_cond_uncond": False},
        {"upcast_attn": True},
        {"lora_functional": True},
        {"lora_preferred_name": "Filename"},
        {"extra_networks_default_multiplier": 0.5},
        {"add_user_name_to_info": True},
        {"sd_lora": "None"},
    ],
)
def test_options_without_effect_are_taken(checkpoint: Checkpoint, options: dict[str, Any]) -> None:
    asked, plain = draw(checkpoint, override_settings=options), draw(checkpoint)

    assert asked.images[0].infotext == plain.images[0].infotext
    assert not differs(asked, plain)


def test_a_negative_prompt_is_cut_to_the_length_of_the_prompt(checkpoint: Checkpoint) -> None:
    lengths: list[int] = []
    handle = checkpoint.unet.register_forward_pre_hook(
        lambda _module, _args, kwargs: lengths.append(kwargs["encoder_hidden_states"].shape[1]), with_kwargs=True
    )
    try:
        draw(checkpoint, negative_prompt=LONG, override_settings={"pad_cond_uncond_v0": True})
        draw(checkpoint, prompt=LONG, override_settings={"pad_cond_uncond_v0": True})
    finally:
        handle.remove()

    assert lengths == [77] * STEPS + [308] * STEPS


def test_steps_count_for_the_refiner_is_noted_without_one(checkpoint: Checkpoint) -> None:
    options = {"refiner_switch_by_sample_steps": True, "skip_early_cond": 0.1}

    entries = told(draw(checkpoint, override_settings=options))

    assert entries == "Refiner switch by sampling steps: True, Skip Early CFG: 0.1"


@pytest.mark.parametrize(
    ("option", "entry"),
    [
        ("add_model_hash_to_info", "Model hash"),
        ("add_model_name_to_info", "Model"),
        ("add_vae_hash_to_info", "VAE hash"),
        ("add_vae_name_to_info", "VAE"),
        ("add_version_to_infotext", "Version"),
    ],
)
def test_entries_can_be_left_out_of_infotexts(checkpoint: Checkpoint, option: str, entry: str) -> None:
    named = replace(checkpoint, vae_file=replace(checkpoint.file, name="another.vae.pt"))

    full = draw(named, subseed=1)
    without = draw(named, subseed=1, override_settings={option: False})

    entries, fewer = (parse_infotext(one.images[0].infotext).parameters for one in (full, without))
    assert entries.keys() - fewer.keys() == {entry}
    assert {**without.info, "infotexts": 0, "job_timestamp": 0} == {**full.info, "infotexts": 0, "job_timestamp": 0}


def test_the_option_multiplies_img2imgs_noise_where_the_field_is_open(checkpoint: Checkpoint) -> None:
    option = {"initial_noise_multiplier": 0.5}
    body: dict[str, Any] = {"init_images": [as_text(noisy(64, 64))], "steps": 2}

    by_option = run(checkpoint, Task.IMG2IMG, **body, override_settings=option)
    by_field = run(checkpoint, Task.IMG2IMG, **body, initial_noise_multiplier=0.5)
    both = run(checkpoint, Task.IMG2IMG, **body, initial_noise_multiplier=1, override_settings=option)

    assert by_option.images[0].infotext == by_field.images[0].infotext
    assert ", Noise multiplier: 0.5, " in by_option.images[0].infotext
    assert not differs(by_option, by_field)
    assert not differs(both, run(checkpoint, Task.IMG2IMG, **body))


def test_an_option_that_is_set_beats_the_field_for_churn(checkpoint: Checkpoint) -> None:
    both = draw(checkpoint, s_churn=1, override_settings={"s_churn": 3.0})

    assert not differs(both, draw(checkpoint, override_settings={"s_churn": 3.0}))
    assert differs(both, draw(checkpoint, s_churn=1))


@pytest.mark.parametrize(
    ("sampler", "body", "hires", "noted"),
    [
        ("Euler a", {}, False, 31),
        ("DPM adaptive", {}, False, 31),
        ("Euler", {}, False, None),
        ("DPM++ SDE", {}, False, None),
        ("Euler a", {"eta": 0}, False, None),
        ("Euler a", {"override_settings": {"eta_noise_seed_delta": 31, "eta_ancestral": 0}}, False, None),
        ("Euler a", {"override_settings": {"eta_noise_seed_delta": 31, "eta_ancestral": 0}}, True, 31),
        ("Euler a", {"override_settings": {}}, False, None),
    ],
)
def test_ensd_is_told_by_ancestral_samplers_alone(
    sampler: str, body: dict[str, Any], hires: bool, noted: int | None
) -> None:
    params = Txt2ImgParams(**{"sampler_name": sampler, "override_settings": {"eta_noise_seed_delta": 31}, **body})

    assert noted_seed_delta(params, hires=hires) == noted


def test_ensd_changes_later_noise_only(checkpoint: Checkpoint) -> None:
    ensd = {"eta_noise_seed_delta": 31337}

    assert ", ENSD: 31337, " in draw(checkpoint, sampler_name="Euler a", override_settings=ensd).images[0].infotext
    assert not differs(draw(checkpoint, override_settings=ensd), draw(checkpoint))
    assert differs(
        draw(checkpoint, sampler_name="Euler a", override_settings=ensd), draw(checkpoint, sampler_name="Euler a")
    )


def test_entries_of_sampling_stand_in_webuis_order(checkpoint: Checkpoint) -> None:
    output = run(
        checkpoint,
        Task.IMG2IMG,
        init_images=[as_text(noisy(64, 64))],
        prompt="(red:1.2) cat",
        steps=4,
        sampler_name="DPM2 a",
        initial_noise_multiplier=0.9,
        eta=0.5,
        s_min_uncond=15,
        override_settings={"emphasis": "No norm", "img2img_extra_noise": 0.1, "sigma_max": 12, "skip_early_cond": 0.1},
    )

    assert told(output) == (
        "Emphasis: No norm, Noise multiplier: 0.9, Schedule max sigma: 12, Extra noise: 0.1, Eta: 0.5, "
        "Skip Early CFG: 0.1, NGMS: 15.0"
    )


@pytest.mark.parametrize(("rho", "told_rho"), [(7, None), (1, 1.0), (3, 3.0)])
def test_rho_is_told_when_it_is_not_the_schedules_own(rho: float, told_rho: float | None) -> None:
    params = Txt2ImgParams(override_settings={"rho": rho})
    extra = sampling_extra(params, choose_sampler("Euler", "Karras"), from_image=False)

    assert extra.get("Schedule rho") == told_rho
    assert "Schedule rho" not in sampling_extra(params, choose_sampler("Euler", "Exponential"), from_image=False)


def test_the_model_is_as_before_after_tiling(checkpoint: Checkpoint) -> None:
    before = draw(checkpoint)

    tiled = draw(checkpoint, tiling=True)

    assert differs(tiled, before)
    assert not differs(draw(checkpoint), before)
    assert not differs(draw(checkpoint, tiling=False, override_settings={"tiling": True}), before)


def fitting(params: Txt2ImgParams) -> FittedCheckpoints:
    return FittedCheckpoints(params, files=JobFiles(), models=ModelCache(max_bytes=0, load=load_nothing))


def test_a_failing_job_leaves_no_tiling_behind(checkpoint: Checkpoint) -> None:
    def fail() -> None:
        with fitting(Txt2ImgParams(tiling=True)) as one:
            one.fit(checkpoint)
            assert checkpoint.vae.decoder.conv_in.padding_mode == "circular"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    modes = {
        layer.padding_mode
        for model in (checkpoint.unet, checkpoint.vae)
        for layer in model.modules()
        if isinstance(layer, torch.nn.Conv2d)
    }
    assert modes == {"zeros"}


def test_zero_terminal_snr_ends_at_nothing_but_noise(checkpoint: Checkpoint) -> None:
    params = Txt2ImgParams(override_settings={"sd_noise_schedule": "Zero Terminal SNR"})
    original = checkpoint.alphas_cumprod.clone()

    with fitting(params) as one:
        alphas = one.fit(checkpoint).alphas_cumprod

    assert torch.allclose(alphas[0], original[0])
    assert alphas[-1] == pytest.approx(4.8973451890853435e-08)
    signal, old = alphas[:-1].sqrt(), original.sqrt()
    assert torch.allclose(signal, (old[:-1] - old[-1]) * old[0] / (old[0] - old[-1]), atol=1e-6)
    assert torch.equal(checkpoint.alphas_cumprod, original)


def test_masks_follow_each_picture_when_asked_for(checkpoint: Checkpoint) -> None:
    mask = rectangle(96, 80, (30, 20, 60, 50))
    body: dict[str, Any] = {"init_images": [as_text(noisy(96, 80))], "mask": as_text(mask), "mask_blur": 0, "n_iter": 2}
    options = {"return_mask": True, "return_mask_composite": True}

    output = run(checkpoint, Task.IMG2IMG, **body, inpaint_full_res_padding=4, override_settings=options)

    assert len(output.images) == 6
    assert [image.seed for image in output.images] == [7, None, None, 8, None, None]
    assert len(output.info["infotexts"]) == len(output.info["all_seeds"]) == 2
    assert (opened(output, 1).mode, opened(output, 2).mode) == ("RGB", "RGBA")
    assert "parameters" not in opened(output, 1).info
    assert np.array_equal(pixels(output, 1)[:, :, 0], np.asarray(mask))
    cut, under = pixels(output, 2), np.asarray(mask) == 255
    assert np.array_equal(cut[:, :, 3] == 255, under)
    assert np.array_equal(cut[under][:, :3], pixels(output)[under])


def test_masks_of_the_whole_picture_have_its_size(checkpoint: Checkpoint) -> None:
    body: dict[str, Any] = {"init_images": [as_text(noisy(96, 80))], "mask": as_text(rectangle(96, 80, (0, 0, 48, 80)))}
    options = {"return_mask": True, "return_mask_composite": True, "overlay_inpaint": False, "samples_format": "jpg"}

    output = run(checkpoint, Task.IMG2IMG, **body, inpaint_full_res=False, override_settings=options)

    assert [opened(output, number).size for number in range(3)] == [(64, 64)] * 3
    assert len(run(checkpoint, Task.IMG2IMG, init_images=body["init_images"], override_settings=options).images) == 1


def test_init_pictures_come_back_when_asked_for(checkpoint: Checkpoint) -> None:
    picture = as_text(noisy(64, 64))

    output = run(checkpoint, Task.IMG2IMG, init_images=[picture], mask=picture, include_init_images=True, steps=1)

    assert output.parameters["init_images"] == [picture]
    assert output.parameters["mask"] == picture


def test_only_the_rows_the_negative_prompt_needs_are_run(checkpoint: Checkpoint) -> None:
    with Recording(checkpoint) as recording:
        draw(checkpoint, override_settings={"skip_early_cond": 0.25})

    assert len(recording.timesteps) == 2 * STEPS - 2


def test_a_picture_is_drawn_again_from_its_own_infotext(checkpoint: Checkpoint) -> None:
    first = draw(
        checkpoint,
        negative_prompt="on",
        sampler_name="Euler a",
        cfg_scale=4,
        override_settings={"eta_ancestral": 0.5, "CLIP_stop_at_last_layers": 2, "sigma_max": 9},
    )
    written = first.images[0].infotext

    params = Txt2ImgParams(infotext=written)
    again = txt2img(TaskInput(params, checkpoint, lambda _: None))

    assert again.images[0].infotext == written
    assert not differs(again, first)
    assert again.parameters["prompt"] == "the red cat"


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("Steps: 0", JobErrorCode.INVALID_PARAMS),
        ("Steps: many", JobErrorCode.INVALID_PARAMS),
        ("Steps: 5, Face restoration: Magic", JobErrorCode.INVALID_PARAMS),
    ],
)
def test_an_infotext_that_asks_too_much_fails_by_name(checkpoint: Checkpoint, entry: str, code: JobErrorCode) -> None:
    params = Txt2ImgParams(infotext=f"Seed: 1, Size: 64x64, Sampler: Euler, {entry}")

    with pytest.raises(JobFailed, match="infotext: ") as failed:
        txt2img(TaskInput(params, checkpoint, lambda _: None))

    assert failed.value.error.code is code
