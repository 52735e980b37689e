"""`make fuzz`: schemathesis and absurd values against a separate local cloud: no 5xx, no undocumented answers."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
from schemathesis import GenerationMode

from checks.fuzz.absurd import absurd_requests, preflights, why_wrong, why_wrong_preflight
from checks.fuzz.traffic import SECONDS_TO_ANSWER, Known, Traffic, table, unseen
from generate_on_cloud.client.cloud import GenerateOnCloud
from local_cloud.cloud import LocalCloud
from tests.tiny_checkpoint import write_tiny_checkpoint

CONTAINER = (sys.executable, "-m", "checks.fuzz.container")
CHECKPOINT = "fuzz.safetensors"
PARAMS: dict[str, Any] = {"prompt": "a red circle", "steps": 1, "width": 64, "height": 64}
HASH = "0" * 64
BODIES: dict[str, list[dict[str, Any]]] = {
    "POST /v1/jobs": [
        {"task": "txt2img", "checkpoint": CHECKPOINT, "params": PARAMS},
        {"task": "txt2img", "checkpoint": CHECKPOINT, "params": PARAMS, "dry_run": True},
        {"task": "img2img", "checkpoint": CHECKPOINT, "params": None},
    ],
    "POST /v1/jobs/cancel": [{"all_waiting": True}],
    "PATCH /v1/jobs/{job_id}": [{"label": "fuzzed", "starred": True}],
    "POST /v1/assets": [
        {"type": "lora", "name": "fuzz.safetensors", "size": 1000},
        {"type": "vae", "name": "fuzz.safetensors", "source_url": "https://localhost:9/vae.safetensors"},
    ],
    "PATCH /v1/assets/{asset_id}": [{"description": "fuzzed"}],
    "POST /v1/assets/{asset_id}/parts": [{"parts": [{"part_number": 1, "sha256": "0" * 64}]}],
    "POST /v1/assets/{asset_id}/complete": [{"parts": [{"part_number": 1, "etag": "e"}]}, {}],
    "POST /v1/users": [{"name": "fuzzed", "role": "artist"}],
    "PUT /v1/users/{name}": [{"role": "artist"}],
    "POST /v1/roles": [{"name": "fuzzed", "permissions": ["inference:create"]}],
    "PUT /v1/roles/{name}": [{"permissions": ["inference:list"]}],
    "POST /v1/keys": [{"label": "fuzzed"}, {"label": "theirs", "user": "seeded"}],
}


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 if every answer was as documented, else 1, with the findings printed."""
    parser = argparse.ArgumentParser(prog="python -m checks.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=50, help="requests per operation: half valid, half invalid")
    parser.add_argument("--seconds", type=float, default=600.0, help="stop sending examples after this time")
    parser.add_argument("--seed", type=int, default=None, help="seed of the examples; printed with the result")
    chosen = parser.parse_args(arguments)
    number = random.randrange(2**32) if chosen.seed is None else chosen.seed
    with (
        tempfile.TemporaryDirectory(prefix="goc-fuzz-") as folder,
        LocalCloud(Path(folder), container_command=CONTAINER) as cloud,
    ):
        traffic = _traffic(cloud, Path(folder), seed=number)
        began = time.monotonic()
        _send_absurd(traffic)
        _send_preflights(traffic)
        operations = traffic.operations()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for operation in operations:
                traffic.send_examples(
                    operation,
                    mode,
                    examples=max(1, chosen.examples // 2),
                    enough=lambda: time.monotonic() - began > chosen.seconds,
                )
        seconds = time.monotonic() - began
    return _report(traffic, [operation.label for operation in operations], seed=number, seconds=seconds)


def _traffic(cloud: LocalCloud, folder: Path, *, seed: int) -> Traffic:
    """A run with a job, an asset, a user, a role and a key that requests can refer to."""
    headers = {"x-api-key": cloud.admin_key}

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = requests.request(method, cloud.api_url + path, json=body, headers=headers, timeout=SECONDS_TO_ANSWER)
        answer.raise_for_status()
        return answer.json()

    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        service.assets.upload(write_tiny_checkpoint(folder / CHECKPOINT), "checkpoint")
    me = call("GET", "/v1/me")
    known = Known(own_user=me["user"], own_key_id=me["key_id"])
    known.ids["assets"].append(call("GET", "/v1/assets")["assets"][0]["asset_id"])
    call("POST", "/v1/me/webhook-secret", {})
    for path, body in (
        ("/v1/jobs", BODIES["POST /v1/jobs"][0]),
        ("/v1/assets", {"type": "lora", "name": "seeded.safetensors", "size": 1000}),
        ("/v1/users", {"name": "seeded", "role": "artist"}),
        ("/v1/roles", {"name": "seeded-role", "permissions": ["inference:create"]}),
        ("/v1/keys", {"label": "seeded"}),
    ):
        known.learn(path, call("POST", path, body))
    return Traffic(
        url=cloud.api_url,
        key=cloud.admin_key,
        document=call("GET", "/v1/openapi.json"),
        known=known,
        bodies=BODIES,
        random=random.Random(seed),
    )


def _send_absurd(traffic: Traffic) -> None:
    label = "(absurd values)"
    for absurd in absurd_requests():
        headers = {"x-api-key": traffic.key, "Content-Type": "application/json", **absurd.headers}
        try:
            answer = requests.request(
                absurd.method,
                traffic.url + absurd.path,
                data=absurd.body,
                headers=headers,
                timeout=SECONDS_TO_ANSWER,
            )
        except requests.exceptions.RequestException as error:
            traffic.finding(label, str(absurd), repr(error))
            continue
        traffic.count(label, answer.status_code, answer.text)
        wrong = why_wrong(answer.status_code, answer.headers.get("Content-Type", ""), answer.text)
        if wrong is not None:
            traffic.finding(label, str(absurd), f"{wrong}: {answer.text[:300]}")


def _send_preflights(traffic: Traffic) -> None:
    """Send a browser's preflight requests to every path, and absurd ones."""
    label = "(OPTIONS)"
    for asked in preflights(traffic.document["paths"]):
        try:
            answer = requests.options(traffic.url + asked.path, headers=asked.headers, timeout=SECONDS_TO_ANSWER)
        except requests.exceptions.RequestException as error:
            traffic.finding(label, str(asked), repr(error))
            continue
        traffic.count(label, answer.status_code, answer.text)
        wrong = why_wrong_preflight(answer.status_code, answer.headers)
        if wrong is not None:
            traffic.finding(label, str(asked), f"{wrong}: {answer.text[:300]}")


def _report(traffic: Traffic, labels: list[str], *, seed: int, seconds: float) -> int:
    for label in labels:
        if not traffic.answers[label]:
            traffic.finding(label, "never answered", "")
    if traffic.throttled:
        traffic.finding("throttled", f"{traffic.throttled} answers", "these requests were not tested")
    print("\n".join(table(traffic.answers)))
    print("\ndocumented but never received (not a finding: some need luck or a cloud in trouble)")
    print("\n".join(unseen(traffic.document, traffic.answers)))
    for title, text in traffic.findings.items():
        print(f"\n{title}\n{text}")
    sent = sum(counts.total() for counts in traffic.answers.values())
    print(
        f"\n{sent} answers in {seconds:.0f} s, {traffic.throttled} throttled, {len(traffic.findings)} findings; "
        f"to repeat: SEED={seed}"
    )
    return 1 if traffic.findings else 0


if __name__ == "__main__":
    sys.exit(main())
