"""What the deployed API function needs of its memory and processor, of which Lambda gives a share for each megabyte."""

import base64
import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from local_cloud.cloud import LocalCloud
from tests.child_processes import children_with


def print_function(cloud: LocalCloud, job: dict[str, Any]) -> None:
    """Print the deployed function's processor time for a request, and its peak memory with the largest body.

    Args:
        job: the body of a small txt2img job.
    """
    noise = BytesIO()
    Image.frombytes("RGB", (1000, 1000), os.urandom(3_000_000)).save(noise, "PNG")
    drawing = job["params"] | {"init_images": [base64.b64encode(noise.getvalue()).decode()]}
    with httpx.Client(headers={"x-api-key": cloud.admin_key}, base_url=f"{cloud.api_url}/v1/", timeout=60) as client:

        def ask(what: str, count: int, method: str, path: str, body: object = None) -> None:
            before = sum(sum(each.cpu_times()[:2]) for each in children_with(cloud.pid, "FunctionsApi"))
            for _ in range(count):
                client.request(method, path, json=body).raise_for_status()
            found = children_with(cloud.pid, "FunctionsApi")
            took = (sum(sum(each.cpu_times()[:2]) for each in found) - before) / count
            peak = max(_peak_bytes(each.pid) for each in found) / 1e6
            print(f"  {what:<40} {took * 1000:4.0f} ms of processor time each; peak memory {peak:.0f} MB")

        print("the API function")
        ask("POST /v1/jobs", 50, "POST", "jobs", job)
        ask("GET /v1/jobs", 50, "GET", "jobs?limit=20")
        ask("POST /v1/jobs with a picture of 3 MB", 5, "POST", "jobs", job | {"task": "img2img", "params": drawing})


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
