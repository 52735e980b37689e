"""WebUI's request bodies become jobs: what is dropped, which checkpoint, what counts as the same request."""

import base64
from typing import Any

import pytest

from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.faces.sdapi.orders import Order, batch_orders, drawing_order, extras_order, interrogation_order
from generate_on_cloud.faces.sdapi.pictures import LARGE, moved_out
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.faces.sdapi.settings import Settings
from generate_on_cloud.faces.sdapi.shelf import Shelf
from tests.faces.shelves import PICTURE, SHELF, file

PAIR = Shelf.of([file("checkpoint", "one.safetensors", "1" * 64), file("checkpoint", "two.safetensors", "2" * 64)])


def drawn(body: dict[str, Any], *, task: Task = Task.TXT2IMG, settings: Settings | None = None) -> Order:
    return drawing_order(task, body, settings or Settings(), SHELF)


CLIENTS: list[tuple[str, str, dict[str, Any], set[str]]] = [
    (
        "SillyTavern", "txt2img",
        {"url": "http://localhost:7860", "auth": "", "prompt": "a", "clip_skip": 1, "sampler_name": "DDIM",
         "scheduler": "normal", "restore_faces": False, "save_images": True, "send_images": True},
        {"url", "auth", "clip_skip"},
    ),
    (
        "Auto-Photoshop", "img2img",
        {"selection_info": {"left": 0}, "prompt": "a", "sampler_index": "Euler a", "seed": "-1", "mode": "inpaint",
         "init_images": [PICTURE], "mask": PICTURE, "mask_expansion": 12, "uniqueDocumentId": "doc",
         "use_sharp_mask": False, "expanded_mask": PICTURE},
        {"selection_info", "mode", "mask_expansion", "uniqueDocumentId", "use_sharp_mask", "expanded_mask"},
    ),
    (
        "AI-Render", "img2img",
        {"prompt": "a", "init_images": [PICTURE], "image_similarity": 0.4, "sampler": "Euler",
         "denoising_strength": 0.6},
        {"image_similarity", "sampler"},
    ),
    (
        "openOutpaint", "txt2img",
        {"prompt": "a", "mask": "", "init_images": [], "mask_blur": 0, "inpainting_fill": 1, "hr_fix_lock_px": 0,
         "enable_refiner": False, "refiner_checkpoint": "", "hr_denoising_strength": 0.7},
        {"mask", "init_images", "mask_blur", "inpainting_fill", "hr_fix_lock_px", "enable_refiner",
         "refiner_checkpoint", "hr_denoising_strength"},
    ),
    (
        "aiyabot", "txt2img",
        {"prompt": "a", "styles": ["None"], "hr_second_pass_steps": 2.5,
         "override_settings": {"sd_model_checkpoint": "shapes"}},
        {"styles", "hr_second_pass_steps"},
    ),
    (
        "Cyanic Krita", "img2img",
        {"prompt": "a", "init_images": [f"data:image/png;base64,{PICTURE}"], "mask": PICTURE, "inpainting_fill": 1,
         "alwayson_scripts": {"Soft Inpainting": {"args": [True, 1, 0.5, 4, 0, 0.5, 2]}}},
        set(),
    ),
    (
        "stable-boy", "img2img",
        {"prompt": "a", "init_images": [PICTURE], "include_init_images": False, "resize_mode": 1,
         "sampler_index": "Euler"},
        set(),
    ),
    (
        "image-generation-mcp", "txt2img",
        {"prompt": "a", "width": 1024, "height": 1024, "steps": 4, "cfg_scale": 1.0, "sampler_name": "Euler",
         "scheduler": "Simple", "distilled_cfg_scale": 3.5, "override_settings": {"sd_model_checkpoint": "shapes"}},
        {"distilled_cfg_scale"},
    ),
    ("LibreChat", "txt2img", {"prompt": "a", "negative_prompt": "b", "cfg_scale": 4.5, "steps": 22, "width": 512,
                              "height": 512}, set()),
    ("Open WebUI", "txt2img", {"prompt": "a", "batch_size": 1, "width": 512, "height": 512, "steps": 20,
                               "cfg_scale": 7.0, "sampler_name": "Euler a", "scheduler": "Automatic"}, set()),
    ("KoboldAI Lite", "txt2img", {"prompt": "a", "sampler_name": "Euler a", "cfg_scale": 7, "seed": -1, "n_iter": 1,
                                  "override_settings": {"sd_model_checkpoint": "shapes.safetensors [aaaaaaaaaa]"}},
     set()),
]  # fmt: skip


@pytest.mark.parametrize(("client", "route", "body", "dropped"), CLIENTS, ids=[row[0] for row in CLIENTS])
def test_a_clients_body_becomes_a_job_and_what_webui_drops_is_named(
    client: str, route: str, body: dict[str, Any], dropped: set[str]
) -> None:
    order = drawn(body, task=Task(route))

    assert {fault.pointer.lstrip("/").split("/")[0] for fault in order.dropped} == dropped
    assert order.job().checkpoint == "shapes.safetensors"
    assert order.job().params is not None
    assert not (dropped - {"styles", "hr_second_pass_steps"}) & set(order.job().params or {})


@pytest.mark.parametrize(
    ("body", "settings", "checkpoint"),
    [
        ({}, Settings(chosen={"sd_model_checkpoint": "two"}), "two.safetensors"),
        ({}, Settings(last_checkpoint="one.safetensors"), "one.safetensors"),
        ({}, Settings(chosen={"sd_model_checkpoint": "two"}, last_checkpoint="one.safetensors"), "two.safetensors"),
        ({"sd_model_checkpoint": "one.safetensors [1111111111]"}, Settings(chosen={"sd_model_checkpoint": "two"}),
         "one.safetensors"),
        ({"sd_model_checkpoint": "1111111111"}, Settings(), "one.safetensors"),
        ({"sd_model_checkpoint": "folder/one.safetensors"}, Settings(), "one.safetensors"),
    ],
)  # fmt: skip
def test_the_request_then_the_chosen_option_then_the_last_job_decides_the_checkpoint(
    body: dict[str, Any], settings: Settings, checkpoint: str
) -> None:
    order = drawing_order(Task.TXT2IMG, {"prompt": "a", "override_settings": body}, settings, PAIR)

    assert order.job().checkpoint == checkpoint
    assert "sd_model_checkpoint" not in order.params.get("override_settings", {})


@pytest.mark.parametrize(
    ("shelf", "body", "said"),
    [
        (PAIR, {}, "one.safetensors [1111111111], two.safetensors [2222222222]"),
        (PAIR, {"override_settings": {"sd_model_checkpoint": "three"}}, "model 'three' not found; allowed: one"),
        (Shelf(), {}, "no checkpoint is uploaded yet"),
    ],
)
def test_without_a_checkpoint_the_refusal_lists_them(shelf: Shelf, body: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        drawing_order(Task.TXT2IMG, body, Settings(), shelf)

    assert refused.value.status == 400
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("body", "repeatable"),
    [
        ({}, False),
        ({"seed": -1}, False),
        ({"seed": "-1"}, False),
        ({"seed": None}, False),
        ({"seed": 5}, True),
        ({"seed": 5, "subseed_strength": 0.3}, False),
        ({"seed": 5, "subseed_strength": 0.3, "subseed": 6}, True),
        ({"seed": 5, "script_name": "Prompt matrix"}, False),
    ],
)
def test_only_a_request_without_chance_gives_the_same_pictures_again(body: dict[str, Any], *, repeatable: bool) -> None:
    assert drawn(body).repeatable is repeatable


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"prompt": "a"}, {"prompt": "a", "url": "x"}, True),
        ({"prompt": "a"}, {"prompt": "a", "force_task_id": "task(1)"}, True),
        ({"prompt": "a"}, {"prompt": "b"}, False),
        ({"prompt": "a"}, {"prompt": "a", "steps": 3}, False),
    ],
)
def test_what_asks_for_the_same_job_has_the_same_identity(
    one: dict[str, Any], other: dict[str, Any], *, same: bool
) -> None:
    assert (drawn(one).identity == drawn(other).identity) is same


def test_the_callers_options_are_below_those_of_the_request() -> None:
    settings = Settings(chosen={"CLIP_stop_at_last_layers": 2, "randn_source": "CPU", "samples_format": "png"})

    order = drawn({"override_settings": {"CLIP_stop_at_last_layers": 3}}, settings=settings)

    assert order.params["override_settings"] == {"CLIP_stop_at_last_layers": 3, "randn_source": "CPU"}
    assert order.body["override_settings"] == {"CLIP_stop_at_last_layers": 3}


def test_what_would_change_the_picture_and_cannot_be_done_is_refused_by_name() -> None:
    with pytest.raises(RefusalError) as refused:
        drawn({"alwayson_scripts": {"ADetailer": {"args": [True, {"ad_model": "face.pt"}]}}})

    assert refused.value.status == 422
    assert "ADetailer" in refused.value.detail
    assert refused.value.document()["errors"].startswith("/alwayson_scripts/ADetailer")


def test_extras_and_interrogations_are_jobs_without_a_checkpoint() -> None:
    assert extras_order({"image": PICTURE, "upscaler_1": "Lanczos"}).job().checkpoint is None
    assert (
        interrogation_order({"image": PICTURE, "model": "deepdanbooru"}, Settings()).task is Task.INTERROGATE_DEEPBOORU
    )
    batch = batch_orders({"imageList": [{"data": PICTURE, "name": "a"}, {"data": PICTURE}], "upscaling_resize": 3})
    npm = batch_orders({"image_list": [{"image": PICTURE, "name": "a"}] * 2, "upscaling_resize": 3})
    for orders in (batch, npm):
        assert [(one.params["image"], one.params["upscaling_resize"]) for one in orders] == [(PICTURE, 3)] * 2
        assert not any(one.dropped for one in orders)


@pytest.mark.parametrize(
    ("make", "status", "said"),
    [
        (lambda: drawn({"init_images": []}, task=Task.IMG2IMG), 404, "Init image not found"),
        (lambda: extras_order({}), 404, "Image not found"),
        (lambda: batch_orders({"imageList": []}), 404, "imageList"),
        (lambda: interrogation_order({"image": ""}, Settings()), 404, "Image not found"),
        (lambda: interrogation_order({"image": PICTURE, "model": "blip2"}, Settings()), 404, "'blip2'; allowed: clip"),
    ],
)
def test_a_request_without_its_picture_or_model_is_refused_as_webui_does(make: Any, status: int, said: str) -> None:
    with pytest.raises(RefusalError) as refused:
        make()

    assert refused.value.status == status
    assert said in refused.value.detail


def test_large_pictures_go_up_on_their_own_wherever_they_are() -> None:
    large = base64.b64encode(bytes(LARGE)).decode()
    sent: list[int] = []

    def upload(picture: bytes) -> str:
        sent.append(len(picture))
        return f"input-{len(sent)}"

    params = {
        "prompt": "p" * LARGE,
        "init_images": [large, PICTURE],
        "mask": f"data:image/png;base64,{large}",
        "alwayson_scripts": {"ControlNet": {"args": [{"image": {"image": large, "mask": PICTURE}, "module": "canny"}]}},
    }

    moved = moved_out(params, upload)

    assert moved["init_images"] == ["input-1", PICTURE]
    assert moved["mask"] == "input-2"
    assert moved["alwayson_scripts"]["ControlNet"]["args"][0]["image"] == {"image": "input-3", "mask": PICTURE}
    assert moved["prompt"] == params["prompt"]
    assert sent == [LARGE] * 3


def test_an_asset_that_is_not_active_is_not_on_the_shelf() -> None:
    failed: AssetView = file("checkpoint", "bad.safetensors", "3" * 64, status="failed")

    assert Shelf.of([failed]).assets == ()
