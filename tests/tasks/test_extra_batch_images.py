"""The Extras tab's batch: every picture as it would be alone, in order, or none of them."""

from typing import Any

import pytest
from PIL import Image

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.messages import Progress
from generate_on_cloud.contract.single_image_params import MAX_BATCH, ExtraBatchImagesParams, ExtraSingleImageParams
from inference_container.models.files import JobFiles
from inference_container.task import TaskInput, TaskOutput
from inference_container.tasks.extra_batch_images import extra_batch_images
from inference_container.tasks.extra_single_image import extra_single_image
from tests.tasks.conftest import as_text, noisy
from tests.tasks.upscaler_models import models, upscaler_files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> JobFiles:
    return upscaler_files(tmp_path_factory.mktemp("upscaler"))


def run(
    files: JobFiles, images: list[Image.Image | str], *, seen: list[Progress] | None = None, **body: Any
) -> TaskOutput:
    rows = [
        {"data": image if isinstance(image, str) else as_text(image), "name": f"{number}.png"}
        for number, image in enumerate(images)
    ]
    params = ExtraBatchImagesParams.model_validate({"imageList": rows, **body})
    report = (lambda _: None) if seen is None else seen.append
    return extra_batch_images(TaskInput(params, None, report, files=files, models=models()))


@pytest.mark.parametrize(
    "body",
    [
        {"upscaler_1": "Lanczos", "upscaling_resize": 1.5},
        {"upscaler_1": "R-ESRGAN 4x+", "resize_mode": 1, "upscaling_resize_w": 50, "upscaling_resize_h": 40},
        {},
    ],
)
def test_each_picture_is_what_it_would_be_alone_and_in_its_place(files: JobFiles, body: dict[str, Any]) -> None:
    images = [noisy(16, 24), noisy(24, 16).convert("RGBA"), noisy(9, 9).convert("L")]

    together = run(files, list(images), **body)

    for image, drawn in zip(images, together.images, strict=True):
        single = ExtraSingleImageParams.model_validate({"image": as_text(image), **body})
        alone = extra_single_image(TaskInput(single, None, lambda _: None, files=files, models=models()))
        assert drawn == alone.images[0]
        assert together.info == alone.info
    assert together.parameters["imageList"] == [{"data": None, "name": f"{number}.png"} for number in range(3)]


def test_steps_count_over_all_pictures(files: JobFiles) -> None:
    seen = list[Progress]()

    run(files, [noisy(16, 16), noisy(16, 16)], seen=seen, upscaler_1="R-ESRGAN 4x+", upscaling_resize=4)

    assert (seen[-1].step, seen[-1].steps) == (2, 2)
    assert [told.step for told in seen] == sorted(told.step for told in seen)


@pytest.mark.parametrize(
    ("bad", "code", "told"),
    [
        ("bm90IGEgcGljdHVyZQ==", JobErrorCode.BAD_IMAGE, "imageList/1/data"),
        (as_text(noisy(4, 4)), JobErrorCode.INVALID_PARAMS, "4x4"),
    ],
)
def test_a_bad_picture_fails_the_job_before_any_is_enlarged(
    files: JobFiles, bad: str, code: JobErrorCode, told: str
) -> None:
    seen = list[Progress]()

    with pytest.raises(JobFailed, match=told) as failed:
        run(files, [noisy(16, 16), bad], seen=seen, upscaler_1="Lanczos", upscaling_resize=1)

    assert failed.value.error.code is code
    assert all(told.phase != "upscaling" for told in seen)


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_has_one_to_a_hundred_pictures(files: JobFiles, count: int) -> None:
    with pytest.raises(ValueError, match="imageList"):
        run(files, ["x"] * count)
