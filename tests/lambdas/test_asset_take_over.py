"""An unfinished upload whose name a newer one takes, with a crash between any two calls of that."""

import itertools
from datetime import timedelta

import pytest

from tests.lambdas.asset_uploads import (
    BUCKET,
    LORA_FILE,
    UPLOAD,
    begin,
    begun_uploads,
    complete,
    join_parts,
    put_part,
    sweep,
)
from tests.lambdas.cloud import Aws, Cloud, before_call, open_cloud
from tests.lambdas.crashes import crash_after

OTHER_BYTES = {**UPLOAD, "sha256": "0" * 64}


@pytest.mark.parametrize("taker", ["alice", "bob"])
@pytest.mark.parametrize("joined", [False, True], ids=["parts", "joined"])
def test_after_a_crash_anywhere_in_a_take_over_the_sweep_leaves_no_bytes_and_no_rows_of_the_old_upload(
    aws: Aws, joined: bool, taker: str
) -> None:
    for calls in itertools.count():
        with open_cloud(aws) as cloud:
            old = begin(cloud)["asset_id"]
            put_part(cloud, old, LORA_FILE)
            if joined:
                join_parts(cloud, old)
            cloud.clock.now += timedelta(hours=25)
            with crash_after(cloud, calls) as left:
                begin(cloud, OTHER_BYTES, user=taker)
            names_before_sweep = {asset.asset_id for asset in cloud.all_assets()}
            cloud.clock.now += timedelta(days=8)
            sweep(cloud)
            sweep(cloud)

            assert cloud.keys(BUCKET) == [], f"after {calls} calls"
            assert not [key for key in begun_uploads(cloud) if old in key], f"after {calls} calls"
            assert {asset.status for asset in cloud.all_assets()} <= {"failed"}
            assert [cloud.transitions.owned.of(user) for user in ("alice", taker)] == [0, 0]
        if not left.crashed:
            break
    assert calls > 5
    assert old not in names_before_sweep


def test_a_take_over_leaves_only_the_new_upload(cloud: Cloud) -> None:
    old = begin(cloud)["asset_id"]
    put_part(cloud, old, LORA_FILE)
    join_parts(cloud, old)

    new = begin(cloud, OTHER_BYTES)["asset_id"]

    cloud.ask("GET", f"/v1/assets/{old}").problem(404, "asset_not_found")
    assert cloud.keys(BUCKET) == []
    assert [asset.asset_id for asset in cloud.all_assets()] == [new]


def test_parts_joined_while_their_upload_is_given_up_are_deleted(cloud: Cloud) -> None:
    asset_id = begin(cloud)["asset_id"]
    put_part(cloud, asset_id, LORA_FILE)
    record = cloud.assets.get(asset_id)
    assert record is not None

    with before_call(cloud.dynamodb, "dynamodb.UpdateItem", lambda: cloud.transitions.retire(record)):
        problem = complete(cloud, asset_id).problem(422, "upload_mismatch")

    assert problem["detail"] == "The upload failed: deleted. Start again with POST /v1/assets."
    assert cloud.keys(BUCKET) == []
