"""Rows 20 to 33 of the survey: people, quotas and costs; model files on their way in."""

import os
import pickle
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.contract.jobs import JobStatus
from tests.lambdas.asset_uploads import LORA_FILE, UPLOAD, begin, complete, put_part, uploaded
from tests.lambdas.cloud import Cloud, txt2img
from tests.lambdas.limited_users import limit, send, use_of
from tests.lambdas.model_bytes import sha256_of
from tests.lambdas.people import later, make_key, make_role, make_user, with_key


@pytest.mark.parametrize(
    "headers", [lambda key: {"x-api-key": key}, lambda key: {"Authorization": f"Bearer {key}"}], ids=["key", "bearer"]
)
def test_row_20_people_have_keys_that_end_and_can_be_locked_out(
    cloud: Cloud, headers: Callable[[str], dict[str, str]]
) -> None:
    key = make_user(cloud, "ada")
    who: dict[str, Any] = {"user": None, "headers": headers(key)}
    signed_in = cloud.ask("POST", "/v1/sessions", {}, **who).ok(201)
    assert cloud.ask("GET", "/v1/me", **who).ok()["user"] == "ada"
    assert cloud.ask("GET", "/v1/me", **with_key(signed_in["key"])).ok()["user"] == "ada"

    cloud.ask("PATCH", "/v1/users/ada", {"disabled": True}, user="root").ok()
    later(cloud)
    assert cloud.ask("GET", "/v1/me", **who).status in (401, 403)
    cloud.ask("PATCH", "/v1/users/ada", {"disabled": False}, user="root").ok()
    later(cloud)
    assert cloud.ask("GET", "/v1/me", **who).status == 200


def test_row_21_a_role_or_a_narrow_key_does_only_what_it_names_and_lists_nothing_else(cloud: Cloud) -> None:
    make_role(cloud, "viewer", "inference:list")
    viewer = with_key(make_user(cloud, "eve", "viewer"))
    narrow = with_key(make_key(cloud, "alice", permissions=["inference:create"]))
    job_id = send(cloud).ok(201)["job_id"]

    refused = cloud.ask("POST", "/v1/jobs", txt2img(), **viewer).problem(403, "forbidden")
    assert "inference:create" in refused["detail"]
    assert cloud.ask("GET", f"/v1/jobs/{job_id}", **viewer).status == 404
    assert cloud.ask("POST", "/v1/jobs", txt2img(), **narrow).status == 201
    cloud.ask("GET", "/v1/jobs", **narrow).problem(403, "forbidden")
    cloud.ask("GET", "/v1/assets", **narrow).problem(403, "forbidden")


def test_row_22_what_is_used_and_left_of_a_quota_is_known_before_it_is_hit(cloud: Cloud) -> None:
    limit(cloud, jobs_per_day=2, usd_per_month=5)

    first = send(cloud)
    use = use_of(cloud)
    send(cloud).ok(201)
    refused = send(cloud)

    assert '"jobs_per_day";r=1;' in first.headers["RateLimit"]
    assert (use["jobs_per_day"]["used"], use["jobs_per_day"]["left"]) == (1, 1)
    assert use["usd_per_month"]["limit"] == 5
    assert "jobs_per_day" in refused.problem(429, "quota_exceeded")["detail"]
    assert int(refused.headers["Retry-After"]) > 0


def test_row_23_a_model_that_is_anothers_looks_as_if_there_were_none(cloud: Cloud) -> None:
    asset = uploaded(cloud)
    cloud.ask("PATCH", f"/v1/assets/{asset['asset_id']}", {"users": ["alice"]}).ok()
    prompt = {"prompt": "<lora:ink:1> a cat"}

    assert cloud.ask("POST", "/v1/jobs", txt2img(**prompt)).status == 201
    refused = cloud.ask("POST", "/v1/jobs", txt2img(**prompt), user="bob")
    assert refused.status == 404
    assert "ink" in refused.text
    names = [one["name"] for one in cloud.ask("GET", "/v1/assets", user="bob").ok()["assets"]]
    assert "ink.safetensors" not in names


def test_row_23_a_role_may_be_limited_to_listed_models(cloud: Cloud) -> None:
    uploaded(cloud)
    body = {"name": "trainee", "permissions": ["inference:create", "asset:list"], "assets": ["dream"]}
    cloud.ask("POST", "/v1/roles", body, user="root").ok(201)
    who = with_key(make_user(cloud, "tim", "trainee"))

    assert cloud.ask("POST", "/v1/jobs", txt2img(), **who).status == 201
    refused = cloud.ask("POST", "/v1/jobs", txt2img(prompt="<lora:ink:1> a cat"), **who)
    assert "your role 'trainee' may use: dream" in refused.problem(404, "asset_not_found")["detail"]
    assert [one["name"] for one in cloud.ask("GET", "/v1/assets", **who).ok()["assets"]] == ["dream.safetensors"]


def ran(cloud: Cloud, seconds: float, work: int) -> str:
    job = cloud.job(megapixel_steps=Decimal(work), checkpoint="dream.safetensors")
    cloud.run(job.job_id)
    running = cloud.jobs.get(job.job_id)
    assert running is not None
    assert running.started_at is not None
    ended = cloud.job_transitions.finish(
        running, JobStatus.SUCCEEDED, now=running.started_at + timedelta(seconds=seconds)
    )
    assert ended is not None
    cloud.outcomes.run_times.note(ended, starting=0.0)
    cloud.clock.now += timedelta(seconds=61)
    return job.job_id


def test_row_24_a_dry_run_says_seconds_price_and_whether_a_gpu_must_start(cloud: Cloud) -> None:
    ran(cloud, 10, 2)
    ran(cloud, 20, 4)

    view = cloud.ask("POST", "/v1/jobs", txt2img() | {"dry_run": True}).ok()

    estimate = view["estimate"]
    assert estimate["seconds_low"] < estimate["seconds"] < estimate["seconds_high"]
    assert estimate["cost_usd"] == pytest.approx(estimate["seconds"] * 1.8 / 3600, rel=0.01)
    assert estimate["wakes_gpu"] is True
    assert cloud.endpoint.invoked == []


@pytest.mark.parametrize(("by", "name"), [("model", "dream.safetensors"), ("endpoint", "artists"), ("user", "alice")])
def test_row_25_a_job_has_its_cost_and_a_month_is_summed_up_by_model_endpoint_and_user(
    cloud: Cloud, by: str, name: str
) -> None:
    job_id = ran(cloud, 20, 4)

    cost = cloud.ask("GET", f"/v1/jobs/{job_id}").ok()["cost_usd"]
    page = cloud.ask("GET", "/v1/usage", query={"by": by, "everyone": "true"}, user="root").ok()

    assert cost == pytest.approx(20 * 1.8 / 3600, rel=0.01)
    assert [(group["key"], group["jobs"]) for group in page["groups"]] == [(name, 1)]


def test_row_26_a_file_goes_up_in_parts_to_presigned_urls(cloud: Cloud) -> None:
    size = 150 * 1024**2
    upload = begin(cloud, {"type": "lora", "name": "big.safetensors", "size": size, "sha256": "0" * 64})["upload"]

    assert [part["size"] for part in upload["parts"]] == [64 * 1024**2, 64 * 1024**2, 22 * 1024**2]
    assert all("Signature" in part["url"] for part in upload["parts"])


def test_row_27_an_upload_that_broke_off_says_how_far_it_is_and_goes_on(cloud: Cloud) -> None:
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], LORA_FILE)

    shown = cloud.ask("GET", f"/v1/assets/{asset['asset_id']}").ok()
    again = cloud.ask("POST", "/v1/assets", UPLOAD).ok(201)

    assert [part["received"] for part in shown["upload"]["parts"]] == [True]
    assert again["asset_id"] == asset["asset_id"]
    assert complete(cloud, asset["asset_id"]).ok()["status"] == "active"


def test_row_28_an_import_by_url_is_paused_and_goes_on(cloud: Cloud) -> None:
    # Civitai's and Hugging Face's shorthands: tests/lambdas/test_import_sources.py.
    source = {"source_url": "https://models.example.com/ink.safetensors"}
    asset_id = cloud.ask("POST", "/v1/assets", {"type": "lora", **source}).ok(201)["asset_id"]

    paused = cloud.ask("POST", f"/v1/assets/{asset_id}/pause").ok()
    resumed = cloud.ask("POST", f"/v1/assets/{asset_id}/resume", {**source, "bearer_token": "t"}).ok()

    assert (paused["status"], paused["paused"], resumed["paused"]) == ("importing", True, False)
    assert [order["asset_id"] for _, order in cloud.functions.called] == [asset_id] * 2
    assert cloud.functions.called[1][1]["token"] == "t"


def test_row_29_bytes_that_are_there_are_found_by_their_hash(cloud: Cloud) -> None:
    asset = uploaded(cloud)

    found = cloud.ask("GET", f"/v1/assets/by-hash/{sha256_of(LORA_FILE)}", user="bob").ok()["assets"]

    assert [one["asset_id"] for one in found] == [asset["asset_id"]]


def test_row_30_a_file_that_is_not_what_was_declared_is_refused_with_both_hashes(cloud: Cloud) -> None:
    wrong = LORA_FILE[:-1] + b"\0"
    asset = begin(cloud)
    put_part(cloud, asset["asset_id"], wrong)

    detail = complete(cloud, asset["asset_id"]).problem(422, "upload_mismatch")["detail"]

    assert sha256_of(wrong) in detail
    assert sha256_of(LORA_FILE) in detail


class _Harm:
    def __init__(self, harmed: Path) -> None:
        self.harmed = harmed

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.harmed}",)


@pytest.mark.parametrize("name", ["ink.pt", "ink.ckpt", "ink.safetensors"])
def test_row_31_a_pickle_that_would_run_a_program_is_refused_and_runs_nothing(
    cloud: Cloud, tmp_path: Path, name: str
) -> None:
    harmed = tmp_path / "harmed"
    data = pickle.dumps(_Harm(harmed))
    body: dict[str, object] = {"type": "lora", "name": name, "size": len(data), "sha256": sha256_of(data)}
    asset = begin(cloud, body)
    put_part(cloud, asset["asset_id"], data)

    complete(cloud, asset["asset_id"]).problem(422, "upload_mismatch")
    assert not harmed.exists()
    pickle.loads(data)
    assert harmed.exists()  # the file would have done it


@pytest.mark.parametrize(
    ("kind", "name", "params"),
    [
        ("lora", "ink.safetensors", {"prompt": "<lora:ink:1> cat"}),
        ("embedding", "sunny.pt", {"prompt": "a sunny cat"}),
        ("vae", "soft.safetensors", {"override_settings": {"sd_vae": "soft"}}),
    ],
)
def test_row_32_loras_embeddings_and_vaes_are_used_where_a_request_names_them(
    cloud: Cloud, kind: str, name: str, params: dict[str, object]
) -> None:
    cloud.asset(kind, name)

    models = cloud.ask("POST", "/v1/jobs", txt2img(**params)).ok(201)["models"]

    assert (kind, name) in [(model["type"], model["name"]) for model in models]


def test_row_33_hypernetworks_are_used_too(cloud: Cloud) -> None:
    cloud.asset("hypernetwork", "hearts.pt")

    models = cloud.ask("POST", "/v1/jobs", txt2img(prompt="<hypernet:hearts:1> cat")).ok(201)["models"]

    assert AssetType.HYPERNETWORK in [model["type"] for model in models]
