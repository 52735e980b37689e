"""`python -m benchmarks.rights`: the cost of checking every call in the local cloud against its role's policies.

Sends the same requests in turn to two local clouds, one of which allows every role everything.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

from local_cloud.cloud import LocalCloud
from local_cloud.unkindness import KIND

ROOT = Path(__file__).resolve().parent.parent
TINY = (sys.executable, str(ROOT / "tests" / "local_cloud" / "tiny_container.py"))
PATHS = ("health", "jobs", "users", "endpoints")
WARM_UP = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rights", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=200, help="requests per path and cloud (default: 200)")
    count = parser.parse_args().requests
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCloud(Path(folder) / "checked", container_command=TINY, unkindness=KIND) as checked,
        LocalCloud(
            Path(folder) / "unchecked", container_command=TINY, unkindness=KIND, check_rights=False
        ) as unchecked,
        client_of(checked) as held,
        client_of(unchecked) as free,
    ):
        for path in PATHS:
            for _ in range(WARM_UP):
                seconds_of(held, path)
                seconds_of(free, path)
            pairs = [(seconds_of(held, path), seconds_of(free, path)) for _ in range(count)]
            with_, without = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
            print(
                f"GET /v1/{path}: median {with_:.1f} ms with the checks, {without:.1f} without: {with_ / without:.2f}"
            )


def client_of(cloud: LocalCloud) -> httpx.Client:
    return httpx.Client(base_url=f"{cloud.api_url}/v1/", headers={"x-api-key": cloud.admin_key}, timeout=60)


def seconds_of(client: httpx.Client, path: str) -> float:
    """The seconds of one request.

    Raises:
        httpx.HTTPStatusError: it was refused.
    """
    began = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - began
    answer.raise_for_status()
    return seconds


if __name__ == "__main__":
    main()
