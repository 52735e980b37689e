"""Other contract versions: requests recorded from older code are read, newer ones are refused."""

import json
from pathlib import Path

import pytest

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.errors import JobErrorCode, JobFailed
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.messages import AssetRef, JobRequest, JobResult
from inference_container.request_document import read_params, read_request

RECORDED = Path(__file__).parent / "old_requests"
"""Documents written by the code of each version."""
SINCE = {
    "AssetRef.references": 2,
    "JobRequest.pictures": 3,
    "JobRequest.correlation_id": 3,
    "JobRequest.run_timeout_s": 4,
    "AssetRef.prediction_type": 5,
    "JobRequest.traceparent": 6,
}
"""Fields a container of an earlier version does not know."""
ALWAYS = {
    *(f"JobRequest.{name}" for name in ("contract_version", "job_id", "task", "params", "checkpoint", "assets")),
    *("JobRequest.preview", "JobRequest.output_prefix"),
    *(f"AssetRef.{name}" for name in ("asset_id", "type", "name", "key", "size", "sha256")),
}


def recorded(version: int) -> dict[str, object]:
    document: dict[str, object] = json.loads((RECORDED / f"version_{version}.json").read_text())
    return document


@pytest.mark.parametrize("version", range(1, CONTRACT_VERSION + 1))
def test_a_request_of_each_version_up_to_now_is_read_as_it_was_meant(version: int) -> None:
    document = recorded(version)

    request = read_request(json.dumps(document).encode())

    assert (request.contract_version, request.task) == (version, Task.TXT2IMG)
    assert request.checkpoint is not None
    assert (request.checkpoint.name, [asset.name for asset in request.assets]) == (
        "tiny.safetensors",
        ["bright.safetensors"],
    )
    assert read_params(request).model_dump()["prompt"] == "a cat"


@pytest.mark.parametrize("version", range(1, CONTRACT_VERSION))
def test_an_older_container_refuses_what_is_sent_now_and_says_what_to_do(version: int) -> None:
    document = recorded(CONTRACT_VERSION)

    with pytest.raises(JobFailed) as refused:
        read_request(json.dumps(document).encode(), known=version)

    assert refused.value.error.code is JobErrorCode.CONTRACT_MISMATCH
    assert refused.value.error.message == (
        f"the request has contract version {CONTRACT_VERSION}, this container supports up to {version}; "
        "deploy the container again"
    )


def test_a_new_field_of_the_request_comes_with_a_new_version() -> None:
    fields = {f"{model.__name__}.{name}" for model in (JobRequest, AssetRef) for name in model.model_fields}

    assert fields == ALWAYS | SINCE.keys()
    assert max(SINCE.values()) == CONTRACT_VERSION


def test_the_answer_of_a_newer_container_is_read_without_what_is_not_known() -> None:
    answer = {
        "contract_version": CONTRACT_VERSION + 1,
        "job_id": "j",
        "task": "txt2img",
        "images": [{"key": "k", "width": 8, "height": 8, "format": "png", "bytes": 9, "depth": 16}],
        "novelty": True,
    }

    result = JobResult.model_validate(answer)

    assert [(image.key, image.bytes) for image in result.images] == [("k", 9)]
