"""Routes of assets and endpoints, and the checkpoint a job names."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.assets import GIB
from lambdas.assets.record import AssetRecord
from lambdas.assets.upload_storage import MIB, PART_SIZE, part_size_for
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.model_bytes import CHECKPOINT, sha256_of

DECLARED = {"type": "checkpoint", "name": "new.safetensors", "size": len(CHECKPOINT)}


def upload(cloud: Cloud, asset: dict[str, Any], data: bytes) -> list[dict[str, object]]:
    """Send every part as a client does; the parts to complete with."""
    parts = []
    for part in asset["upload"]["parts"]:
        key = f"assets/{asset['asset_id']}/{asset['name']}"
        listed = cloud.s3.list_multipart_uploads(Bucket="assets-bucket")["Uploads"]
        (upload_id,) = [entry["UploadId"] for entry in listed if entry["Key"] == key]
        answer = cloud.s3.upload_part(
            Bucket="assets-bucket",
            Key=key,
            UploadId=upload_id,
            PartNumber=part["part_number"],
            Body=data[part["offset"] : part["offset"] + part["size"]] if len(data) == asset["size"] else data,
        )
        parts.append({"part_number": part["part_number"], "etag": answer["ETag"]})
    return parts


def complete(cloud: Cloud, asset_id: str, parts: object, **more: Any) -> Any:
    return cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {"parts": parts}, **more)


def test_an_uploaded_file_becomes_an_active_asset(cloud: Cloud) -> None:
    sha256 = sha256_of(CHECKPOINT)
    asset = cloud.ask("POST", "/v1/assets", {**DECLARED, "type": "Stable-diffusion", "sha256": sha256}).ok(201)
    assert (asset["type"], asset["status"], asset["upload"]["part_size"]) == ("checkpoint", "uploading", PART_SIZE)
    (part,) = asset["upload"]["parts"]
    assert (part["part_number"], part["offset"], part["size"]) == (1, 0, len(CHECKPOINT))
    assert "X-Amz-Expires=900" in part["url"]
    assert asset["upload"]["expires_at"].startswith("2026-11-22T12:15")

    active = complete(cloud, asset["asset_id"], upload(cloud, asset, CHECKPOINT)).ok()

    assert (active["status"], active["sha256"], active["upload"]) == ("active", sha256, None)
    assert cloud.ask("GET", f"/v1/assets/{asset['asset_id']}", user="bob").ok() == active
    assert cloud.ask("GET", "/v1/assets", user="bob").ok() == {"assets": [active], "next_cursor": None}
    assert cloud.keys("assets-bucket") == [f"assets/{asset['asset_id']}/new.safetensors"]


def test_beginning_and_completing_take_few_calls(cloud: Cloud) -> None:
    cloud.ask("GET", "/v1/jobs")
    cloud.counted()
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    assert cloud.counted() == 2
    parts = upload(cloud, asset, CHECKPOINT)
    cloud.counted()

    complete(cloud, asset["asset_id"], parts).ok()

    assert cloud.counted() == 6


def test_an_upload_may_be_completed_again(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    parts = upload(cloud, asset, CHECKPOINT)

    assert complete(cloud, asset["asset_id"], parts).ok() == complete(cloud, asset["asset_id"], parts).ok()


def test_an_upload_joined_by_a_request_that_died_is_still_completed(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    parts = upload(cloud, asset, CHECKPOINT)
    record = cloud.assets.get(asset["asset_id"])
    assert record is not None
    cloud.s3.complete_multipart_upload(
        Bucket="assets-bucket",
        Key=record.key,
        UploadId=record.upload_id,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": str(parts[0]["etag"])}]},
    )

    assert complete(cloud, asset["asset_id"], parts).ok()["status"] == "active"


def test_a_file_of_another_size_fails_and_its_name_is_free_again(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    parts = upload(cloud, asset, CHECKPOINT + b"more")

    problem = complete(cloud, asset["asset_id"], parts).problem(422, "upload_mismatch")

    assert f"received {len(CHECKPOINT) + 4} bytes; declared: {len(CHECKPOINT)}" in problem["detail"]
    assert cloud.keys("assets-bucket") == []
    failed = cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()
    assert (failed["status"], failed["error"]) == (
        "failed",
        f"received {len(CHECKPOINT) + 4} bytes; declared: {len(CHECKPOINT)}",
    )
    complete(cloud, asset["asset_id"], parts).problem(422, "upload_mismatch")
    cloud.ask("POST", "/v1/assets", DECLARED, user="bob").ok(201)


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([{"part_number": 1, "etag": "wrong"}], 409, "upload_incomplete"),
        ([{"part_number": 2, "etag": "x"}], 422, "invalid_params"),
        ([{"part_number": 1, "etag": "x"}] * 2, 422, "invalid_params"),
        ([], 422, "invalid_params"),
        ([{"part_number": 0, "etag": "x"}], 422, "invalid_params"),
        ([{"part_number": 1, "etag": "x", "size": 1}], 422, "invalid_params"),
    ],
)
def test_wrong_parts_are_refused_and_the_upload_can_go_on(
    cloud: Cloud, parts: list[dict[str, object]], status: int, code: str
) -> None:
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    good = upload(cloud, asset, CHECKPOINT)

    complete(cloud, asset["asset_id"], parts).problem(status, code)

    assert complete(cloud, asset["asset_id"], good).ok()["status"] == "active"


def test_missing_parts_are_named(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", {**DECLARED, "size": 2 * PART_SIZE + 1}).ok(201)
    assert [part["size"] for part in asset["upload"]["parts"]] == [PART_SIZE, PART_SIZE, 1]

    parts = [{"part_number": 2, "etag": "x"}]
    problem = complete(cloud, asset["asset_id"], parts).problem(409, "upload_incomplete")

    assert problem["errors"] == [{"pointer": "/parts", "message": "2 of 3 parts are missing: 1, 3"}]


def test_only_the_owner_or_an_admin_completes_an_upload(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    parts = upload(cloud, asset, CHECKPOINT)

    complete(cloud, asset["asset_id"], parts, user="bob").problem(403, "forbidden")

    assert complete(cloud, asset["asset_id"], parts, user="root").ok()["status"] == "active"


def test_a_name_is_used_once_and_the_loser_leaves_nothing(cloud: Cloud) -> None:
    cloud.checkpoint("new.safetensors")

    problem = cloud.ask("POST", "/v1/assets", DECLARED).problem(409, "asset_exists")

    assert "'new.safetensors' already exists (active, " in problem["detail"]
    assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket="assets-bucket")
    assert cloud.rows("assets") == 2


def test_the_same_name_of_another_type_is_another_asset(cloud: Cloud) -> None:
    cloud.checkpoint("new.safetensors")

    cloud.ask("POST", "/v1/assets", {**DECLARED, "type": "lora"}).ok(201)


def test_an_owner_starts_an_unfinished_upload_over(cloud: Cloud) -> None:
    first = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)

    second = cloud.ask("POST", "/v1/assets", DECLARED).ok(201)

    assert len(cloud.s3.list_multipart_uploads(Bucket="assets-bucket")["Uploads"]) == 1
    cloud.ask("GET", f"/v1/assets/{first['asset_id']}").problem(404, "asset_not_found")
    assert complete(cloud, second["asset_id"], upload(cloud, second, CHECKPOINT)).ok()["status"] == "active"


def test_another_user_gets_the_name_of_an_upload_only_when_it_is_abandoned(cloud: Cloud) -> None:
    cloud.ask("POST", "/v1/assets", DECLARED).ok(201)
    cloud.ask("POST", "/v1/assets", DECLARED, user="bob").problem(409, "asset_exists")
    cloud.clock.now += timedelta(hours=24)

    cloud.ask("POST", "/v1/assets", DECLARED, user="bob").ok(201)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"type": "checkpoints"}, "/type"),
        ({"size": 0}, "/size"),
        ({"size": 32 * GIB + 1}, "/size"),
        ({"size": 10**400}, "/size"),
        ({"sha256": "ABC"}, "/sha256"),
        ({"name": ""}, "/name"),
        ({"name": "new.exe"}, "/name"),
        ({"name": "new.SAFETENSORS"}, "/name"),
        ({"name": "../new.safetensors"}, "/name"),
        ({"name": "a\\new.safetensors"}, "/name"),
        ({"name": ".safetensors"}, "/name"),
        ({"name": "a\nb.safetensors"}, "/name"),
        ({"name": "a\u202eb.safetensors"}, "/name"),
        ({"name": " a.safetensors"}, "/name"),
        ({"name": "a" * 201}, "/name"),
        ({"folder": "x"}, "/folder"),
    ],
)
def test_a_declaration_that_is_not_good_is_refused(cloud: Cloud, changes: dict[str, object], pointer: str) -> None:
    problem = cloud.ask("POST", "/v1/assets", {**DECLARED, **changes}).problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert cloud.rows("assets") == 0
    assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket="assets-bucket")


def test_a_name_in_any_script_is_good(cloud: Cloud) -> None:
    name = "звёзды 星 ⭐.safetensors"

    assert cloud.ask("POST", "/v1/assets", {**DECLARED, "name": name}).ok(201)["name"] == name


@pytest.mark.parametrize("size", [1, PART_SIZE, PART_SIZE + 1, 32 * GIB, 5 * 1024 * GIB])
def test_parts_stay_within_the_limits_of_s3(size: int) -> None:
    part_size = part_size_for(size)

    assert 5 * MIB <= part_size <= 5 * GIB
    assert -(-size // part_size) <= 10_000


def test_assets_come_by_type_and_name_in_full_pages(cloud: Cloud) -> None:
    for name in ("c.safetensors", "a.safetensors", "b.ckpt"):
        cloud.checkpoint(name)
    for name in ("y.pt", "x.pt"):
        cloud.ask("POST", "/v1/assets", {"type": "hypernetwork", "name": name, "size": 1}).ok(201)

    found, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = cloud.ask("GET", "/v1/assets", query=query).ok()
        found.append([asset["name"] for asset in page["assets"]])
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == [["a.safetensors", "b.ckpt"], ["c.safetensors", "x.pt"], ["y.pt"]]


def test_pages_are_full_though_others_files_stand_between(cloud: Cloud) -> None:
    for number in range(12):
        asset_id = cloud.checkpoint(f"{number:02}.safetensors")
        if number % 3:
            cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"users": ["carol"]}).ok()

    first = cloud.ask("GET", "/v1/assets", user="bob", query={"limit": "3"}).ok()
    cursor = first["next_cursor"]
    second = cloud.ask("GET", "/v1/assets", user="bob", query={"limit": "3", "cursor": cursor}).ok()

    assert [asset["name"][:2] for asset in first["assets"]] == ["00", "03", "06"]
    assert [asset["name"][:2] for asset in second["assets"]] == ["09"]
    assert second["next_cursor"] is None
    other_list = {"type": "checkpoint", "cursor": cursor}
    cloud.ask("GET", "/v1/assets", user="bob", query=other_list).problem(400, "invalid_cursor")


def test_a_page_of_very_many_foreign_files_ends_after_bounded_reads_and_goes_on(cloud: Cloud) -> None:
    for number in range(9):
        cloud.checkpoint(f"{number:02}.safetensors")
    cloud.pages.signer.secret()
    store = replace(cloud.assets, passed_over_at_once=2, max_reads=3)
    cloud.counted()

    def page(cursor: str | None) -> tuple[list[AssetRecord], str | None]:
        return store.page(
            None, limit=1, cursor=cursor, signer=cloud.pages.signer, takes=lambda asset: asset.name[:2] == "08"
        )

    nothing_yet, cursor = page(None)
    calls = cloud.counted()
    found, end = page(cursor)

    assert (nothing_yet, calls) == ([], 3)
    assert cursor is not None
    assert [asset.name for asset in found] == ["08.safetensors"]
    assert end is None


def test_assets_of_one_type_are_one_call(cloud: Cloud) -> None:
    cloud.checkpoint()
    cloud.ask("GET", "/v1/jobs")
    cloud.counted()

    page = cloud.ask("GET", "/v1/assets", query={"type": "Stable-diffusion"}).ok()

    assert [asset["name"] for asset in page["assets"]] == ["dream.safetensors"]
    assert cloud.counted() == 1


@pytest.mark.parametrize("query", [{"type": "models"}, {"limit": "0"}, {"limit": "101"}, {"owner": "bob"}])
def test_a_list_query_that_is_not_good_is_refused(cloud: Cloud, query: dict[str, str]) -> None:
    (name,) = query
    problem = cloud.ask("GET", "/v1/assets", query=query).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == f"query:{name}"


@pytest.mark.parametrize("asset_id", ["x", "name:checkpoint:dream.safetensors", "0190" * 8])
def test_what_is_no_asset_id_is_not_found(cloud: Cloud, asset_id: str) -> None:
    cloud.ask("GET", f"/v1/assets/{asset_id}").problem(404, "asset_not_found")


def test_the_row_that_guards_a_name_is_no_asset(cloud: Cloud) -> None:
    cloud.checkpoint()

    assert cloud.assets.get("name#checkpoint#dream.safetensors") is None


@pytest.mark.parametrize(
    "reference", ["{id}", "dream.safetensors", "dream", "dream.safetensors [6ce0161689]", "dream [6CE016]"]
)
@pytest.mark.parametrize("by_option", [False, True])
def test_a_checkpoint_is_found_by_id_file_name_stem_and_title(cloud: Cloud, reference: str, by_option: bool) -> None:
    asset_id = cloud.checkpoint(sha256="6ce0161689" + "0" * 54)
    cloud.checkpoint("dream.other.safetensors")
    said = reference.replace("{id}", asset_id)
    body = {**txt2img(), "checkpoint": said}
    if by_option:
        body = {"task": "txt2img", "params": {"override_settings": {"sd_model_checkpoint": said}}}

    assert cloud.ask("POST", "/v1/jobs", body).ok(201)["checkpoint"] == "dream.safetensors"


def test_no_checkpoint_is_the_clear_error(cloud: Cloud) -> None:
    problem = cloud.ask("POST", "/v1/jobs", {"task": "txt2img", "params": {}}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"] == "/checkpoint"
    assert "choose a checkpoint" in problem["errors"][0]["message"].lower()


@pytest.mark.parametrize(
    "reference", ["nope", "nightmare.safetensors [6ce0161689]", "x" * 5000, "dream.ckpt", "../dream", "\0"]
)
def test_an_unknown_checkpoint_is_told_with_those_there_are(cloud: Cloud, reference: str) -> None:
    cloud.checkpoint(sha256="6ce0161689" + "0" * 54)
    cloud.checkpoint("waiting.safetensors", status="uploading")

    problem = cloud.ask("POST", "/v1/jobs", {**txt2img(), "checkpoint": reference}).problem(404, "asset_not_found")

    (error,) = problem["errors"]
    assert error["pointer"] == "/checkpoint"
    assert error["message"].endswith("available: dream.safetensors")
    assert cloud.rows() == 0


@pytest.mark.parametrize(
    ("reference", "warned"), [("Dream", False), ("DREAM.SafeTensors", False), ("dream.safetensors [aaaaaaaaaa]", True)]
)
def test_a_checkpoint_in_another_case_is_used_and_one_with_another_hash_too_with_a_warning_as_in_webui(
    cloud: Cloud, reference: str, warned: bool
) -> None:
    cloud.checkpoint(sha256="6ce0161689" + "0" * 54)

    job = cloud.ask("POST", "/v1/jobs", {**txt2img(), "checkpoint": reference}).ok(201)

    assert job["checkpoint"] == "dream.safetensors"
    assert any(reference in warning["message"] for warning in job["warnings"]) == warned


@pytest.mark.parametrize("status", ["uploading", "failed"])
def test_a_checkpoint_that_is_not_active_is_told(cloud: Cloud, status: str) -> None:
    cloud.checkpoint(status=status)

    problem = cloud.ask("POST", "/v1/jobs", txt2img()).problem(409, "asset_not_active")

    assert f"dream.safetensors is {status}" in problem["detail"]


def test_a_stem_with_two_extensions_must_be_said_in_full(cloud: Cloud) -> None:
    cloud.checkpoint("dream.safetensors")
    cloud.checkpoint("dream.ckpt")

    problem = cloud.ask("POST", "/v1/jobs", txt2img()).problem(422, "invalid_params")

    assert "dream.ckpt, dream.safetensors" in problem["errors"][0]["message"]


@pytest.mark.parametrize(("option", "good"), [("dream.safetensors", True), ("other", False)])
def test_two_words_about_the_checkpoint_must_agree(cloud: Cloud, option: str, good: bool) -> None:
    cloud.checkpoint()
    cloud.checkpoint("other.safetensors")

    reply = cloud.ask("POST", "/v1/jobs", txt2img(override_settings={"sd_model_checkpoint": option}))

    if good:
        reply.ok(201)
    else:
        problem = reply.problem(422, "invalid_params")
        assert problem["errors"][0]["pointer"] == "/params/override_settings/sd_model_checkpoint"


def test_the_endpoint_is_shown_with_its_status(cloud: Cloud) -> None:
    cloud.endpoint.status, cloud.endpoint.failure_reason, cloud.endpoint.instances = "Failed", "no GPUs", 2

    [shown] = cloud.ask("GET", "/v1/endpoints").ok()["endpoints"]

    assert (
        shown.items()
        >= {
            "name": "artists",
            "managed_by": "template",
            "status": "Failed",
            "instance_count": 2,
            "failure_reason": "no GPUs",
        }.items()
    )


def test_no_endpoint_is_an_empty_list(cloud: Cloud) -> None:
    cloud.endpoint.status = None

    assert cloud.ask("GET", "/v1/endpoints").ok() == {"endpoints": []}


def test_every_change_of_an_asset_is_one_line_of_the_audit_log(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="audit"):
        body = {"type": "lora", "name": "new.safetensors", "size": 1, "sha256": "0" * 64}
        made = cloud.ask("POST", "/v1/assets", body).ok(201)["asset_id"]
        cloud.ask("POST", "/v1/assets", body).ok(201)
        there = cloud.checkpoint()
        cloud.ask("PATCH", f"/v1/assets/{there}", {"description": "mine"}).ok()
        cloud.ask("POST", f"/v1/assets/{there}/complete", {}).ok()
        cloud.ask("DELETE", f"/v1/assets/{there}").ok()
        cloud.ask("DELETE", f"/v1/assets/{there}").problem(404, "asset_not_found")

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "audit"]
    assert [(line["audit"], line["target"], line["by"]) for line in lines] == [
        ("asset.created", made, "alice"),
        ("asset.changed", there, "alice"),
        ("asset.completed", there, "alice"),
        ("asset.deleted", there, "alice"),
    ]


def test_a_complete_without_a_body_means_the_parts_that_storage_has(cloud: Cloud) -> None:
    asset = cloud.ask("POST", "/v1/assets", {**DECLARED, "type": "checkpoint"}).ok(201)
    upload(cloud, asset, CHECKPOINT)

    assert cloud.ask("POST", f"/v1/assets/{asset['asset_id']}/complete").ok()["status"] == "active"
