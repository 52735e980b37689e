"""`python -m benchmarks`: job overhead, API import, AWS calls per request and memory, on a local cloud of its own."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import boto3
import psutil

from client.cloud import GenerateOnCloud
from demo_models.checkpoint import demo_checkpoint
from inference_container.contract.jobs import JobStatus, Task
from lambdas.settings import ApiSettings
from local_cloud.cloud import LocalCloud

JOBS = 30
IMPORT_RUNS = 9
PARAMS = {"prompt": "a red circle on a blue background", "steps": 20, "width": 64, "height": 64, "seed": 1}
PLAIN_IMPORT = "import boto3"
CLIENTS = "import boto3\nfor name in ('dynamodb', 's3', 'sagemaker', 'sagemaker-runtime'): boto3.client(name)"
# What the function does before its first request: the handler's module, and the services it makes on first use.
API_IMPORT = "import lambdas.api.handler"
API_READY = "import lambdas.api.services\nlambdas.api.services.services_from_environment()\nimport lambdas.api.handler"


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder, LocalCloud(Path(folder)) as cloud:
        _print_memory(cloud, "idle, before the first job")
        with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
            checkpoint = demo_checkpoint(Path(folder))
            service.assets.upload(checkpoint, "checkpoint")
            _print_overhead(service, checkpoint.name)
        _print_memory(cloud, f"idle, after {JOBS} jobs")
        environment = _api_environment(cloud)
        _print_calls(cloud, environment, checkpoint.name)
    _print_imports(environment)


def _print_overhead(service: GenerateOnCloud, checkpoint: str) -> None:
    """Seconds from submitting until the answer with the result is here, without what the container's job took."""
    service.jobs.finish(service.jobs.submit(Task.TXT2IMG, PARAMS, checkpoint=checkpoint).job_id)
    overheads, jobs, submits = [], [], []
    for _ in range(JOBS):
        began = time.perf_counter()
        job_id = service.jobs.submit(Task.TXT2IMG, PARAMS, checkpoint=checkpoint).job_id
        submitted = time.perf_counter()
        while (job := service.jobs.get(job_id)).status in {JobStatus.QUEUED, JobStatus.RUNNING}:
            time.sleep(0.02)
        ended = time.perf_counter()
        if job.result is None:
            raise SystemExit(f"the job did not succeed: {job.error}")
        overheads.append(ended - began - job.result.timings["total"])
        jobs.append(job.result.timings["total"])
        submits.append(submitted - began)
    print(f"job overhead, {JOBS} jobs one after the other, seconds")
    _print_spread("  POST /v1/jobs", submits)
    _print_spread("  submit to result, without the container's own time", overheads)
    _print_spread("  the container's own time", jobs)
    print(f"  overhead / container time: {statistics.median(overheads) / statistics.median(jobs):.2f}")


def _print_spread(name: str, seconds: Iterable[float]) -> None:
    ordered = sorted(seconds)
    print(f"{name}: min {ordered[0]:.3f}, median {statistics.median(ordered):.3f}, max {ordered[-1]:.3f}")


def _print_memory(cloud: LocalCloud, when: str) -> None:
    time.sleep(2)
    server = psutil.Process(cloud.pid)
    kinds: Counter[str] = Counter()
    for child in server.children(recursive=True):
        kind = "container" if "inference_container" in " ".join(child.cmdline()) else "warm functions"
        kinds[kind] += child.memory_info().rss
    others = ", ".join(f"{kind} {size / 1e6:.0f} MB" for kind, size in sorted(kinds.items()))
    print(f"memory (RSS), {when}: local cloud {server.memory_info().rss / 1e6:.0f} MB, {others}")


def _api_environment(cloud: LocalCloud) -> dict[str, str]:
    outputs = cloud.outputs
    settings = ApiSettings(
        JOBS_TABLE=outputs["JobsTableName"],
        ASSETS_TABLE=outputs["AssetsTableName"],
        ACCESS_TABLE=outputs["AccessTableName"],
        JOBS_BUCKET=outputs["JobsBucketName"],
        ASSETS_BUCKET=outputs["AssetsBucketName"],
        ENDPOINT_NAME=outputs["EndpointName"],
        SERVICE_VERSION="benchmark",
        INSPECTION_FUNCTION="none",
        IMPORT_FUNCTION="none",
        WEBHOOK_QUEUE_URL="",
    )
    return settings.environment() | {
        "AWS_ENDPOINT_URL": cloud.endpoint_url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": cloud.settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _print_calls(cloud: LocalCloud, environment: dict[str, str], checkpoint: str) -> None:
    """Run the API's own resolver in this process against the local cloud and count what it sends to AWS."""
    os.environ.update(environment)
    calls: Counter[str] = Counter()
    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    session.events.register("before-send", lambda event_name, **_: calls.update([event_name.split(".", 1)[1]]))
    from lambdas.api.handler import handler

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        event = {
            "httpMethod": method,
            "path": path,
            "resource": "/{proxy+}",
            "headers": {"x-api-key": cloud.admin_key, "content-type": "application/json"},
            "multiValueHeaders": {"x-api-key": [cloud.admin_key]},
            "queryStringParameters": None,
            "multiValueQueryStringParameters": None,
            "requestContext": {"requestId": "benchmark", "stage": "prod"},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        context: Any = None
        answer = handler(event, context)
        if answer["statusCode"] >= 400:
            raise SystemExit(f"{method} {path}: {answer['body']}")
        document: dict[str, Any] = json.loads(answer["body"])
        return document

    ask("GET", "/v1/endpoints")
    print("AWS calls per request (the key is known already)")

    def counted(name: str, request: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        calls.clear()
        answer = request()
        print(f"  {name}: {calls.total()} ({', '.join(sorted(calls.elements()))})")
        return answer

    body = {"task": "txt2img", "checkpoint": checkpoint, "params": PARAMS}
    job = counted("POST /v1/jobs", lambda: ask("POST", "/v1/jobs", body))
    path = f"/v1/jobs/{job['job_id']}"
    while ask("GET", path)["status"] in {"queued", "running"}:
        time.sleep(0.1)
    counted("GET /v1/jobs/{id}, succeeded", lambda: ask("GET", path))
    counted("GET /v1/jobs", lambda: ask("GET", "/v1/jobs"))
    counted("GET /v1/assets", lambda: ask("GET", "/v1/assets"))
    counted("GET /v1/endpoints", lambda: ask("GET", "/v1/endpoints"))


def _print_imports(environment: dict[str, str]) -> None:
    """Fresh processes in turn, so that a drifting machine slows all alike; an empty interpreter is taken off."""
    codes = {"nothing": "pass", "boto3": PLAIN_IMPORT, "clients": CLIENTS, "api": API_IMPORT, "ready": API_READY}
    seconds: dict[str, list[float]] = {name: [] for name in codes}
    for run in range(IMPORT_RUNS + 1):
        for name, code in codes.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | environment)  # noqa: S603
            if run:  # the first round writes byte code
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    boto = medians["boto3"] - medians["nothing"]
    clients = medians["clients"] - medians["nothing"]
    print(f"API function start, medians of {IMPORT_RUNS} fresh processes, as ratios")
    print(f"  import of the handler / import boto3: {(medians['api'] - medians['nothing']) / boto:.2f}")
    ready = medians["ready"] - medians["nothing"]
    print(f"  ready for a request / import boto3: {ready / boto:.2f}")
    print(f"  ready for a request / import boto3 and make the same four clients: {ready / clients:.2f}")


if __name__ == "__main__":
    main()
