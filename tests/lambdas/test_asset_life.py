"""An asset from its first part to its deletion: resumed, inspected, shared, renamed, imported, swept."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from generate_on_cloud.contract.jobs import JobStatus
from lambdas.assets.inspection import INSPECTION_RUNS, Inspection
from lambdas.assets.record import AssetRecord
from lambdas.assets.upload_storage import PART_SIZE
from lambdas.assets.work import AT_ONCE, ImportOrder
from lambdas.functions.asset_import import MOST_RUNS
from lambdas.functions.asset_inspection import AssetSweep
from tests.fetch.local_sites import Handler, Sites
from tests.lambdas.asset_imports import BIG, SMALL_PARTS, file_server, import_run, importing, look
from tests.lambdas.asset_uploads import (
    BUCKET,
    LORA_FILE,
    UPLOAD,
    begin,
    begun_uploads,
    complete,
    join_parts,
    leftovers,
    put_part,
    sweep,
    uploaded,
)
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.model_bytes import CHECKPOINT, safetensors_file, sha256_of

FLUX_FILE = safetensors_file(
    {
        "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (4, 3072),
        "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": (9216, 4),
    },
    {"ss_base_model_version": "sd_v1"},
)
CHECKED: dict[str, object] = {
    "type": "lora",
    "name": "ink.safetensors",
    "size": len(LORA_FILE),
    "checksum_algorithm": "SHA256",
}


def test_an_active_asset_tells_what_inspection_found(cloud: Cloud) -> None:
    active = uploaded(cloud)

    header = int.from_bytes(LORA_FILE[:8], "little") + 8
    assert active["hashes"] == {
        "sha256": sha256_of(LORA_FILE),
        "short": sha256_of(LORA_FILE)[:10],
        "autov3": sha256_of(LORA_FILE[header:]),
    }
    facts = (active["architecture"], active["network_kind"], active["rank"], active["trained_words"], active["alias"])
    assert facts == ("Stable Diffusion 1.x", "LoRA", 4, ["ink"], "inky")


def test_a_broken_off_upload_goes_on_with_the_parts_that_are_missing(cloud: Cloud) -> None:
    size = PART_SIZE + 10
    declared = {**UPLOAD, "size": size}
    first = begin(cloud, declared)
    put_part(cloud, first["asset_id"], b"0123456789", number=2)
    cloud.clock.now += timedelta(days=3)

    seen = cloud.ask("GET", f"/v1/assets/{first['asset_id']}").ok()["upload"]
    again = begin(cloud, declared)

    assert again["asset_id"] == first["asset_id"]
    for parts in (seen["parts"], again["upload"]["parts"]):
        assert [(part["received"], part["url"] is None) for part in parts] == [(False, False), (True, True)]
    assert len(cloud.s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1
    problem = complete(cloud, first["asset_id"]).problem(409, "upload_incomplete")
    assert problem["errors"][0]["message"] == "1 of 2 parts are missing: 1"


def test_a_part_of_the_wrong_size_is_named_and_can_be_sent_again(cloud: Cloud) -> None:
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], LORA_FILE[:-1])

    problem = complete(cloud, asset["asset_id"]).problem(409, "upload_incomplete")
    put_part(cloud, asset["asset_id"], LORA_FILE)

    assert "1 of 1 parts have the wrong size: 1" in problem["detail"]
    assert complete(cloud, asset["asset_id"]).ok()["status"] == "active"


@pytest.mark.parametrize(
    ("changes", "data", "said"),
    [
        ({"sha256": "0" * 64}, LORA_FILE, "its SHA-256 is"),
        ({"type": "checkpoint"}, LORA_FILE, "it holds a LoRA, not a checkpoint"),
        ({}, b"\xff" * len(LORA_FILE), "its header claims"),
        ({"size": len(FLUX_FILE), "sha256": sha256_of(FLUX_FILE)}, FLUX_FILE, "it is made for Flux; allowed: one for"),
    ],
)
def test_bytes_that_are_not_what_was_declared_fail_and_are_deleted(
    cloud: Cloud, changes: dict[str, object], data: bytes, said: str
) -> None:
    asset = begin(cloud, {**UPLOAD, **changes})
    put_part(cloud, asset["asset_id"], data)

    problem = complete(cloud, asset["asset_id"]).problem(422, "upload_mismatch")

    assert said in problem["detail"]
    assert said in cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()["error"]
    assert leftovers(cloud) == []
    assert uploaded(cloud)["status"] == "active"


def test_a_large_file_is_inspected_by_a_function_of_its_own(cloud: Cloud) -> None:
    asset = begin(cloud)
    record = cloud.assets.get(asset["asset_id"])
    assert record is not None

    waiting = cloud.work.start_inspection(replace(record, size=AT_ONCE + 1))

    assert waiting.status == "uploading"
    assert cloud.functions.called == [("inspection", {"asset_id": asset["asset_id"]})]


def test_an_inspection_that_died_is_done_by_the_sweep(cloud: Cloud) -> None:
    asset = begin(cloud)
    record = cloud.assets.get(asset["asset_id"])
    assert record is not None
    put_part(cloud, record.asset_id, LORA_FILE)
    join_parts(cloud, record.asset_id)
    cloud.transitions.mark_inspecting(record, size=record.size, now=cloud.clock.now)

    sweep(cloud)
    before = cloud.ask("GET", f"/v1/assets/{record.asset_id}").ok()["status"]
    cloud.clock.now += timedelta(minutes=21)
    sweep(cloud)

    assert before == "inspecting"
    assert cloud.ask("GET", f"/v1/assets/{record.asset_id}").ok()["status"] == "active"


def lost_inspection(cloud: Cloud, data: bytes = LORA_FILE) -> AssetRecord:
    """An asset whose inspection was begun and is heard of no more."""
    asset = begin(cloud)
    record = cloud.assets.get(asset["asset_id"])
    assert record is not None
    cloud.s3.put_object(Bucket=BUCKET, Key=record.key, Body=data)
    inspecting = cloud.transitions.mark_inspecting(record, size=record.size, now=cloud.clock.now)
    assert inspecting is not None
    return inspecting


class Endless(Inspection):
    """Never comes to an end within its run."""

    def run(self, asset: AssetRecord) -> AssetRecord | None:
        return asset


def test_an_inspection_that_never_ends_fails_after_three_runs_with_the_reason(cloud: Cloud) -> None:
    asset = lost_inspection(cloud)
    endless = Endless(cloud.transitions, cloud.s3, BUCKET, now=cloud.clock.moment)
    sweeper = AssetSweep(cloud.transitions, endless, cloud.s3, BUCKET, now=cloud.clock.moment)
    seen = []

    for _ in range(INSPECTION_RUNS):
        cloud.clock.now += timedelta(minutes=21)
        sweeper.run(lambda: 900.0)
        now = cloud.assets.get(asset.asset_id)
        assert now is not None
        seen.append((now.status.value, now.inspections))
        sweeper.run(lambda: 900.0)  # a run that was begun just now is not begun again

    assert seen == [("inspecting", 2), ("inspecting", 3), ("failed", 3)]
    error = cloud.ask("GET", f"/v1/assets/{asset.asset_id}").ok()["error"]
    assert error == f"its inspection did not finish in 3 runs: storage is too slow for {len(LORA_FILE)} bytes"
    assert leftovers(cloud) == begun_uploads(cloud)


def test_who_completes_an_upload_whose_inspection_was_lost_has_it_begun_again_thrice_at_most(cloud: Cloud) -> None:
    asset = replace(lost_inspection(cloud), size=AT_ONCE + 1)
    cloud.clock.now += timedelta(minutes=21)

    second = cloud.work.restart_inspection(asset)
    third = cloud.work.restart_inspection(replace(second, inspections=2))
    failed = cloud.work.restart_inspection(replace(third, inspections=3))

    order = ("inspection", {"asset_id": asset.asset_id})
    assert cloud.functions.called == [order, order]
    assert failed.status == "failed"


def test_an_inspection_is_not_begun_in_time_that_its_file_cannot_do_with(cloud: Cloud) -> None:
    asset = lost_inspection(cloud)
    cloud.dynamodb.update_item(
        TableName="assets",
        Key={"asset_id": {"S": asset.asset_id}},
        UpdateExpression="SET #size = :size",
        ExpressionAttributeNames={"#size": "size"},
        ExpressionAttributeValues={":size": {"N": str(20 * 10**9)}},
    )
    cloud.clock.now += timedelta(minutes=21)
    sweeper = cloud.asset_sweep

    sweeper.run(lambda: 400.0)
    left = cloud.assets.get(asset.asset_id)
    sweeper.run(lambda: 600.0)
    done = cloud.assets.get(asset.asset_id)

    assert left is not None
    assert (left.status, left.inspections) == ("inspecting", 1)
    assert done is not None
    assert done.status == "failed"


def test_parts_with_checksums_get_urls_that_hold_storage_to_them(cloud: Cloud) -> None:
    asset = begin(cloud, CHECKED)
    path = f"/v1/assets/{asset['asset_id']}"

    signed = cloud.ask("POST", f"{path}/parts", {"parts": [{"part_number": 1, "sha256": sha256_of(LORA_FILE)}]}).ok()

    (part,) = signed["parts"]
    query = parse_qs(urlsplit(part["url"]).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;host;x-amz-checksum-sha256"]
    checksum = base64.b64encode(bytes.fromhex(sha256_of(LORA_FILE))).decode()
    assert part["headers"] == {"x-amz-checksum-sha256": checksum}
    assert asset["upload"]["checksum_algorithm"] == "SHA256"
    assert [(one["url"], one["received"]) for one in asset["upload"]["parts"]] == [(None, False)]


@pytest.mark.parametrize(
    ("body", "part", "status", "code"),
    [
        ({"checksum_algorithm": "SHA256"}, 2, 422, "invalid_params"),
        ({"checksum_algorithm": "SHA256"}, 0, 422, "invalid_params"),
        ({}, 1, 422, "invalid_params"),
    ],
)
def test_checksums_of_what_is_no_part_of_such_an_upload_are_refused(
    cloud: Cloud, body: dict[str, object], part: int, status: int, code: str
) -> None:
    asset_id = begin(cloud, UPLOAD | body)["asset_id"]

    reply = cloud.ask("POST", f"/v1/assets/{asset_id}/parts", {"parts": [{"part_number": part, "sha256": "0" * 64}]})

    reply.problem(status, code)


def test_an_import_has_no_checksums_of_parts(cloud: Cloud) -> None:
    body = UPLOAD | {"checksum_algorithm": "SHA256", "source_url": "https://models.example/ink.safetensors"}

    cloud.ask("POST", "/v1/assets", body).problem(422, "invalid_params")


def test_an_upload_with_checksums_goes_on_without_a_hash_of_the_whole_file(cloud: Cloud) -> None:
    first = begin(cloud, CHECKED)

    again = begin(cloud, CHECKED)
    of_another_size = begin(cloud, CHECKED | {"size": len(LORA_FILE) + 1})

    assert again["asset_id"] == first["asset_id"]
    assert of_another_size["asset_id"] != first["asset_id"]


@pytest.mark.parametrize(("said", "status"), [(LORA_FILE, "active"), (b"something else", "failed")])
def test_a_hash_that_is_declared_at_the_end_is_compared(cloud: Cloud, said: bytes, status: str) -> None:
    asset_id = begin(cloud, CHECKED)["asset_id"]
    put_part(cloud, asset_id, LORA_FILE)

    cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {"sha256": sha256_of(said)})

    assert cloud.ask("GET", f"/v1/assets/{asset_id}").ok()["status"] == status


def test_two_different_hashes_of_one_upload_are_refused_and_it_can_go_on(cloud: Cloud) -> None:
    asset_id = begin(cloud)["asset_id"]
    put_part(cloud, asset_id, LORA_FILE)

    refused = cloud.ask("POST", f"/v1/assets/{asset_id}/complete", {"sha256": "0" * 64})

    refused.problem(422, "invalid_params")
    assert complete(cloud, asset_id).ok()["status"] == "active"


def test_a_list_of_one_size_has_no_other_files(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]

    found = [
        cloud.ask("GET", "/v1/assets", query={"size": str(len(LORA_FILE) + more)}).ok()["assets"] for more in (0, 1)
    ]

    assert [[asset["asset_id"] for asset in assets] for assets in found] == [[asset_id], []]


def test_an_upload_that_never_ends_frees_its_name_after_a_week(cloud: Cloud) -> None:
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], LORA_FILE)
    cloud.clock.now += timedelta(days=7, seconds=1)

    sweep(cloud)

    assert cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()["error"] == "not completed within 7 days"
    assert leftovers(cloud) == []
    begin(cloud, user="bob")


def test_bytes_that_are_there_are_found_by_hash_by_those_who_may_use_them(cloud: Cloud) -> None:
    active = uploaded(cloud, {**UPLOAD, "users": ["carol"]})
    path = f"/v1/assets/by-hash/{sha256_of(LORA_FILE)}"

    assert [asset["asset_id"] for asset in cloud.ask("GET", path).ok()["assets"]] == [active["asset_id"]]
    assert cloud.ask("GET", path, user="bob").ok()["assets"] == []
    cloud.ask("GET", "/v1/assets/by-hash/abc").problem(422, "invalid_params")


def test_a_restricted_asset_looks_to_others_as_if_there_were_none(cloud: Cloud) -> None:
    body = {"type": "checkpoint", "name": "dream.safetensors", "size": len(CHECKPOINT), "users": ["carol"]}
    asset_id = uploaded(cloud, body, CHECKPOINT)["asset_id"]

    cloud.ask("GET", f"/v1/assets/{asset_id}", user="bob").problem(404, "asset_not_found")
    assert cloud.ask("GET", "/v1/assets", user="bob").ok()["assets"] == []
    problem = cloud.ask("POST", "/v1/jobs", txt2img(), user="bob").problem(404, "asset_not_found")
    assert "no checkpoint is uploaded yet" in problem["errors"][0]["message"]
    cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"users": ["bob"]}).ok()
    assert cloud.ask("POST", "/v1/jobs", txt2img(), user="bob").ok(201)["status"] == "queued"


def test_an_asset_is_renamed_described_and_tagged(cloud: Cloud) -> None:
    asset_id = uploaded(cloud)["asset_id"]
    change = {"name": "wet ink.safetensors", "description": "drawings", "tags": ["ink", "ink", "wet"]}
    change |= {"trained_words": ["wet ink", "ink style"]}

    changed = cloud.ask("PATCH", f"/v1/assets/{asset_id}", change).ok()

    assert (changed["name"], changed["description"], changed["tags"]) == (change["name"], "drawings", ["ink", "wet"])
    assert changed["trained_words"] == ["wet ink", "ink style"]
    assert cloud.ask("GET", f"/v1/assets/{asset_id}").ok() == changed
    assert cloud.ask("PATCH", f"/v1/assets/{asset_id}", {"trained_words": []}).ok()["trained_words"] == []
    begin(cloud)  # the old name is free


@pytest.mark.parametrize(
    ("change", "user", "status", "code"),
    [
        ({"name": "taken.safetensors"}, "alice", 409, "asset_exists"),
        ({"name": "ink.pt"}, "alice", 422, "invalid_params"),
        ({"name": "../ink.safetensors"}, "alice", 422, "invalid_params"),
        ({"description": "mine"}, "bob", 403, "forbidden"),
    ],
)
def test_a_change_that_is_not_good_changes_nothing(
    cloud: Cloud, change: dict[str, object], user: str, status: int, code: str
) -> None:
    active = uploaded(cloud)
    cloud.asset("lora", "taken.safetensors")

    cloud.ask("PATCH", f"/v1/assets/{active['asset_id']}", change, user=user).problem(status, code)

    assert cloud.ask("GET", f"/v1/assets/{active['asset_id']}").ok() == active


def test_an_asset_in_use_is_not_deleted_before_its_job_has_ended(cloud: Cloud) -> None:
    body = {"type": "checkpoint", "name": "dream.safetensors", "size": len(CHECKPOINT)}
    asset_id = uploaded(cloud, body, CHECKPOINT)["asset_id"]
    job_id = cloud.ask("POST", "/v1/jobs", txt2img(), user="bob").ok(201)["job_id"]

    problem = cloud.ask("DELETE", f"/v1/assets/{asset_id}").problem(409, "asset_in_use")
    job = cloud.jobs.get(job_id)
    assert job is not None
    cloud.job_transitions.finish(job, JobStatus.CANCELED, now=cloud.clock.moment(), allowed=(JobStatus.QUEUED,))

    assert job_id in problem["detail"]
    cloud.ask("DELETE", f"/v1/assets/{asset_id}", user="bob").problem(403, "forbidden")
    cloud.ask("DELETE", f"/v1/assets/{asset_id}").ok()
    cloud.ask("GET", f"/v1/assets/{asset_id}").problem(404, "asset_not_found")
    cloud.clock.now += timedelta(days=8)
    sweep(cloud)
    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)


def test_a_deletion_that_stopped_half_way_is_ended_by_the_sweep(cloud: Cloud) -> None:
    record = cloud.assets.get(uploaded(cloud)["asset_id"])
    assert record is not None
    assert cloud.transitions.retire(record)

    sweep(cloud)

    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)


def test_an_unfinished_upload_can_be_broken_off(cloud: Cloud) -> None:
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], LORA_FILE)

    cloud.ask("DELETE", f"/v1/assets/{asset['asset_id']}").ok()

    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)


def test_a_file_is_imported_with_the_token_for_its_own_host_only(cloud: Cloud, sites: Sites) -> None:
    url = sites.redirect("/a", sites.url("/b", host="cdn.example"))
    sites.on("/b", file_server(BIG))
    order = importing(cloud, url, bearer_token="hush-hush", sha256=sha256_of(BIG))

    again = import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: 900.0)

    active = look(cloud, order)
    assert not again
    assert (active["status"], active["size"], active["source"]) == ("active", len(BIG), "models.example")
    assert [asked.headers.get("authorization") for asked in sites.asked] == ["Bearer hush-hush", None]
    assert "hush" not in json.dumps(cloud.dynamodb.scan(TableName="assets")["Items"])
    assert "hush" not in repr(order)


def test_an_import_that_never_gets_done_is_given_up_after_its_last_run(cloud: Cloud, sites: Sites) -> None:
    """Lambda lets the function invoke itself for as long as it likes."""
    order = importing(cloud, sites.url("/slow"))
    run, worker = import_run(cloud, sites.fetch), "run 1"

    while run.run(order, worker=worker, time_left=lambda: 0.0):
        run.work.fetch_on(order, before=worker)
        (_, following) = cloud.functions.called.pop()
        order = ImportOrder.model_validate(following)
        worker = f"run {order.number}"

    failed = look(cloud, order)
    assert order.number == MOST_RUNS
    assert failed["status"] == "failed"
    assert "did not give all of it in 96 runs" in failed["error"]


def test_an_import_goes_on_in_another_run_and_tells_how_far_it_is(cloud: Cloud, sites: Sites) -> None:
    order = importing(cloud, sites.on("/a", file_server(BIG)))
    times = iter([900.0, 900.0, 0.0, 0.0])
    run = import_run(cloud, sites.fetch)

    assert run.run(order, worker="first", time_left=lambda: next(times))
    progress = look(cloud, order)
    stranger = run.run(order, worker="stranger", time_left=lambda: 900.0)
    between = look(cloud, order)["status"]
    run.run(order.model_copy(update={"before": "first"}), worker="second", time_left=lambda: 900.0)

    assert (progress["received"], progress["size"]) == (SMALL_PARTS, len(BIG))
    assert (stranger, between) == (False, "importing")
    assert look(cloud, order)["status"] == "active"
    assert sites.asked[-1].headers["range"] == f"bytes={SMALL_PARTS}-"


@pytest.mark.parametrize("ranges", [True, False])
def test_an_import_that_breaks_off_is_tried_again_from_its_last_whole_part(
    cloud: Cloud, sites: Sites, ranges: bool
) -> None:
    cut = [SMALL_PARTS + 7, 2 * SMALL_PARTS if not ranges else 9]
    order = importing(cloud, sites.on("/a", file_server(BIG, ranges=ranges, cut=cut)), sha256=sha256_of(BIG))

    import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: 900.0)

    assert look(cloud, order)["status"] == "active"
    assert len(sites.asked) == 3


def test_a_source_that_changes_its_file_half_way_is_not_mixed(cloud: Cloud, sites: Sites) -> None:
    url = sites.on("/a", file_server(BIG, cut=[SMALL_PARTS + 1]))
    order = importing(cloud, url)
    first = sites.answers["/a"]

    def changing(handler: Handler) -> None:
        sites.answers["/a"] = file_server(BIG, etag='"2"')
        first(handler)

    sites.on("/a", changing)
    import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: 900.0)

    assert "the file at the source changed during the import" in look(cloud, order)["error"]
    assert leftovers(cloud) == []


@pytest.mark.parametrize(
    ("answer", "more", "said"),
    [
        (lambda handler: handler.answer(status=404), {}, "answered 404"),
        (lambda handler: handler.answer(status=503), {}, "answered 503"),
        (lambda handler: handler.answer(b""), {}, "the file at the source is empty"),
        (lambda handler: handler.answer(b"<html>"), {}, "it is a web page (HTML)"),
        (lambda handler: handler.answer(status=302, Location="https://10.0.0.1/"), {}, "must not be contacted"),
        (lambda handler: handler.answer(LORA_FILE), {"size": 5}, "expected: 5, as declared"),
        (lambda handler: handler.answer(LORA_FILE), {"sha256": "0" * 64}, "its SHA-256 is"),
        (lambda handler: handler.answer(LORA_FILE, Content_Length=str(9 * 1024**3)), {}, "9663676416"),
    ],
)
def test_an_import_that_is_not_good_fails_with_the_reason_and_leaves_nothing(
    cloud: Cloud, sites: Sites, answer: Any, more: dict[str, object], said: str
) -> None:
    sites.addresses["10.0.0.1"] = ["10.0.0.1"]
    order = importing(cloud, sites.on("/a", answer), **more)

    import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: 900.0)

    failed = look(cloud, order)
    assert failed["status"] == "failed"
    assert said in failed["error"]
    assert leftovers(cloud) == []


def test_an_import_whose_runs_are_dead_is_ended_by_the_sweep(cloud: Cloud, sites: Sites) -> None:
    order = importing(cloud, sites.on("/a", file_server(BIG)))
    times = iter([900.0, 900.0, 0.0, 0.0])
    import_run(cloud, sites.fetch).run(order, worker="w", time_left=lambda: next(times))
    cloud.clock.now += timedelta(minutes=6)

    sweep(cloud)

    assert look(cloud, order)["error"] == "the import was interrupted; start it again"
    assert leftovers(cloud) == []


def test_an_import_that_is_broken_off_stops_and_leaves_nothing(cloud: Cloud, sites: Sites) -> None:
    order = importing(cloud, "https://models.example/a")
    deleted = False

    def answer(handler: Handler) -> None:
        nonlocal deleted
        if not deleted:
            cloud.ask("DELETE", f"/v1/assets/{order.asset_id}").ok()
            deleted = True
        handler.answer(status=503)

    run = import_run(cloud, sites.fetch)
    again = run.run(order.model_copy(update={"url": sites.on("/a", answer)}), worker="w", time_left=lambda: 900.0)

    assert not again
    assert len(sites.asked) == 1
    assert (leftovers(cloud), cloud.rows("assets")) == ([], 0)


@pytest.mark.parametrize(
    "changes",
    [{"source_url": "http://models.example/a"}, {"source_url": "https://0x7f.1/a"}, {"bearer_token": "a"}, {}],
)
def test_a_declared_import_that_is_not_good_is_refused(cloud: Cloud, changes: dict[str, object]) -> None:
    body = {"type": "lora", "name": "a.safetensors", **changes}

    cloud.ask("POST", "/v1/assets", body).problem(422, "invalid_params")

    assert (leftovers(cloud), cloud.rows("assets"), cloud.functions.called) == ([], 0, [])
