"""The soak notices a picture that is another job's, or none at all."""

import io

import pytest
from PIL import Image, PngImagePlugin

from checks.soak.jobs import SIDE, SoakJob
from generate_on_cloud.contract.jobs import Task

ENLARGED, DRAWN = SoakJob(500), SoakJob(501)


def enlarged(job: SoakJob, *, side: int = 2 * SIDE) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), job.colour).save(buffer, format="PNG")
    return buffer.getvalue()


def drawn(job: SoakJob) -> bytes:
    buffer, infotext = io.BytesIO(), PngImagePlugin.PngInfo()
    infotext.add_text("parameters", f"{job.params['prompt']}\nSteps: 2, Seed: {job.number}, Size: 64x64")
    Image.new("RGB", (64, 64)).save(buffer, format="PNG", pnginfo=infotext)
    return buffer.getvalue()


def test_a_jobs_own_picture_has_no_fault() -> None:
    assert ENLARGED.task is Task.EXTRA_SINGLE_IMAGE
    assert ENLARGED.faults([enlarged(ENLARGED)], []) == []
    assert DRAWN.task is Task.TXT2IMG
    assert DRAWN.faults([drawn(DRAWN)], [501]) == []


@pytest.mark.parametrize("pictures", [[], [enlarged(ENLARGED)] * 2], ids=["none", "two"])
def test_any_other_number_of_pictures_is_a_fault(pictures: list[bytes]) -> None:
    assert ENLARGED.faults(pictures, [])


@pytest.mark.parametrize(
    "picture", [enlarged(SoakJob(502)), enlarged(ENLARGED, side=SIDE)], ids=["of another job", "not enlarged"]
)
def test_another_jobs_picture_is_a_fault(picture: bytes) -> None:
    assert ENLARGED.faults([picture], [])


def test_another_jobs_infotext_or_seed_is_a_fault() -> None:
    assert DRAWN.faults([drawn(SoakJob(504))], [501])
    assert DRAWN.faults([drawn(DRAWN)], [504])
