"""Jobs become WebUI's answers: pictures, info, echo, lists, options, progress, errors."""

import base64
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from generate_on_cloud.contract.errors import FieldError, JobError, JobErrorCode, Problem, ProblemCode
from generate_on_cloud.contract.job_bodies import JobQueue, JobView, ProgressView, ResultView
from generate_on_cloud.contract.jobs import JobPhase, JobStatus, Task
from generate_on_cloud.contract.preprocessors import PREPROCESSORS
from generate_on_cloud.faces.sdapi import refusals
from generate_on_cloud.faces.sdapi.answers import batch_answer, drawing_answer, extras_answer, interrogation_answer
from generate_on_cloud.faces.sdapi.control import CONTROL_LISTS, detect
from generate_on_cloud.faces.sdapi.lists import LISTS
from generate_on_cloud.faces.sdapi.orders import drawing_order
from generate_on_cloud.faces.sdapi.picture_info import png_info_answer
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from generate_on_cloud.faces.sdapi.watching import Watched, internal_document, progress_document
from tests.faces.shelves import PICTURE, SHELF, file, png

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def result(**fields: Any) -> ResultView:
    given: dict[str, Any] = {"images": [], "info": {"seed": 5}, "parameters": {}, "caption": None, "models": [],
                             "timings": {}}  # fmt: skip
    return ResultView.model_validate(given | fields)


def job(status: JobStatus = JobStatus.RUNNING, **fields: Any) -> JobView:
    given: dict[str, Any] = {
        "job_id": "j1", "label": "", "task": Task.TXT2IMG, "status": status, "checkpoint": "a", "endpoint": "e",
        "created_at": NOW - timedelta(seconds=20), "started_at": NOW - timedelta(seconds=10),
    }  # fmt: skip
    return JobView(**given | fields)


def sampling(step: int, steps: int) -> JobView:
    return job(progress=ProgressView(phase=JobPhase.SAMPLING, step=step, steps=steps))


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ({}, {"styles": None, "override_settings": None, "comments": None, "steps": 50, "denoising_strength": None}),
        ({"styles": ["x"], "seed": 7}, {"styles": ["x"], "seed": 7}),
        ({"override_settings": {"randn_source": "CPU"}}, {"override_settings": {"randn_source": "CPU"}}),
        ({"infotext": "a\nSteps: 9, Seed: 3, CFG scale: 2"}, {"steps": 9}),
        ({"url": "http://x"}, {"alwayson_scripts": {}, "script_args": [], "sampler_index": "Euler"}),
    ],
)
def test_parameters_echo_the_request_with_webuis_defaults(sent: dict[str, Any], echoed: dict[str, Any]) -> None:
    order = drawing_order(Task.TXT2IMG, {"prompt": "a", **sent}, Settings(), SHELF)

    said = drawing_answer(order, result(parameters={"steps": 9}), [])["parameters"]

    assert {name: said[name] for name in echoed} == echoed
    assert "url" not in said


def test_pictures_are_left_out_of_the_echo_unless_the_request_wants_them() -> None:
    body = {"init_images": [PICTURE], "mask": PICTURE}

    plain, included = (
        drawing_answer(drawing_order(Task.IMG2IMG, one, Settings(), SHELF), result(), [])["parameters"]
        for one in (body, {**body, "include_init_images": True})
    )

    assert (plain["init_images"], plain["mask"]) == (None, None)
    assert (included["init_images"], included["mask"]) == ([PICTURE], PICTURE)


@pytest.mark.parametrize(("send_images", "count"), [(True, 2), (False, 0)])
def test_the_answer_has_the_pictures_as_plain_base64_and_info_as_text(*, send_images: bool, count: int) -> None:
    order = drawing_order(Task.TXT2IMG, {"send_images": send_images}, Settings(), SHELF)

    answer = drawing_answer(order, result(info={"seed": 5, "infotexts": ["x"]}), [b"one", b"two"])

    assert [base64.b64decode(one) for one in answer["images"]] == [b"one", b"two"][:count]
    assert json.loads(answer["info"]) == {"seed": 5, "infotexts": ["x"]}


def test_extras_and_interrogation_answer_as_webui_does() -> None:
    line = result(info={"html_info": "<p>Postprocess</p>"})

    assert extras_answer(line, [b"one"]) == {"html_info": "<p>Postprocess</p>", "image": "b25l"}
    assert batch_answer([line, line], [b"one", b"one"]) == {"html_info": "<p>Postprocess</p>", "images": ["b25l"] * 2}
    assert interrogation_answer(result(caption="a cat")) == {"caption": "a cat"}


# Field names of WebUI 1.10.1's own response models, from its documentation at /docs.
ROWS: list[tuple[str, set[str], int]] = [
    ("samplers", {"name", "aliases", "options"}, 20),
    ("schedulers", {"name", "label", "aliases", "default_rho", "need_inner_model"}, 12),
    ("upscalers", {"name", "model_name", "model_path", "model_url", "scale"}, 5),
    ("latent-upscale-modes", {"name"}, 6),
    ("sd-models", {"title", "model_name", "hash", "sha256", "filename", "config"}, 1),
    ("sd-vae", {"model_name", "filename"}, 1),
    ("hypernetworks", {"name", "path"}, 1),
    ("loras", {"name", "alias", "path", "metadata"}, 1),
    ("realesrgan-models", {"name", "path", "scale"}, 6),
    ("face-restorers", set(), 0),
    ("prompt-styles", set(), 0),
]


def test_faces_can_be_restored_once_their_files_are_there() -> None:
    names = {
        "GFPGANv1.4.pth": "GFPGAN",
        "codeformer.pth": "CodeFormer",
        "parsing_parsenet.pth": "a face parser (ParseNet)",
    }
    files = {
        held: file("face_restoration", name, "a" * 64).model_copy(update={"architecture": held})
        for name, held in names.items()
    }

    def listed(*held: str) -> list[str]:
        return [row["name"] for row in LISTS["/sdapi/v1/face-restorers"](Shelf.of([files[one] for one in held]))]

    assert listed(*files) == ["CodeFormer", "GFPGAN"]
    assert listed("GFPGAN") == ["GFPGAN"]
    assert listed("a face parser (ParseNet)") == []


@pytest.mark.parametrize(("route", "fields", "count"), ROWS)
def test_lists_have_webuis_rows(route: str, fields: set[str], count: int) -> None:
    rows = LISTS[f"/sdapi/v1/{route}"](SHELF)

    assert len(rows) == count
    assert all(set(row) == fields for row in rows)


def test_lists_name_the_callers_files_as_webui_would() -> None:
    assert LISTS["/sdapi/v1/sd-models"](SHELF)[0]["title"] == "shapes.safetensors [aaaaaaaaaa]"
    assert LISTS["/sdapi/v1/loras"](SHELF)[0] | {"metadata": 0, "path": 0} == {
        "name": "moon", "alias": "crescentMoon", "metadata": 0, "path": 0}  # fmt: skip
    assert [row["name"] for row in LISTS["/sdapi/v1/upscalers"](SHELF)] == [
        "None", "Lanczos", "Nearest", "4x-UltraSharp", "R-ESRGAN 2x+"]  # fmt: skip
    assert set(LISTS["/sdapi/v1/embeddings"](SHELF)["loaded"]) == {"star"}
    assert set(LISTS["/sdapi/v1/memory"](SHELF)) == {"ram", "cuda"}
    euler = next(row for row in LISTS["/sdapi/v1/samplers"](SHELF) if row["name"] == "Euler a")
    assert euler["aliases"] == ["k_euler_a", "k_euler_ancestral"]


def test_every_listed_script_has_its_arguments() -> None:
    titles, rows = LISTS["/sdapi/v1/scripts"](SHELF), LISTS["/sdapi/v1/script-info"](SHELF)

    assert {row["name"] for row in rows if row["is_img2img"]} == set(titles["img2img"])
    assert {row["name"] for row in rows if not row["is_img2img"]} == set(titles["txt2img"])
    soft = next(row for row in rows if row["name"] == "soft inpainting")
    assert [one["value"] for one in soft["args"]] == [False, 1, 0.5, 4, 0, 0.5, 2]


@pytest.mark.parametrize(
    ("wanted", "shown", "idle"),
    [
        ({"sd_model_checkpoint": "shapes"}, {"sd_model_checkpoint": "shapes.safetensors [aaaaaaaaaa]",
                                             "sd_checkpoint_hash": "a" * 64}, []),
        ({"CLIP_stop_at_last_layers": 2}, {"CLIP_stop_at_last_layers": 2}, []),
        ({"CLIP_stop_at_last_layers": None}, {"CLIP_stop_at_last_layers": 1}, []),
        ({"save_txt": True, "no_such": 1}, {"save_txt": True, "no_such": 1}, ["save_txt", "no_such"]),
        ({"interrogate_clip_max_length": 60}, {"interrogate_clip_max_length": 60}, []),
        ({}, {"samples_format": "png", "sd_vae": "Automatic"}, []),
    ],
)  # fmt: skip
def test_options_are_kept_and_shown(wanted: dict[str, Any], shown: dict[str, Any], idle: list[str]) -> None:
    settings, without_effect = Settings().changed(wanted, SHELF)

    assert {name: settings.shown(SHELF)[name] for name in shown} == shown
    assert without_effect == idle


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({"sd_model_checkpoint": "none such"}, 400, "model 'none such' not found; allowed: shapes.safetensors"),
        ({"CLIP_stop_at_last_layers": 99}, 422, "allowed: from 1 to 12"),
        ({"sd_unet": "trt"}, 422, "not supported yet; allowed: 'Automatic' or 'None'"),
        ({"interrogate_clip_max_length": 999}, 422, "received 999"),
    ],
)
def test_an_option_that_cannot_be_followed_is_refused(wanted: dict[str, Any], status: int, said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        Settings().changed(wanted, SHELF)

    assert refused.value.status == status
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("watched", "progress", "eta", "text", "state"),
    [
        (None, 0.0, 0.0, None, {"job_count": 0}),
        (Watched(None, batches=3), 0.01, 0.0, "Sending the request", {"job_count": 3}),
        (Watched(job(JobStatus.SUCCEEDED)), 0.0, 0.0, None, {"job_count": 0}),
        (Watched(job(JobStatus.QUEUED, queue=JobQueue(ahead=2, eta_seconds=40))), 0.01, 40.0,
         "Waiting in the queue, 2 ahead, about 40 s", {"job_count": 1}),
        (Watched(job(JobStatus.QUEUED, queue=JobQueue(ahead=0, eta_seconds=250), starting_since=NOW)), 0.01, 250.0,
         "Starting the GPU, about 4 min", {"job_count": 1}),
        (Watched(job(JobStatus.QUEUED, starting_since=NOW)), 0.01, 0.0, "Starting the GPU, a few minutes", {}),
        (Watched(sampling(0, 20)), 0.01, 0.0, None, {"sampling_steps": 20}),
        (Watched(sampling(10, 20)), 0.505, 9.8, None, {"sampling_step": 10}),
        (Watched(sampling(25, 40), batches=2), 0.629, 5.9, None,
         {"job_count": 2, "job_no": 1, "sampling_step": 5, "sampling_steps": 20}),
        (Watched(job(progress=ProgressView(phase=JobPhase.LOADING_MODELS))), 0.01, 0.0, "Loading the model", {}),
    ],
)  # fmt: skip
def test_progress_tells_how_far_the_job_is_and_what_it_waits_for(
    watched: Watched | None, progress: float, eta: float, text: str | None, state: dict[str, int]
) -> None:
    said = progress_document(watched, now=NOW)

    assert said["progress"] == pytest.approx(progress, abs=0.001)
    assert said["eta_relative"] == pytest.approx(eta, abs=0.1)
    assert said["textinfo"] == text
    assert {name: said["state"][name] for name in state} == state


def test_progress_shows_the_preview_unless_the_client_skips_it() -> None:
    watched = Watched(sampling(1, 2), preview=b"jpeg")

    assert progress_document(watched, now=NOW)["current_image"] == base64.b64encode(b"jpeg").decode()
    assert progress_document(watched, now=NOW, with_image=False)["current_image"] is None


@pytest.mark.parametrize(
    ("watched", "known", "active", "queued", "completed"),
    [
        (None, False, False, False, False),
        (None, True, False, False, True),
        (Watched(job(JobStatus.QUEUED)), True, False, True, False),
        (Watched(sampling(1, 2)), True, True, False, False),
        (Watched(job(JobStatus.SUCCEEDED)), True, False, False, True),
    ],
)
def test_a_task_is_followed_by_the_clients_own_id(
    watched: Watched | None, *, known: bool, active: bool, queued: bool, completed: bool
) -> None:
    said = internal_document(watched, known=known, now=NOW, live_preview=True)

    assert (said["active"], said["queued"], said["completed"]) == (active, queued, completed)


@pytest.mark.parametrize(("seen", "sent"), [(-1, True), (2, True), (3, False)])
def test_a_preview_that_the_client_has_is_not_sent_again(seen: int, *, sent: bool) -> None:
    running = job(progress=ProgressView(phase=JobPhase.SAMPLING, step=1, steps=2, previews=3))

    said = internal_document(Watched(running, preview=b"x"), known=True, now=NOW, live_preview=True, seen=seen)

    assert (said["live_preview"] is not None, said["id_live_preview"]) == (sent, 3)


def problem(code: ProblemCode, status: int, *errors: FieldError) -> RefusalError:
    return refusals.of_problem(
        Problem(type="", title="", status=status, code=code, detail="It is so.", request_id="r1", errors=list(errors))
    )


@pytest.mark.parametrize(
    ("refusal", "status", "said"),
    [
        (problem(ProblemCode.UNAUTHORIZED, 401), 502, "does not accept the key of this server any more: It is so."),
        (problem(ProblemCode.QUOTA_EXCEEDED, 429), 429, "It is so."),
        (problem(ProblemCode.ASSET_NOT_FOUND, 404), 400, "It is so."),
        (problem(ProblemCode.ENDPOINT_NOT_IN_SERVICE, 503), 503, "It is so. (request r1)"),
        (problem(ProblemCode.INTERNAL, 500), 502, "It is so. (request r1)"),
        (problem(ProblemCode.INVALID_PARAMS, 422, FieldError(pointer="/params/steps", message="received 0")), 422,
         "steps: received 0"),
        (problem(ProblemCode.INVALID_PARAMS, 422, FieldError(pointer="/infotext", message="infotext: Seed: no")), 422,
         "infotext: Seed: no"),
        (refusals.of_job("j1", JobStatus.CANCELED, None), 409, "j1 was interrupted"),
        (refusals.of_job("j1", JobStatus.EXPIRED, None), 503, "no GPU took it"),
        (refusals.of_job("j1", JobStatus.FAILED, JobError.of(JobErrorCode.OUT_OF_MEMORY, "too big")), 507, "too big"),
        (refusals.of_job("j1", JobStatus.FAILED, JobError.of(JobErrorCode.ASSET_MISSING, "gone")), 422, "gone"),
        (refusals.of_job("j1", JobStatus.FAILED, None), 502, "gave no reason"),
    ],
)  # fmt: skip
def test_errors_have_webuis_shape_and_our_sentence(refusal: RefusalError, status: int, said: str) -> None:
    assert refusal.status == status
    assert said in refusal.document()["detail"]
    assert "infotext: infotext" not in refusal.document()["detail"]
    assert set(refusal.document()) == {"error", "detail", "body", "errors"}


def test_every_problem_and_every_failure_of_a_job_is_answered_as_an_error() -> None:
    of_problems = [problem(code, status).status for code in ProblemCode for status in (400, 401, 404, 409, 422, 500)]
    of_jobs = [refusals.of_job("j", JobStatus.FAILED, JobError.of(code, "x")).status for code in JobErrorCode]

    assert all(status >= 400 for status in [*of_problems, *of_jobs])


def test_png_info_reads_a_pictures_texts() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a cat\nNegative prompt: dog\nSteps: 4, Sampler: Euler, Seed: 3, Size: 64x32")
    texts.add_text("Author", "me")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format="PNG", pnginfo=texts)

    said = png_info_answer({"image": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"})

    assert said["info"].startswith("a cat")
    assert said["items"] == {"Author": "me"}
    assert said["parameters"]["Prompt"] == "a cat"
    assert said["parameters"]["Size-1"] == "64"
    assert png_info_answer({"image": PICTURE})["info"] == ""
    with pytest.raises(RefusalError, match="Invalid encoded image"):
        png_info_answer({"image": "nonsense"})


def test_controlnet_lists_its_modules_and_the_uploaded_models() -> None:
    types = CONTROL_LISTS["/controlnet/control_types"](SHELF)["control_types"]

    assert CONTROL_LISTS["/controlnet/model_list"](SHELF) == {"model_list": ["edges_canny [99999999]"]}
    assert types["Canny"]["default_model"] == "edges_canny [99999999]"
    assert {module for one in types.values() for module in one["module_list"]} == set(PREPROCESSORS)
    assert types["SoftEdge"]["module_list"][:2] == ["none", "softedge_pidinet"]
    assert types["Tile"]["default_model"] == "None"
    assert CONTROL_LISTS["/controlnet/module_list"](Shelf())["module_detail"]["canny"]["sliders"][1]["value"] == 100
    assert CONTROL_LISTS["/controlnet/version"](Shelf())["version"] >= 2


@pytest.mark.parametrize(
    ("module", "threshold", "size", "colour"),
    [
        ("none", 0, (8, 8), (200, 90, 30)),
        ("invert", 0, (8, 8), (55, 165, 225)),
        ("threshold", 29, (64, 64), (255, 255, 255)),
        ("threshold", 30, (64, 64), (0, 0, 0)),
        ("blur", 9, (64, 64), (200, 90, 30)),
        ("tile_resample", 2, (4, 4), (200, 90, 30)),
    ],
)
def test_maps_that_need_no_gpu_are_made_here(
    module: str, threshold: float, size: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    picture = png(Image.new("RGB", (8, 8), (200, 90, 30)))

    said = detect({"controlnet_module": module, "controlnet_input_images": [picture], "controlnet_processor_res": 64,
                   "controlnet_threshold_a": threshold})  # fmt: skip
    with Image.open(io.BytesIO(base64.b64decode(said["images"][0]))) as image:
        assert (image.size, image.getpixel((1, 1))) == (size, colour)


def test_other_maps_are_refused_and_every_module_of_the_list_is_made_here_or_with_its_picture() -> None:
    with pytest.raises(RefusalError, match="received 'mediapipe_face'; allowed: none, invert, canny"):
        detect({"controlnet_module": "mediapipe_face", "controlnet_input_images": [PICTURE]})

    for module in CONTROL_LISTS["/controlnet/module_list"](Shelf())["module_list"]:
        body = {"controlnet_module": module, "controlnet_input_images": [PICTURE]}
        if module not in ("none", "invert", "canny", "threshold", "blur_gaussian", "tile_resample"):
            with pytest.raises(RefusalError, match=r"a unit makes this one .*along with its picture"):
                detect(body)
            continue
        assert len(detect(body)["images"]) == 1, module


@pytest.mark.parametrize("module", [name for name, rule in PREPROCESSORS.items() if rule.files])
def test_a_map_that_a_network_makes_is_refused_with_its_file(module: str) -> None:
    with pytest.raises(RefusalError, match=f"this one on the cloud by {re.escape(PREPROCESSORS[module].files[0])}"):
        detect({"controlnet_module": module, "controlnet_input_images": [PICTURE]})
