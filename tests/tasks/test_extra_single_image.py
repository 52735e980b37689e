"""The Extras tab's upscale: sizes, blending, texts and refusals."""

import base64
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.params import Img2ImgParams, Txt2ImgParams
from generate_on_cloud.contract.single_image_params import ExtraSingleImageParams
from inference_container.models.checkpoint import Checkpoint
from inference_container.models.files import JobFiles
from inference_container.pictures.encoding import encode_picture
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.extra_single_image import extra_single_image
from inference_container.tasks.img2img import img2img
from inference_container.tasks.txt2img import txt2img
from tests.tasks.conftest import as_text, noisy
from tests.tasks.running import SMALL, opened
from tests.tasks.upscaler_models import models, upscaler_files

Sizes = tuple[int, int]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> JobFiles:
    return upscaler_files(tmp_path_factory.mktemp("upscaler"))


def run(files: JobFiles, image: Image.Image, *, seen: list[Progress] | None = None, **body: Any) -> TaskOutput:
    params = ExtraSingleImageParams.model_validate({"image": as_text(image), **body})
    report = (lambda _: None) if seen is None else seen.append
    return extra_single_image(TaskInput(params, None, report, files=files, models=models()))


def test_without_an_upscaler_the_picture_stays_as_it_is(files: JobFiles) -> None:
    image = noisy(21, 13)

    output = run(files, image, upscaling_resize=4)

    assert opened(output).tobytes() == image.tobytes()
    assert output.images[0].infotext == ""


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"upscaling_resize": 2}, (88, 72)),
        ({"upscaling_resize": 1.5}, (64, 48)),
        ({"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 60}, (100, 60)),
        ({"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 60, "upscaling_crop": False}, (96, 80)),
    ],
)
@pytest.mark.parametrize("upscaler", ["Lanczos", "Nearest", "R-ESRGAN 4x+"])
def test_sizes_are_webuis(files: JobFiles, upscaler: str, body: dict[str, Any], size: Sizes) -> None:
    output = run(files, noisy(45, 37), upscaler_1=upscaler, **body)

    assert opened(output).size == size


def test_a_model_is_fed_again_until_the_picture_is_large_enough(files: JobFiles) -> None:
    image, seen = noisy(64, 48), list[Progress]()

    output = run(files, image, upscaler_1="RealESRGAN_x4plus", upscaling_resize=8, seen=seen)

    large = image.resize((1024, 768), Image.Resampling.NEAREST)
    assert opened(output).tobytes() == large.resize((512, 384), Image.Resampling.LANCZOS).tobytes()
    assert (seen[-1].step, seen[-1].steps) == (3, 3)


def test_two_upscalers_are_blended_by_the_seconds_visibility(files: JobFiles) -> None:
    image = noisy(16, 16)
    body: dict[str, Any] = {"upscaling_resize": 4, "upscaler_2": "Lanczos", "extras_upscaler_2_visibility": 0.25}

    output = run(files, image, upscaler_1="R-ESRGAN 4x+", **body)

    nearest, lanczos = (image.resize((64, 64), way) for way in (Image.Resampling.NEAREST, Image.Resampling.LANCZOS))
    assert opened(output).tobytes() == Image.blend(nearest, lanczos, 0.25).tobytes()


def translucent() -> Image.Image:
    image = noisy(16, 16).convert("RGBA")
    image.putalpha(noisy(16, 16).convert("L"))
    return image


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ({}, "RGBA"),
        ({"upscaler_1": "Lanczos"}, "RGBA"),
        ({"upscaler_1": "Nearest", "upscaler_2": "Lanczos", "extras_upscaler_2_visibility": 0.5}, "RGBA"),
        ({"upscaler_1": "Nearest", "upscaler_2": "R-ESRGAN 4x+", "extras_upscaler_2_visibility": 0.5}, "RGBA"),
        ({"upscaler_1": "R-ESRGAN 4x+"}, "RGB"),
        ({"upscaler_1": "Nearest", "resize_mode": 1, "upscaling_resize_w": 40, "upscaling_resize_h": 24}, "RGB"),
    ],
)
def test_filters_keep_transparency_and_networks_and_crops_drop_it(
    files: JobFiles, body: dict[str, Any], mode: str
) -> None:
    assert opened(run(files, translucent(), **body)).mode == mode


def test_a_crop_shows_the_colours_below_what_was_transparent(files: JobFiles) -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))

    output = run(files, image, upscaler_1="Nearest", resize_mode=1, upscaling_resize_w=32, upscaling_resize_h=32)

    assert opened(output).getcolors() == [(32 * 32, (255, 0, 0))]


def test_the_crop_is_centred(files: JobFiles) -> None:
    image = Image.new("RGB", (16, 16), (255, 0, 0))
    image.paste((0, 0, 255), (8, 0, 16, 16))

    output = run(files, image, upscaler_1="Nearest", resize_mode=1, upscaling_resize_w=32, upscaling_resize_h=64)

    pixels = np.asarray(opened(output))
    assert (pixels[:, :16] == (255, 0, 0)).all()
    assert (pixels[:, 16:] == (0, 0, 255)).all()


def test_texts_say_how_it_was_enlarged_and_keep_how_it_was_drawn(files: JobFiles) -> None:
    drawn = base64.b64encode(encode_picture(noisy(8, 8), infotext="a cat\nSteps: 5")).decode()
    params = ExtraSingleImageParams(
        image=drawn, upscaler_1="Lanczos", upscaler_2="Nearest", extras_upscaler_2_visibility=0.5
    )

    output = extra_single_image(TaskInput(params, None, lambda _: None, files=files, models=models()))

    said = "Postprocess upscale by: 2, Postprocess upscaler: Lanczos, Postprocess upscaler 2: Nearest"
    assert output.images[0].infotext == said
    assert opened(output).info == {"parameters": "a cat\nSteps: 5", "postprocessing": said}
    assert output.info == {"html_info": f"<p>{said}</p>"}
    assert output.parameters["image"] is None


def test_a_size_and_a_crop_are_told_as_webui_tells_them(files: JobFiles) -> None:
    body: dict[str, Any] = {"resize_mode": 1, "upscaling_resize_w": 24, "upscaling_resize_h": 40}

    said = run(files, noisy(8, 8), upscaler_1="R-ESRGAN 4x+", **body).images[0].infotext

    assert said == "Postprocess upscale to: 24x40, Postprocess crop to: 24x40, Postprocess upscaler: R-ESRGAN 4x+"


def test_a_job_can_be_canceled_between_tiles(files: JobFiles) -> None:
    def cancel(progress: Progress) -> None:
        if progress.step == 2:
            raise JobFailed(JobErrorCode.CANCELED, "canceled")

    params = ExtraSingleImageParams(image=as_text(noisy(400, 20)), upscaler_1="R-ESRGAN 4x+")

    with pytest.raises(JobFailed, match="canceled"):
        extra_single_image(TaskInput(params, None, cancel, files=files, models=models()))


@pytest.mark.parametrize(
    ("size", "body", "reason"),
    [
        ((4000, 4000), {"upscaling_resize": 8, "upscaler_1": "Lanczos"}, "enlarge to 32000x32000; allowed"),
        ((3, 3), {"upscaler_1": "Lanczos"}, "enlarge to 0x0; allowed"),
        ((2000, 2000), {"upscaling_resize": 5, "upscaler_1": "R-ESRGAN 4x+"}, "via 32000x32000"),
    ],
)
def test_sizes_that_cannot_be_are_refused(files: JobFiles, size: Sizes, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(JobFailed, match=reason) as refused:
        run(files, Image.new("RGB", size), **body)

    assert refused.value.error.code is JobErrorCode.INVALID_PARAMS


def test_an_upscaler_that_did_not_come_with_the_job_is_missing() -> None:
    with pytest.raises(JobFailed, match="received no upscaler called 'LDSR'; given: none") as refused:
        run(JobFiles(), noisy(8, 8), upscaler_1="LDSR")

    assert refused.value.error.code is JobErrorCode.ASSET_MISSING


def test_hires_fix_and_img2img_enlarge_with_an_uploaded_upscaler(checkpoint: Checkpoint, files: JobFiles) -> None:
    hires = {"enable_hr": True, "hr_scale": 4, "denoising_strength": 0.0, "hr_second_pass_steps": 1, "steps": 1}
    edit = {"init_images": [as_text(noisy(16, 16))], "steps": 1, "denoising_strength": 0.0}

    def pictures(name: str) -> tuple[bytes, bytes]:
        options = {**SMALL["override_settings"], "upscaler_for_img2img": name}
        txt = Txt2ImgParams.model_validate({**SMALL, **hires, "hr_upscaler": name})
        img = Img2ImgParams.model_validate({**SMALL, **edit, "override_settings": options})
        job = TaskInput(txt, checkpoint, lambda _: None, files=files, models=models())
        drawn = txt2img(job)
        edited = img2img(TaskInput(img, checkpoint, lambda _: None, files=files, models=models()))
        return opened(drawn).tobytes(), opened(edited).tobytes()

    with torch.inference_mode():
        assert pictures("R-ESRGAN 4x+") == pictures("Nearest")
    assert pictures("Nearest") != pictures("Lanczos")
