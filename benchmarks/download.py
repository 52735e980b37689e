"""`python -m benchmarks.download`: compares ways to download a large file from a local cloud's S3: boto3 with its
defaults, boto3 as the container configures it, and the CRT client. Each hashes the bytes, as the container must.

The CRT library is installed from PyPI into a separate environment in `build/benchmarks`; the image does not have it.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path

from benchmarks.local_services import aws_environment, services_of
from benchmarks.upload import MADE, UNITS, bytes_named, write_lora
from inference_container.asset_download import TRANSFER
from local_cloud.cloud import LocalCloud

AWS_CRT = "awscrt==0.38.1"
BUCKET = "benchmark-downloads"
KEY = "large.safetensors"
SINK = """
import hashlib, sys
class Sink:
    def __init__(self, path): self.file, self.hash, self.size = open(path, "wb"), hashlib.sha256(), 0
    def write(self, data): self.hash.update(data); self.size += len(data); return self.file.write(data)
sink = Sink(sys.argv[1])
"""
BOTO3 = """
import boto3, json
from boto3.s3.transfer import TransferConfig
config = TransferConfig(preferred_transfer_client="classic", **json.loads(sys.argv[2]))
boto3.client("s3").download_fileobj("%s", "%s", sink, Config=config)
"""
# boto3's own CRT client supports TLS only, so this builds it as boto3 does, but for plain HTTP.
CRT = """
import botocore.session, os
from s3transfer.crt import BotocoreCRTCredentialsWrapper, BotocoreCRTRequestSerializer, CRTTransferManager
from s3transfer.crt import create_s3_crt_client
session, region = botocore.session.get_session(), os.environ["AWS_DEFAULT_REGION"]
keys = BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
client = create_s3_crt_client(region=region, crt_credentials_provider=keys, use_ssl=False)
asks = BotocoreCRTRequestSerializer(session, {"region_name": region, "endpoint_url": os.environ["AWS_ENDPOINT_URL"]})
with CRTTransferManager(client, asks) as manager: manager.download("%s", "%s", sink).result()
"""
CHECK = "\nprint(sink.size, sink.hash.hexdigest())"
AS_THE_CONTAINER = {
    "multipart_threshold": TRANSFER.multipart_threshold,
    "multipart_chunksize": TRANSFER.multipart_chunksize,
    "max_concurrency": TRANSFER.max_request_concurrency,
}
WAYS = {
    "boto3 as it comes": (BOTO3, {}),
    "boto3 as the container asks": (BOTO3, AS_THE_CONTAINER),
    "CRT": (CRT, {}),
}


def main() -> None:
    """Print the seconds of each way and their ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.download", description=__doc__)
    parser.add_argument("--size", type=bytes_named, default=2 * UNITS["G"], help="size of the file: 2G, 500M")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way runs")
    arguments = parser.parse_args()
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, {AWS_CRT}, {arguments.size / 1e9:.2f} GB")
    MADE.mkdir(parents=True, exist_ok=True)
    python = _python_with_crt()
    with tempfile.TemporaryDirectory(dir=MADE) as folder, LocalCloud(Path(folder) / "cloud") as cloud:
        file = write_lora(Path(folder) / KEY, arguments.size)
        s3 = services_of(cloud).client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.upload_file(str(file), BUCKET, KEY)
        environment = os.environ | aws_environment(cloud) | {"AWS_ENDPOINT_URL": cloud.endpoint_url}
        _compare(python, environment, Path(folder) / "got", arguments.rounds)


def _compare(python: Path, environment: dict[str, str], got: Path, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    answers = set()
    for _ in range(rounds):
        for name, (code, config) in WAYS.items():
            program = SINK + code % (BUCKET, KEY) + CHECK
            began = time.perf_counter()
            run = subprocess.run(  # noqa: S603
                [python, "-c", program, str(got), json.dumps(config)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                raise SystemExit(f"{name}: {run.stderr}")
            seconds[name].append(time.perf_counter() - began)
            answers.add(run.stdout)
            got.unlink()
    if len(answers) != 1:
        raise SystemExit(f"the ways received different files: {answers}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        ratio = medians[name] / medians["boto3 as the container asks"]
        print(f"  {name:<28} {', '.join(f'{value:.2f}' for value in values)} s; x {ratio:.2f}")


def _python_with_crt() -> Path:
    """The interpreter of an environment with our version of boto3 and the CRT library."""
    folder = MADE / AWS_CRT
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = [AWS_CRT, *(f"{name}=={version(name)}" for name in ("boto3", "botocore", "s3transfer"))]
    subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True, stdout=sys.stderr)  # noqa: S603
    return python


if __name__ == "__main__":
    main()
