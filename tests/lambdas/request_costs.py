"""How many AWS calls each request takes, in a function that has served one like it: the rows of a test and a benchmark.

Calls to SQS and to Lambda count too. The key is known (one call a minute), and so is who held the names of the files.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.lambdas.asset_uploads import LORA_FILE, UPLOAD, begin, put_part, uploaded
from tests.lambdas.cloud import Cloud, Reply, txt2img

_numbers = count()
PROMPT = "<lora:ink:1> <lora:line:0.5> <hypernet:moody:1> a cat"


@dataclass(frozen=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: object = None
    query: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    user: str = "alice"

    def send(self, cloud: Cloud) -> Reply:
        return cloud.ask(
            self.method, self.path, self.body, user=self.user, query=self.query, headers=self.headers or None
        )


@dataclass(frozen=True)
class RequestCost:
    name: str
    calls: int
    status: int
    prepare: Callable[[Cloud], Ask]
    """Makes what the request is about; uncounted."""

    def measured(self, cloud: Cloud) -> int:
        """Calls of the second such request.

        Raises:
            AssertionError: it was not answered as it should be.
        """
        for _ in range(2):
            ask = self.prepare(cloud)
            counted(cloud)
            reply = ask.send(cloud)
            assert reply.status == self.status, reply.text
        return counted(cloud)


def counted(cloud: Cloud) -> int:
    """AWS calls since the last time this was asked, those of the fakes included."""
    total = cloud.counted() + len(cloud.queue.sent) + len(cloud.functions.called)
    cloud.queue.sent.clear()
    cloud.functions.called.clear()
    return total


def furnish(cloud: Cloud) -> None:
    """The files that the requests name, and a few jobs."""
    cloud.checkpoint()
    for kind, name in (
        ("vae", "fine.safetensors"),
        ("lora", "ink.safetensors"),
        ("lora", "line.safetensors"),
        ("hypernetwork", "moody.pt"),
        ("embedding", "cat.safetensors"),
    ):
        cloud.asset(kind, name)
    for _ in range(3):
        cloud.job()
        _succeeded(cloud)
    cloud.ask("GET", "/v1/jobs", query={"limit": "1"}).ok()  # the cursors' secret is made once in a deployment


def _get(path: str, user: str = "alice", **query: str) -> Callable[[Cloud], Ask]:
    return lambda _: Ask("GET", path, query=query or None, user=user)


def _post(path: str, body: dict[str, Any]) -> Callable[[Cloud], Ask]:
    return lambda _: Ask("POST", path, body)


def _fresh_key(_: Cloud) -> Ask:
    return Ask("POST", "/v1/jobs", txt2img(), headers={"Idempotency-Key": f"key-{next(_numbers)}"})


def _used_key(cloud: Cloud) -> Ask:
    ask = _fresh_key(cloud)
    ask.send(cloud).ok(201)
    return ask


def _succeeded(cloud: Cloud) -> str:
    job = cloud.job()
    cloud.put_result(job.job_id)
    cloud.write(job.job_id, status="succeeded", output_key=f"endpoint-output/{job.job_id}.out")
    return f"/v1/jobs/{job.job_id}"


def _unchanged(cloud: Cloud) -> Ask:
    path = _succeeded(cloud)
    tag = cloud.ask("GET", path).headers["ETag"]
    return Ask("GET", path, headers={"If-None-Match": tag})


def _waiting(cloud: Cloud) -> Ask:
    return Ask("GET", f"/v1/jobs/{cloud.job().job_id}", query={"wait": "2"})


def _running(cloud: Cloud) -> str:
    job = cloud.job()
    cloud.run(job.job_id)
    return f"/v1/jobs/{job.job_id}"


def _retry(cloud: Cloud) -> Ask:
    sent = cloud.ask("POST", "/v1/jobs", txt2img()).ok(201)["job_id"]
    cloud.ask("POST", f"/v1/jobs/{sent}/cancel").ok()
    return Ask("POST", f"/v1/jobs/{sent}/retry")


def _new_asset(_: Cloud) -> Ask:
    return Ask("POST", "/v1/assets", {**UPLOAD, "name": f"new-{next(_numbers)}.safetensors"})


def _half(cloud: Cloud) -> str:
    asset_id: str = begin(cloud, {**UPLOAD, "name": f"half-{next(_numbers)}.safetensors"})["asset_id"]
    return asset_id


def _complete(cloud: Cloud) -> Ask:
    asset_id = _half(cloud)
    put_part(cloud, asset_id, LORA_FILE)
    return Ask("POST", f"/v1/assets/{asset_id}/complete", {})


def _active(cloud: Cloud) -> str:
    asset_id: str = uploaded(cloud, {**UPLOAD, "name": f"whole-{next(_numbers)}.safetensors"})["asset_id"]
    return f"/v1/assets/{asset_id}"


def _own_key(cloud: Cloud) -> Ask:
    key_id = cloud.ask("POST", "/v1/keys", {}).ok(201)["key_id"]
    return Ask("DELETE", f"/v1/keys/{key_id}")


def _label(cloud: Cloud) -> Ask:
    return Ask("PATCH", f"/v1/jobs/{cloud.job().job_id}", {"label": "for the poster"})


GET_JOB, POST_JOB, LIST = 2, 6, 2
"""The goals of docs/architecture/00-overview.md."""

COSTS: tuple[RequestCost, ...] = (
    RequestCost("POST /v1/jobs", POST_JOB, 201, _post("/v1/jobs", txt2img())),
    RequestCost(
        "POST /v1/jobs with two LoRAs, a hypernetwork and a VAE",
        POST_JOB,
        201,
        _post("/v1/jobs", txt2img(prompt=PROMPT, override_settings={"sd_vae": "fine.safetensors"})),
    ),
    RequestCost("POST /v1/jobs with a new Idempotency-Key", 8, 201, _fresh_key),
    RequestCost("POST /v1/jobs with a known Idempotency-Key", 2, 201, _used_key),
    RequestCost("POST /v1/jobs, dry_run", 5, 200, _post("/v1/jobs", {**txt2img(), "dry_run": True})),
    RequestCost("POST /v1/jobs, params: null", 3, 201, _post("/v1/jobs", {"task": "txt2img", "checkpoint": "dream"})),
    RequestCost(
        "POST /v1/jobs/{id}/cancel, queued", 3, 200, lambda c: Ask("POST", f"/v1/jobs/{c.job().job_id}/cancel")
    ),
    RequestCost("POST /v1/jobs/{id}/cancel, running", 2, 200, lambda c: Ask("POST", f"{_running(c)}/cancel")),
    RequestCost("POST /v1/jobs/{id}/retry", 9, 201, _retry),
    RequestCost("DELETE /v1/jobs/{id}", 5, 204, lambda c: Ask("DELETE", _succeeded(c))),
    RequestCost(
        "GET /v1/jobs/{id}, queued behind others", GET_JOB + 1, 200, lambda c: Ask("GET", f"/v1/jobs/{c.job().job_id}")
    ),
    RequestCost("GET /v1/jobs/{id}, running", 1, 200, lambda c: Ask("GET", _running(c))),
    RequestCost("GET /v1/jobs/{id}, succeeded", GET_JOB, 200, lambda c: Ask("GET", _succeeded(c))),
    RequestCost("GET /v1/jobs/{id}, not modified", 1, 304, _unchanged),
    RequestCost("GET /v1/jobs/{id}?wait=2, still queued", 7, 200, _waiting),
    RequestCost("GET /v1/jobs", LIST, 200, _get("/v1/jobs")),
    RequestCost("GET /v1/jobs?task=", LIST, 200, _get("/v1/jobs", task="txt2img")),
    RequestCost("GET /v1/jobs?status=succeeded", LIST, 200, _get("/v1/jobs", status="succeeded")),
    RequestCost("GET /v1/jobs?endpoint=", LIST, 200, _get("/v1/jobs", endpoint="artists")),
    RequestCost("GET /v1/jobs?from=", LIST, 200, _get("/v1/jobs", **{"from": "2026-01-01T00:00:00Z"})),
    RequestCost("GET /v1/jobs?sort=oldest", LIST, 200, _get("/v1/jobs", sort="oldest")),
    RequestCost("GET /v1/jobs?q=", LIST, 200, _get("/v1/jobs", q="cat")),
    RequestCost(
        "POST /v1/jobs/cancel, one job", 3, 200, lambda c: Ask("POST", "/v1/jobs/cancel", {"job_ids": [c.job().job_id]})
    ),
    RequestCost("PATCH /v1/jobs/{id}", 2, 200, _label),
    RequestCost("GET /v1/jobs?owner=", LIST, 200, _get("/v1/jobs", user="root", owner="alice")),
    RequestCost("POST /v1/assets", 2, 201, _new_asset),
    RequestCost("POST /v1/assets/{id}/complete", 7, 200, _complete),
    RequestCost("GET /v1/assets/{id}, active", 1, 200, lambda c: Ask("GET", _active(c))),
    RequestCost("GET /v1/assets/{id}, uploading", 2, 200, lambda c: Ask("GET", f"/v1/assets/{_half(c)}")),
    RequestCost("GET /v1/assets", 1, 200, _get("/v1/assets")),
    RequestCost("GET /v1/assets?type=", 1, 200, _get("/v1/assets", type="lora")),
    RequestCost("GET /v1/assets/by-hash/{sha256}", 1, 200, _get(f"/v1/assets/by-hash/{'0' * 64}")),
    RequestCost("GET /v1/endpoints", 3, 200, _get("/v1/endpoints")),
    RequestCost("GET /v1/me", 1, 200, _get("/v1/me")),
    RequestCost("GET /v1/users", 1, 200, _get("/v1/users", user="root")),
    RequestCost("GET /v1/keys", 2, 200, _get("/v1/keys")),
    RequestCost("POST /v1/keys", 3, 201, _post("/v1/keys", {})),
    RequestCost("DELETE /v1/keys/{id}", 5, 200, _own_key),
    RequestCost("GET /v1/usage", 1, 200, _get("/v1/usage")),
    RequestCost("GET /v1/health", 0, 200, _get("/v1/health")),
    RequestCost("GET /v1/capabilities", 0, 200, _get("/v1/capabilities")),
)
"""A table row for each request that matters."""
