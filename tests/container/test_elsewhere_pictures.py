"""Pictures a request only names: put where their base64 would stand, or the reason why not."""

import base64
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import MAX_PICTURE_BYTES, JobRequest
from inference_container.elsewhere_pictures import with_pictures
from tests.container.conftest import JOBS_BUCKET, Cloud
from tests.fetch.local_sites import open_sites


def request(**pictures: str) -> JobRequest:
    params = {
        "init_images": ["named", "here"],
        "mask": "named",
        "alwayson_scripts": {"a/b": {"args": [{"image": "named"}]}},
    }
    return JobRequest(job_id="j", task=Task.IMG2IMG, params=params, pictures=pictures, output_prefix="jobs/j/output/")


def test_a_stored_picture_stands_where_its_name_stood(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=JOBS_BUCKET, Key="jobs/j/input/0", Body=b"one")
    cloud.s3.put_object(Bucket=JOBS_BUCKET, Key="jobs/j/input/1", Body=b"two")
    named = request(**{"/init_images/0": "jobs/j/input/0", "/alwayson_scripts/a~1b/args/0/image": "jobs/j/input/1"})

    params = with_pictures(named, s3=cloud.s3, bucket=JOBS_BUCKET).params

    assert params["init_images"] == [base64.b64encode(b"one").decode(), "here"]
    assert params["alwayson_scripts"]["a/b"]["args"][0]["image"] == base64.b64encode(b"two").decode()
    assert named.params["init_images"] == ["named", "here"]


def test_a_stored_picture_that_is_gone_fails_the_job(cloud: Cloud) -> None:
    with pytest.raises(JobFailed) as caught:
        with_pictures(request(**{"/mask": "jobs/j/input/0"}), s3=cloud.s3, bucket=JOBS_BUCKET)

    assert caught.value.error.code is JobErrorCode.BAD_IMAGE
    assert "/mask" in caught.value.error.message


def test_a_stored_picture_that_is_too_large_is_not_read() -> None:
    # A null context has nothing to read: who tries fails otherwise.
    answer = {"ContentLength": MAX_PICTURE_BYTES + 1, "Body": nullcontext()}
    s3: Any = SimpleNamespace(get_object=lambda **_: answer)

    with pytest.raises(JobFailed, match=str(MAX_PICTURE_BYTES + 1)):
        with_pictures(request(**{"/mask": "jobs/j/input/0"}), s3=s3, bucket=JOBS_BUCKET)


def test_a_url_to_a_private_address_fails_the_job_before_it_is_asked(cloud: Cloud) -> None:
    with pytest.raises(JobFailed) as caught:
        with_pictures(request(**{"/mask": "https://127.0.0.1:8443/a.png"}), s3=cloud.s3, bucket=JOBS_BUCKET)

    assert caught.value.error.code is JobErrorCode.BAD_IMAGE


def test_a_url_is_fetched_and_its_failure_is_the_jobs(cloud: Cloud, tmp_path: Path) -> None:
    with open_sites(tmp_path) as sites:
        good = sites.on("/a.png", lambda handler: handler.answer(b"picture"))
        gone = sites.on("/gone.png", lambda handler: handler.answer(status=404))

        found = with_pictures(request(**{"/mask": good}), s3=cloud.s3, bucket=JOBS_BUCKET, fetch=sites.fetch)
        with pytest.raises(JobFailed, match="/mask was not fetched") as caught:
            with_pictures(request(**{"/mask": gone}), s3=cloud.s3, bucket=JOBS_BUCKET, fetch=sites.fetch)

    assert found.params["mask"] == base64.b64encode(b"picture").decode()
    assert caught.value.error.code is JobErrorCode.BAD_IMAGE
