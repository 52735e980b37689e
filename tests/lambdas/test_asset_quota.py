"""The quota of bytes: what uploads and imports count, what gives it back, and what a refusal leaves behind."""

from datetime import timedelta
from typing import Any

import pytest

from generate_on_cloud.contract.assets import AssetStatus
from lambdas.assets.work import ImportOrder
from lambdas.functions.asset_import import ImportRun
from lambdas.functions.asset_inspection import UPLOAD_LIFE
from tests.fetch.local_sites import Sites
from tests.lambdas.asset_uploads import allow, owned
from tests.lambdas.cloud import Cloud
from tests.lambdas.two_parts import DECLARED, FILE

BUCKET = "assets-bucket"
SIZE = len(FILE)


def begin(cloud: Cloud, name: str = "ink.safetensors", *, user: str = "alice", **more: object) -> Any:
    return cloud.ask("POST", "/v1/assets", {**DECLARED, "name": name, **more}, user=user)


def fetch(cloud: Cloud, sites: Sites, asset_id: str) -> AssetStatus:
    """Run the import to its end."""
    run = ImportRun(cloud.transitions, cloud.work, cloud.s3, BUCKET, sites.fetch, cloud.clock.moment, lambda _: None)
    run.run(ImportOrder(asset_id=asset_id, url=sites.url("/file")), worker="w", time_left=lambda: 900.0)
    asset = cloud.assets.get(asset_id)
    assert asset is not None
    return asset.status


def test_an_upload_that_would_be_too_much_is_refused_and_leaves_nothing(cloud: Cloud) -> None:
    allow(cloud, 2 * SIZE - 1)
    begin(cloud).ok(201)

    reply = begin(cloud, "more.safetensors")

    problem = reply.problem(429, "quota_exceeded")
    for number in (SIZE, 2 * SIZE - 1):
        assert str(number) in problem["detail"]
    assert "Retry-After" not in reply.headers
    assert owned(cloud) == SIZE
    assert [asset.name for asset in cloud.all_assets()] == ["ink.safetensors"]
    assert len(cloud.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1


def test_bytes_up_to_the_quota_itself_come_in_and_none_more_than_it_even_first(cloud: Cloud) -> None:
    allow(cloud, SIZE)
    begin(cloud, "large.safetensors", size=SIZE + 1).problem(429, "quota_exceeded")

    begin(cloud).ok(201)

    assert owned(cloud) == SIZE


def test_a_user_without_the_quota_is_counted_and_not_bounded(cloud: Cloud) -> None:
    for number in range(3):
        begin(cloud, f"ink-{number}.safetensors").ok(201)

    assert (owned(cloud), owned(cloud, user="bob")) == (3 * SIZE, 0)


def test_jobs_do_not_come_dearer_by_a_quota_of_bytes(cloud: Cloud) -> None:
    allow(cloud, SIZE)
    body = {"task": "txt2img", "checkpoint": "dream.safetensors", "params": {"prompt": ""}}
    cloud.checkpoint()

    cloud.ask("POST", "/v1/jobs", body).ok(201)

    assert "open_jobs" not in (cloud.usage.access.get("load#alice") or {})


def test_a_deleted_upload_gives_its_bytes_back_once(cloud: Cloud) -> None:
    asset_id = begin(cloud).ok(201)["asset_id"]
    begin(cloud, "more.safetensors").ok(201)

    cloud.ask("DELETE", f"/v1/assets/{asset_id}").ok()
    cloud.ask("DELETE", f"/v1/assets/{asset_id}").problem(404, "asset_not_found")

    assert owned(cloud) == SIZE


def test_an_upload_nobody_completed_gives_its_bytes_back_when_it_is_given_up(cloud: Cloud) -> None:
    begin(cloud).ok(201)
    cloud.clock.now += UPLOAD_LIFE + timedelta(hours=1)

    cloud.asset_sweep.run(lambda: 900.0)

    assert owned(cloud) == 0


def test_an_upload_started_over_counts_its_new_size_alone(cloud: Cloud) -> None:
    allow(cloud, SIZE + 10)
    begin(cloud).ok(201)

    begin(cloud, sha256="0" * 64, size=SIZE + 10).ok(201)
    begin(cloud, sha256="1" * 64, size=SIZE + 11).problem(429, "quota_exceeded")

    assert owned(cloud) == SIZE + 10


def test_an_abandoned_name_taken_over_moves_the_bytes_to_its_new_owner(cloud: Cloud) -> None:
    begin(cloud).ok(201)
    cloud.clock.now += timedelta(hours=25)

    begin(cloud, user="bob").ok(201)

    assert (owned(cloud), owned(cloud, user="bob")) == (0, SIZE)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_import_of_unknown_size_counts_what_it_has(cloud: Cloud, sites: Sites, chunked: bool) -> None:
    sites.on("/file", lambda handler: handler.send_file(FILE, chunked=chunked))
    made = begin(cloud, source_url=sites.url("/file"), size=None).ok(201)
    before = owned(cloud)

    status = fetch(cloud, sites, made["asset_id"])

    assert (before, status, owned(cloud)) == (0, AssetStatus.ACTIVE, SIZE)


@pytest.mark.parametrize("chunked", [False, True])
def test_an_import_that_turns_out_too_large_fails_with_the_reason_and_leaves_nothing(
    cloud: Cloud, sites: Sites, chunked: bool
) -> None:
    allow(cloud, SIZE - 1)
    sites.on("/file", lambda handler: handler.send_file(FILE, chunked=chunked))
    made = begin(cloud, source_url=sites.url("/file"), size=None).ok(201)

    status = fetch(cloud, sites, made["asset_id"])

    shown = cloud.ask("GET", f"/v1/assets/{made['asset_id']}").ok()
    assert status is AssetStatus.FAILED
    assert f"quota asset_bytes ({SIZE - 1} bytes" in shown["error"]
    assert owned(cloud) == 0
    assert "Uploads" not in cloud.s3.list_multipart_uploads(Bucket=BUCKET)
    begin(cloud, size=SIZE - 1).ok(201)


def test_an_import_whose_last_run_died_before_it_counted_its_part_leaves_no_file_when_it_is_too_large(
    cloud: Cloud, sites: Sites
) -> None:
    allow(cloud, SIZE - 1)
    sites.on("/file", lambda handler: handler.send_file(FILE, chunked=True))
    made = begin(cloud, source_url=sites.url("/file"), size=None).ok(201)
    asset = cloud.assets.get(made["asset_id"])
    assert asset is not None
    cloud.s3.upload_part(Bucket=BUCKET, Key=asset.key, UploadId=asset.upload_id, PartNumber=1, Body=FILE)

    status = fetch(cloud, sites, made["asset_id"])

    assert (status, owned(cloud)) == (AssetStatus.FAILED, 0)
    assert "Contents" not in cloud.s3.list_objects_v2(Bucket=BUCKET)


def test_a_row_that_counts_more_than_was_seen_gives_back_what_it_counts(cloud: Cloud) -> None:
    made = begin(cloud, source_url="https://models.example/file", size=None).ok(201)
    seen = cloud.assets.get(made["asset_id"])
    assert seen is not None
    assert cloud.transitions.claim(seen, worker="w", before=None, now=0, lease_until=10)
    assert cloud.transitions.progress(seen, received=700, worker="w", lease_until=20) is not None
    between = owned(cloud)

    assert cloud.transitions.retire(seen)

    assert (between, owned(cloud)) == (700, 0)


def test_a_file_of_an_older_release_counts_and_gives_back_nothing(cloud: Cloud) -> None:
    begin(cloud).ok(201)
    old = cloud.asset("lora", "old.safetensors")

    cloud.ask("DELETE", f"/v1/assets/{old}").ok()

    assert owned(cloud) == SIZE
