"""A deleted model file can be restored for some days: by whom, under what name, against which quota, until when."""

from datetime import timedelta
from typing import Any

import pytest

from lambdas.assets.removal import AssetRemoval
from tests.lambdas.asset_uploads import LORA_FILE, UPLOAD, allow, begin, leftovers, owned, put_part, sweep, uploaded
from tests.lambdas.cloud import PNG, SETTINGS, START, Cloud
from tests.lambdas.model_bytes import CHECKPOINT, sha256_of

DAYS = SETTINGS.DELETED_MODELS_DAYS


def delete(cloud: Cloud, asset_id: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = cloud.ask("DELETE", f"/v1/assets/{asset_id}", **more).ok()
    return answer


def restore(cloud: Cloud, asset_id: str, **more: Any) -> Any:
    return cloud.ask("POST", f"/v1/assets/{asset_id}/restore", **more)


def listed(cloud: Cloud, *, user: str = "alice", **query: str) -> list[str]:
    answer = cloud.ask("GET", "/v1/assets", user=user, query=query).ok()
    return [asset["asset_id"] for asset in answer["assets"]]


def test_a_deleted_file_is_found_by_nobody_and_comes_back_as_it_was(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    change = {"description": "ink", "tags": ["pen"], "picture": PNG}
    before = cloud.ask("PATCH", f"/v1/assets/{asset_id}", change).ok()

    gone = delete(cloud, asset_id)

    assert gone["status"] == "deleted"
    assert gone["deleted_until"].startswith((START + timedelta(days=DAYS)).date().isoformat())
    cloud.ask("GET", f"/v1/assets/{asset_id}").problem(404, "asset_not_found")
    cloud.ask("DELETE", f"/v1/assets/{asset_id}").problem(404, "asset_not_found")
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"tags": []}).problem(404, "asset_not_found")
    assert listed(cloud) == []
    assert cloud.ask("GET", f"/v1/assets/by-hash/{sha256_of(LORA_FILE)}").ok()["assets"] == []
    assert listed(cloud, deleted="true") == listed(cloud, deleted="true", type="lora") == [asset_id]
    assert listed(cloud, deleted="true", type="vae") == []
    back = restore(cloud, asset_id).ok()
    assert {**back, "picture_url": None} == {**before, "picture_url": None}
    assert back["picture_url"] is not None
    assert listed(cloud) == [asset_id]
    assert listed(cloud, deleted="true") == []


def test_a_job_cannot_use_a_deleted_checkpoint_and_can_use_a_restored_one(cloud: Cloud) -> None:
    body = {"type": "checkpoint", "name": "dream.safetensors", "size": len(CHECKPOINT)}
    asset_id = uploaded(cloud, body, CHECKPOINT)["asset_id"]
    delete(cloud, asset_id)

    for name in ("dream", asset_id):
        job = {"task": "txt2img", "checkpoint": name, "params": {"prompt": "a boat"}}
        cloud.ask("POST", "/v1/jobs", job).problem(404, "asset_not_found")

    restore(cloud, asset_id).ok()
    cloud.ask("POST", "/v1/jobs", job).ok(201)


def test_what_is_restored_twice_or_was_not_deleted_stays_as_it_is(cloud: Cloud) -> None:
    active = uploaded(cloud)

    assert restore(cloud, active["asset_id"]).ok() == active
    delete(cloud, active["asset_id"])
    assert restore(cloud, active["asset_id"]).ok() == restore(cloud, active["asset_id"]).ok() == active


def test_only_the_owner_and_who_may_change_all_files_see_and_restore_a_deleted_one(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    delete(cloud, asset_id, user="root")

    restore(cloud, asset_id, user="bob").problem(404, "asset_not_found")
    assert listed(cloud, user="bob", deleted="true") == []
    assert listed(cloud, user="root", deleted="true") == listed(cloud, deleted="true") == [asset_id]
    assert restore(cloud, asset_id, user="root").ok()["owner"] == "alice"
    restore(cloud, asset_id, user="bob").problem(403, "forbidden")


def test_a_file_does_not_come_back_under_a_name_that_another_has_by_now(cloud: Cloud) -> None:
    first = uploaded(cloud)["asset_id"]
    delete(cloud, first)
    second = uploaded(cloud)["asset_id"]

    problem = restore(cloud, first).problem(409, "asset_exists")

    assert "ink.safetensors" in problem["detail"]
    cloud.ask("PATCH", f"/v1/assets/{second}", {"name": "second.safetensors"}).ok()
    assert restore(cloud, first).ok()["name"] == "ink.safetensors"
    assert sorted(listed(cloud)) == sorted([first, second])


@pytest.mark.parametrize("who", ["alice", "root"])
def test_a_deleted_file_counts_nothing_and_a_restored_one_needs_room_again(cloud: Cloud, who: str) -> None:
    size = len(LORA_FILE)
    allow(cloud, size)
    asset_id = uploaded(cloud)["asset_id"]
    delete(cloud, asset_id)
    assert owned(cloud) == 0
    other = uploaded(cloud, {**UPLOAD, "name": "other.safetensors"})["asset_id"]

    problem = restore(cloud, asset_id, user=who).problem(429, "quota_exceeded")

    assert f"quota asset_bytes ({size} bytes" in problem["detail"]
    assert owned(cloud) == size
    delete(cloud, other)
    restore(cloud, asset_id, user=who).ok()
    assert owned(cloud) == size


def test_after_its_days_the_sweep_deletes_bytes_picture_and_row(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"picture": PNG}).ok()
    delete(cloud, asset_id)
    cloud.clock.now += timedelta(days=DAYS, minutes=-1)
    sweep(cloud)
    assert len(leftovers(cloud)) == 2

    cloud.clock.now += timedelta(minutes=2)
    restore(cloud, asset_id).problem(404, "asset_not_found")
    sweep(cloud)

    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)
    restore(cloud, asset_id).problem(404, "asset_not_found")


def test_an_upload_that_is_not_complete_is_not_kept(cloud: Cloud) -> None:
    asset_id = begin(cloud)["asset_id"]
    put_part(cloud, asset_id, LORA_FILE)

    assert delete(cloud, asset_id)["status"] == "uploading"

    assert listed(cloud, deleted="true") == []
    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)


def test_where_nothing_is_kept_the_bytes_are_deleted_at_once(cloud: Cloud) -> None:
    cloud.services.__dict__["removal"] = AssetRemoval(cloud.uploads, lambda _: None, kept_days=0)
    asset_id = uploaded(cloud)["asset_id"]

    assert delete(cloud, asset_id)["status"] == "active"

    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)
    restore(cloud, asset_id).problem(404, "asset_not_found")
