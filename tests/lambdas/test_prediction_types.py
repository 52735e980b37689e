"""What a checkpoint predicts: said by its owner or found in its file, shown, and sent to the container with the job."""

from typing import Any

import pytest

from generate_on_cloud.contract.messages import JobRequest
from tests.lambdas.asset_uploads import UPLOAD, uploaded
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.model_bytes import CHECKPOINT, SD1, safetensors_file

MARKED = safetensors_file({**SD1, "v_pred": (0,)})


def stored(cloud: Cloud, data: bytes = CHECKPOINT, **more: object) -> dict[str, Any]:
    return uploaded(cloud, {"type": "checkpoint", "name": "furry.safetensors", "size": len(data)} | more, data)


def sent(cloud: Cloud) -> str | None:
    """What the request document of a new job says of its checkpoint."""
    job = cloud.ask("POST", "/v1/jobs", txt2img() | {"checkpoint": "furry"}).ok(201)
    stored = cloud.s3.get_object(Bucket="jobs-bucket", Key=f"jobs/{job['job_id']}/request.json")["Body"].read()
    ref = JobRequest.model_validate_json(stored).checkpoint
    assert ref is not None
    return ref.prediction_type


@pytest.mark.parametrize(
    ("data", "said", "shown", "given"),
    [
        (CHECKPOINT, None, None, None),
        (CHECKPOINT, "v_prediction", "v_prediction", "v_prediction"),
        (CHECKPOINT, "epsilon", "epsilon", "epsilon"),
        (MARKED, None, "v_prediction", None),
        (MARKED, "epsilon", "epsilon", "epsilon"),
    ],
)
def test_what_the_owner_says_goes_before_what_the_file_says(
    cloud: Cloud, data: bytes, said: str | None, shown: str | None, given: str | None
) -> None:
    asset = stored(cloud, data, prediction_type=said)

    assert asset["prediction_type"] == shown
    assert cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok() == asset
    assert sent(cloud) == given


def test_it_can_be_changed_and_taken_back(cloud: Cloud) -> None:
    asset = stored(cloud, MARKED)
    path = f"/v1/assets/{asset['asset_id']}"

    assert cloud.ask("PATCH", path, {"prediction_type": "epsilon"}).ok()["prediction_type"] == "epsilon"
    assert cloud.ask("PATCH", path, {"description": "furry"}).ok()["prediction_type"] == "epsilon"
    assert sent(cloud) == "epsilon"
    assert cloud.ask("PATCH", path, {"prediction_type": "automatic"}).ok()["prediction_type"] == "v_prediction"
    assert sent(cloud) is None


def test_only_checkpoints_have_one(cloud: Cloud) -> None:
    refused = cloud.ask("POST", "/v1/assets", {**UPLOAD, "prediction_type": "epsilon"}).problem(422, "invalid_params")
    lora = uploaded(cloud)
    also = cloud.ask("PATCH", f"/v1/assets/{lora['asset_id']}", {"prediction_type": "automatic"})

    assert refused["errors"] == [
        {"pointer": "/prediction_type", "message": "received epsilon for a lora; allowed: only for a checkpoint"}
    ]
    assert also.problem(422, "invalid_params")["errors"][0]["pointer"] == "/prediction_type"


@pytest.mark.parametrize("wrong", ["v", "automatic", "sample", ""])
def test_other_words_are_refused_with_those_allowed(cloud: Cloud, wrong: str) -> None:
    body = {"type": "checkpoint", "name": "a.safetensors", "size": 9, "prediction_type": wrong}

    refused = cloud.ask("POST", "/v1/assets", body).problem(422, "invalid_params")

    assert "'epsilon' or 'v_prediction'" in refused["errors"][0]["message"]


@pytest.mark.parametrize("name", ["yiffy-vpred", "NoobXL_V-Pred_1.0", "fluff v prediction", "x_v_prediction", "vpred"])
def test_a_checkpoint_whose_name_alone_says_velocity_draws_with_a_warning(cloud: Cloud, name: str) -> None:
    asset = stored(cloud, name=f"{name}.safetensors")
    body = txt2img() | {"checkpoint": name}

    doubted = cloud.ask("POST", "/v1/jobs", body).ok(201)["warnings"]
    cloud.ask("PATCH", f"/v1/assets/{asset['asset_id']}", {"prediction_type": "epsilon"}).ok()
    clear = cloud.ask("POST", "/v1/jobs", body).ok(201)["warnings"]

    assert [warning["pointer"] for warning in doubted] == ["/checkpoint"]
    assert "neither its owner nor its file says so" in doubted[0]["message"]
    assert clear == []


@pytest.mark.parametrize("name", ["improved", "vpredator", "conv_predictor", "v1-5-pruned", "dream v2"])
def test_other_names_raise_no_doubt(cloud: Cloud, name: str) -> None:
    stored(cloud, name=f"{name}.safetensors")

    assert cloud.ask("POST", "/v1/jobs", txt2img() | {"checkpoint": name}).ok(201)["warnings"] == []


def test_a_marked_checkpoint_raises_no_doubt(cloud: Cloud) -> None:
    stored(cloud, MARKED, name="marked-vpred.safetensors")

    assert cloud.ask("POST", "/v1/jobs", txt2img() | {"checkpoint": "marked-vpred"}).ok(201)["warnings"] == []
