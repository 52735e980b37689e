"""`python -m benchmarks.api`: AWS calls per request, lists of few and many jobs, start of each function.

The API's code runs in this process with the deployed function's settings, against a local cloud's services.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from benchmarks.api_function import print_function
from benchmarks.local_services import aws_environment
from demo_models.checkpoint import TRAINED
from demo_models.variants.table import VARIANTS
from generate_on_cloud.client.cloud import GenerateOnCloud
from lambdas.aws.rows import timestamp, to_item
from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND

API_HANDLER = "lambdas.api.handler.handler"
# What the function does before its first request: import the handler's module and build the services.
API_READY = "import lambdas.api.handler\nlambdas.api.handler._resolver()"
API_CLIENTS = (
    "import boto3\n"
    "for name in ('dynamodb', 's3', 'sagemaker', 'sagemaker-runtime', 'sqs', 'lambda'): boto3.client(name)"
)
"""All clients that it uses, including those made in its first call."""
IMPORT_RUNS = 9
LISTS = 12
"""Number of timed requests for each list."""
PARAMS = {"prompt": "a red circle", "steps": 4, "width": 64, "height": 64, "seed": 1}
NETWORKS = ("moon", "cyanotype", "night", "amber")
SIZES = (1_000, 100_000)
RARE = ("img2img", "failed", "calm")
"""Task, status and endpoint of the oldest jobs in a history."""
RARE_JOBS = 30
LONE = "lone"
"""An endpoint that only the oldest jobs used."""
NEWER = (("img2img", "failed", "busy"), ("img2img", "succeeded", "calm"), ("txt2img", "failed", "calm"))
"""Task, status and endpoint of all newer jobs; each row shares two values with RARE."""


@dataclass
class Traffic:
    """The API's AWS calls since the last reset."""

    calls: Counter[str] = field(default_factory=Counter)
    rows_read: int = 0
    """Rows that queries read, as DynamoDB counts them."""
    seconds: float = 0.0
    """Time spent waiting for answers."""
    _sent: float = 0.0

    def watch(self, session: Any) -> None:
        """Count the calls of clients made by `session`."""
        session.events.register("before-send", self._before)
        session.events.register("after-call", self._after)

    def clear(self) -> None:
        self.calls.clear()
        self.rows_read, self.seconds = 0, 0.0

    def _before(self, event_name: str, **_: object) -> None:
        self.calls[event_name.split(".", 1)[1]] += 1
        self._sent = time.perf_counter()

    def _after(self, parsed: Mapping[str, Any], **_: object) -> None:
        self.seconds += time.perf_counter() - self._sent
        self.rows_read += int(parsed.get("ScannedCount", 0))


class Api:
    """Calls the API's handler as API Gateway does."""

    def __init__(self, key: str, traffic: Traffic) -> None:
        from lambdas.api.handler import handler

        self.traffic = traffic
        self._handler, self._key = handler, key

    def ask(
        self, method: str, path: str, body: object = None, *, query: Mapping[str, str] | None = None, **headers: str
    ) -> dict[str, Any]:
        """Send a request and return the answer's document; a problem ends the benchmark."""
        sent = {"x-api-key": self._key, "content-type": "application/json", **headers}
        event = {
            "httpMethod": method,
            "path": path,
            "resource": "/{proxy+}",
            "headers": sent,
            "multiValueHeaders": {name: [value] for name, value in sent.items()},
            "queryStringParameters": dict(query or {}) or None,
            "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
            "requestContext": {"requestId": "benchmark", "stage": "prod"},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self._handler(event, None)
        if answer["statusCode"] >= 400:
            raise SystemExit(f"{method} {path}: {answer['body']}")
        document: dict[str, Any] = json.loads(answer["body"] or "{}")
        return document

    def counted(self, name: str, *request: Any, **more: Any) -> dict[str, Any]:
        """Like `ask`, and print the AWS calls."""
        self.traffic.clear()
        answer = self.ask(*request, **more)
        names = ", ".join(call.rpartition(".")[2] for call in sorted(self.traffic.calls.elements()))
        print(f"  {name:<58} {self.traffic.calls.total()}  ({names})")
        return answer


def main() -> None:
    """Print all measurements."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--many", type=int, default=SIZES[1], help="jobs in the longer history")
    many = parser.parse_args().many
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder), unkindness=KIND) as cloud:
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            service.assets.upload(TRAINED, "checkpoint")
            for name in NETWORKS:
                service.assets.upload(VARIANTS[name].path, VARIANTS[name].type)
        os.environ.update(aws_environment(cloud), AWS_ENDPOINT_URL=cloud.endpoint_url)
        functions = boto3.client("lambda").list_functions()["Functions"]
        variables = {one["Handler"]: one["Environment"]["Variables"] for one in functions if "Environment" in one}
        os.environ.update(variables[API_HANDLER])
        traffic = Traffic()
        boto3.setup_default_session()
        traffic.watch(boto3.DEFAULT_SESSION)
        api = Api(cloud.admin_key, traffic)
        job_id = _print_calls(api, TRAINED.name)
        _print_lists(api, cloud.outputs["JobsTableName"], job_id, many)
        print_function(cloud, {"task": "txt2img", "checkpoint": TRAINED.name, "params": PARAMS})
    _print_starts(variables)


def _print_calls(api: Api, checkpoint: str) -> str:
    """Print the calls, which are exact on any machine; returns the id of a succeeded job."""
    api.ask("GET", "/v1/endpoints")
    api.ask("GET", "/v1/jobs")
    print("AWS calls per request (the key is known already)")
    body = {"task": "txt2img", "checkpoint": checkpoint, "params": PARAMS}
    bare = body | {"params": PARAMS | {"prompt": ""}}
    words = "a red circle <lora:moon:1> <lora:cyanotype:0.5> <lora:night:0.5>"
    full = body | {"params": PARAMS | {"prompt": words, "override_settings": {"sd_vae": "amber.vae.safetensors"}}}
    api.counted("POST /v1/jobs, no prompt", "POST", "/v1/jobs", bare)
    job = api.counted("POST /v1/jobs", "POST", "/v1/jobs", body)
    api.counted("POST /v1/jobs, three LoRAs and a VAE", "POST", "/v1/jobs", full)
    api.counted("POST /v1/jobs, dry_run", "POST", "/v1/jobs", body | {"dry_run": True})
    key = {"idempotency-key": str(uuid.uuid4())}
    api.counted("POST /v1/jobs, Idempotency-Key", "POST", "/v1/jobs", body, **key)
    api.counted("… the same again", "POST", "/v1/jobs", body, **key)
    path = f"/v1/jobs/{job['job_id']}"
    api.counted("GET /v1/jobs/{id}, queued or running", "GET", path)
    while api.ask("GET", path)["status"] in {"queued", "running"}:
        time.sleep(0.1)
    api.counted("GET /v1/jobs/{id}, succeeded", "GET", path)
    for name, query in _lists().items():
        api.counted(name, "GET", "/v1/jobs", query=query)
    again = api.counted("POST /v1/jobs/{id}/retry", "POST", f"{path}/retry")
    api.counted("POST /v1/jobs/{id}/cancel", "POST", f"/v1/jobs/{again['job_id']}/cancel")
    for path in ("/v1/assets", "/v1/endpoints", "/v1/me", "/v1/keys", "/v1/users", "/v1/roles", "/v1/usage"):
        api.counted(f"GET {path}", "GET", path)
    return str(job["job_id"])


def _lists() -> dict[str, dict[str, str]]:
    day = {"from": datetime(2020, 1, 1, tzinfo=UTC).isoformat(), "to": datetime(2100, 1, 1, tzinfo=UTC).isoformat()}
    return {
        "GET /v1/jobs": {},
        "GET /v1/jobs?task": {"task": "txt2img"},
        "GET /v1/jobs?status": {"status": "succeeded"},
        "GET /v1/jobs?from&to": day,
        "GET /v1/jobs?endpoint": {"endpoint": "goc-main-default"},
    }


def _rare_lists() -> dict[str, dict[str, str]]:
    return {
        "… ?endpoint, a rare one": {"endpoint": LONE},
        "… ?task&status&endpoint, rare together": dict(zip(("task", "status", "endpoint"), RARE, strict=True)),
    }


def _print_lists(api: Api, table: str, job_id: str, many: int) -> None:
    """Print lists of one user's jobs; neither DynamoDB nor the function should do more work for a longer history."""
    client = boto3.client("dynamodb")
    row = client.get_item(TableName=table, Key={"job_id": {"S": job_id}})["Item"]
    measured: dict[int, dict[str, tuple[float, float, int, int]]] = {}
    made = datetime.fromisoformat(row["created_at"]["S"]) - timedelta(days=1)
    there = 2 * RARE_JOBS
    _add_jobs(client, table, row, [("txt2img", "succeeded", LONE)] * RARE_JOBS, newest=made - timedelta(days=400))
    _add_jobs(client, table, row, [RARE] * RARE_JOBS, newest=made - timedelta(days=300))
    lists = _lists() | _rare_lists()
    for size in (SIZES[0], many):
        kinds = list(itertools.islice(itertools.cycle(NEWER), size - there))
        _add_jobs(client, table, row, kinds, newest=made - timedelta(seconds=there))
        there = size
        measured[size] = {name: _timed(api, query) for name, query in lists.items()}
    few = measured[SIZES[0]]
    print(f"lists of 20 out of {SIZES[0]} and of {many} jobs of one user, medians of {LISTS}")
    for name, (own, emulated, calls, rows) in measured[many].items():
        own_few, emulated_few, calls_few, rows_few = few[name]
        print(
            f"  {name:<38} calls {calls_few} -> {calls}, rows queries looked at {rows_few} -> {rows}, "
            f"the function's own time x {own / own_few:.2f}, the emulator's x {emulated / emulated_few:.2f}"
        )


def _timed(api: Api, query: dict[str, str]) -> tuple[float, float, int, int]:
    """Median seconds of the function itself and of its services, and calls and rows of one request."""
    own, waited = [], []
    for _ in range(LISTS):
        api.traffic.clear()
        began = time.perf_counter()
        api.ask("GET", "/v1/jobs", query={**query, "limit": "20"})
        waited.append(api.traffic.seconds)
        own.append(time.perf_counter() - began - api.traffic.seconds)
    return statistics.median(own), statistics.median(waited), api.traffic.calls.total(), api.traffic.rows_read


def _add_jobs(
    client: Any, table: str, row: Mapping[str, Any], kinds: Sequence[tuple[str, str, str]], *, newest: datetime
) -> None:
    """Add copies of a row with these tasks, statuses and endpoints, each a second older than the one before."""
    rows = ({**row, **_typed(kind, newest - timedelta(seconds=number))} for number, kind in enumerate(kinds))
    while batch := list(itertools.islice(rows, 25)):
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": one}} for one in batch]})


def _typed(kind: tuple[str, str, str], made: datetime) -> dict[str, Any]:
    task, status, endpoint = kind
    values = {"task": task, "status": status, "endpoint": endpoint, "created_at": timestamp(made)}
    return to_item(values | {"job_id": str(uuid.uuid4())})


def _print_starts(variables: Mapping[str, Mapping[str, str]]) -> None:
    """Start fresh processes in turn, so that load affects all alike; the time of an empty interpreter is subtracted."""
    codes = {"nothing": "pass", "boto3": "import boto3", "clients": API_CLIENTS, "ready": API_READY}
    modules = {handler.rpartition(".")[0] for handler in variables if handler.startswith("lambdas.")}
    codes |= {module: f"import {module}" for module in sorted(modules)}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for run in range(IMPORT_RUNS + 1):
        for name, code in codes.items():
            own = variables.get(f"{name}.handler", variables[API_HANDLER])
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | own)  # noqa: S603
            if run:  # the first round only writes byte code
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    share: Callable[[str, str], float] = lambda name, of: (  # noqa: E731
        (medians[name] - medians["nothing"]) / (medians[of] - medians["nothing"])
    )
    print(f"start of each function / import boto3, medians of {IMPORT_RUNS} fresh processes")
    for module in sorted(modules):
        print(f"  {module:<30} {share(module, 'boto3'):.2f}")
    print(f"  the API, ready for a request   {share('ready', 'boto3'):.2f}")
    print(f"  … / import boto3 and make the six clients it uses: {share('ready', 'clients'):.2f}")


if __name__ == "__main__":
    main()
