"""Request bodies as real programs send them: each is taken, and says what of it was ignored."""

import json
from typing import Any

import pytest

from generate_on_cloud.contract.messages import JobRequest
from tests.lambdas.cloud import PNG, Cloud

DRAWING: dict[str, Any] = {
    "prompt": "a red circle",
    "negative_prompt": "",
    "steps": 4,
    "width": 64,
    "height": 64,
    "cfg_scale": 7,
}
PHOTOSHOP: dict[str, Any] = DRAWING | {
    "selection_info": {"left": 0, "right": 64, "bottom": 64, "top": 0, "height": 64, "width": 64},
    "alwayson_scripts": {},
    "original_prompt": "a red circle",
    "original_negative_prompt": "",
    "clip_skip": 1,
    "sampler_index": "Euler a",
    "denoising_strength": 0.7,
    "batch_size": 1,
    "seed": "-1",
    "mask_blur": 4,
    "use_sharp_mask": False,
    "use_prompt_shortcut": False,
    "prompt_shortcut_ui_dict": {},
    "uniqueDocumentId": "doc",
    "restore_faces": False,
    "tiling": False,
}
PHOTOSHOP_OWN = {
    "selection_info",
    "original_prompt",
    "original_negative_prompt",
    "clip_skip",
    "use_sharp_mask",
    "use_prompt_shortcut",
    "prompt_shortcut_ui_dict",
    "uniqueDocumentId",
    "mode",
}
CLIENTS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "SillyTavern": (
        "txt2img",
        DRAWING
        | {
            "url": "http://localhost:7860",
            "auth": "",
            "sampler_name": "DDIM",
            "scheduler": "normal",
            "restore_faces": False,
            "enable_hr": False,
            "hr_upscaler": "Latent",
            "hr_scale": 2,
            "denoising_strength": 0.7,
            "hr_second_pass_steps": 0,
            "override_settings": {"CLIP_stop_at_last_layers": 1},
            "override_settings_restore_afterwards": True,
            "clip_skip": 1,
            "save_images": True,
            "send_images": True,
            "do_not_save_grid": False,
            "do_not_save_samples": False,
        },
        {"url", "auth", "clip_skip"},
    ),
    "Photoshop plugin, txt2img": (
        "txt2img",
        PHOTOSHOP | {"mode": "txt2img"},
        PHOTOSHOP_OWN | {"mask_blur"},
    ),
    "Photoshop plugin, inpaint": (
        "img2img",
        PHOTOSHOP
        | {
            "mode": "inpaint",
            "init_images": [PNG],
            "mask": PNG,
            "inpaint_full_res": False,
            "inpaint_full_res_padding": 32,
            "inpainting_fill": 1,
            "mask_expansion": 12,
            "expanded_mask": PNG,
        },
        PHOTOSHOP_OWN | {"mask_expansion", "expanded_mask"},
    ),
    "openOutpaint": (
        "txt2img",
        DRAWING
        | {
            "seed": -1,
            "sampler_index": "DDIM",
            "denoising_strength": 1,
            "mask_blur": 0,
            "mask": "",
            "init_images": [],
            "inpaint_full_res": False,
            "inpainting_fill": 1,
            "outpainting_fill": 2,
            "enable_hr": False,
            "hr_scale": 2.0,
            "hr_upscaler": "None",
            "hr_square_aspect": False,
            "styles": [],
            "scheduler": "Automatic",
            "enable_refiner": False,
            "refiner_checkpoint": "",
            "refiner_switch_at": 1,
            "hr_denoising_strength": 0.7,
            "hr_fix_lock_px": 0,
            "alwayson_scripts": {},
        },
        {
            "mask_blur",
            "mask",
            "init_images",
            "inpaint_full_res",
            "inpainting_fill",
            "outpainting_fill",
            "hr_square_aspect",
            "enable_refiner",
            "refiner_checkpoint",
            "hr_denoising_strength",
            "hr_fix_lock_px",
        },
    ),
    "AI-Render": (
        "img2img",
        DRAWING | {"init_images": [PNG], "denoising_strength": 0.6, "image_similarity": 0.4, "sampler": "DPM++ 2M"},
        {"image_similarity", "sampler"},
    ),
    "aiyabot": (
        "txt2img",
        DRAWING
        | {
            "styles": ["None"],
            "enable_hr": True,
            "hr_scale": 1.5,
            "denoising_strength": "0.7",
            "hr_second_pass_steps": 2.5,
            "cfg_scale": "7.0",
        },
        {"styles", "hr_second_pass_steps"},
    ),
    "the page's own copy as API body": (
        "txt2img",
        DRAWING
        | {
            "seed_enable_extras": True,
            "script_name": None,
            "script_args": [],
            "s_tmax": None,
            "comments": {},
            "alwayson_scripts": {
                "Comments": {"args": []},
                "Extra options": {"args": []},
                "Hypertile": {"args": []},
                "Refiner": {"args": [False, "", 0.8]},
                "Sampler": {"args": [4, "DPM++ 2M", "Automatic"]},
                "Seed": {"args": [-1, False, -1, 0, 0, 0]},
                "ADetailer": {"args": [False, False, {"ad_model": "face_yolov8n.pt"}]},
            },
            "override_settings": {
                "return_grid": False,
                "live_previews_enable": False,
                "samples_filename_pattern": "[seed]",
            },
        },
        {
            "seed_enable_extras",
            *(
                f"alwayson_scripts/{title}"
                for title in ("Comments", "Extra options", "Hypertile", "Refiner", "Sampler", "Seed", "ADetailer")
            ),
            *(f"override_settings/{name}" for name in ("live_previews_enable", "samples_filename_pattern")),
        },
    ),
}


def _body(name: str) -> dict[str, Any]:
    task, params, _ = CLIENTS[name]
    return {"task": task, "checkpoint": "dream", "params": params}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_real_clients_body_is_taken_and_says_what_was_ignored(cloud: Cloud, name: str) -> None:
    cloud.checkpoint()
    ignored = {f"/params/{field}" for field in CLIENTS[name][2]}

    job = cloud.ask("POST", "/v1/jobs", _body(name)).ok(201)

    assert {warning["pointer"] for warning in job["warnings"]} == ignored
    again = cloud.ask("GET", f"/v1/jobs/{job['job_id']}").ok(200)
    assert again["warnings"] == job["warnings"]
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    kept = JobRequest.model_validate_json(stored).params
    assert not {f"/params/{field}" for field in kept} & ignored - {"/params/styles", "/params/hr_second_pass_steps"}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_strict_request_refuses_all_that_would_be_ignored(cloud: Cloud, name: str) -> None:
    cloud.checkpoint()

    answer = cloud.ask("POST", "/v1/jobs", _body(name) | {"strict": True})

    assert answer.problem(422, "invalid_params")["errors"]
    assert cloud.rows() == 0


def test_a_rehearsal_says_what_would_be_ignored(cloud: Cloud) -> None:
    cloud.checkpoint()

    job = cloud.ask("POST", "/v1/jobs", _body("SillyTavern") | {"dry_run": True}).ok(200)

    assert [warning["pointer"] for warning in job["warnings"]] == ["/params/url", "/params/auth", "/params/clip_skip"]


@pytest.mark.parametrize("strict", [False, True])
def test_params_that_follow_by_upload_are_read_as_the_job_was_opened(cloud: Cloud, strict: bool) -> None:
    cloud.checkpoint()
    opened = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream", "strict": strict}).ok(201)
    key = cloud.row(opened["job_id"])["params_key"]
    cloud.s3.put_object(Bucket="jobs-bucket", Key=key, Body=json.dumps({"prompt": "a cat", "url": "x"}).encode())

    answer = cloud.ask("POST", f"/v1/jobs/{opened['job_id']}/start")

    if strict:
        assert answer.problem(422, "invalid_params")["errors"][0]["pointer"] == "/params/url"
    else:
        assert [warning["pointer"] for warning in answer.ok(200)["warnings"]] == ["/params/url"]


def test_a_retry_keeps_the_warnings_of_what_the_first_request_had(cloud: Cloud) -> None:
    cloud.checkpoint()
    job = cloud.ask("POST", "/v1/jobs", _body("SillyTavern")).ok(201)
    cloud.ask("POST", f"/v1/jobs/{job['job_id']}/cancel").ok(200)

    retried = cloud.ask("POST", f"/v1/jobs/{job['job_id']}/retry").ok(201)

    assert retried["warnings"] == job["warnings"]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        (
            {"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face_yolov8n.pt"}]}}},
            "alwayson_scripts/ADetailer",
        ),
        ({"override_settings": {"fp8_storage": "Enable"}}, "override_settings/fp8_storage"),
    ],
)
def test_what_would_change_the_picture_and_is_not_here_is_refused_by_name(
    cloud: Cloud, params: dict[str, Any], pointer: str
) -> None:
    cloud.checkpoint()
    body = {"task": "txt2img", "checkpoint": "dream", "params": DRAWING | params}

    problem = cloud.ask("POST", "/v1/jobs", body).problem(422, "not_supported_yet")

    assert [error["pointer"] for error in problem["errors"]] == [f"/params/{pointer}"]
    assert cloud.rows() == 0


def test_entries_of_an_infotext_that_change_nothing_are_named_in_a_warning(cloud: Cloud) -> None:
    cloud.checkpoint()
    text = "a fox\nSteps: 4, Sampler: Euler, Seed: 5, Size: 64x64, ADetailer model: face, Distilled CFG Scale: 3.5"

    job = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "checkpoint": "dream", "params": {"infotext": text}}).ok(
        201
    )

    assert job["warnings"] == [
        {
            "pointer": "/params/infotext",
            "message": "these entries were not used: ADetailer model, Distilled CFG Scale",
        }
    ]
