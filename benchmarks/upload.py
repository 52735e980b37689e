"""`python -m benchmarks.upload`: uploads a large file to a local cloud by `goc assets upload` and `aws s3 cp`, in turn.

The AWS CLI is installed from PyPI into a separate environment in `build/benchmarks`; it needs other versions than ours.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.local_services import aws_environment, services_of
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.part_sender import PARALLEL_PARTS
from generate_on_cloud.contract.assets import AssetStatus
from lambdas.assets.upload_storage import PART_SIZE
from local_cloud.cloud import LocalCloud

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS_CLI = "awscli==1.46.3"
MADE = Path(__file__).parents[1] / "build" / "benchmarks"
MIB = 1024**2
UNITS = {"M": MIB, "G": 1024 * MIB}
GOC = (
    sys.executable,
    "-c",
    "from generate_on_cloud.cli.command import main; main()",
    "assets",
    "upload",
    "--type",
    "lora",
    "--json",
)


@dataclass(frozen=True)
class Run:
    seconds: float
    processor_seconds: float
    peak_bytes: int
    """The process's largest resident memory."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=bytes_named, default=2 * UNITS["G"], help="size of the file: 2G, 500M")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side runs")
    arguments = parser.parse_args()
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg())
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}, {AWS_CLI}, file of {arguments.size / 1e9:.2f} GB"
    )
    MADE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=MADE) as folder, LocalCloud(Path(folder) / "cloud") as cloud:
        file = write_lora(Path(folder) / "large.safetensors", arguments.size)
        compare(cloud, file, arguments.rounds)
        kill_and_resume(cloud, file)


def bytes_named(text: str) -> int:
    """Parse `2G`, `500M` or a number of bytes."""
    return int(float(text[:-1]) * UNITS[text[-1]]) if text[-1:] in UNITS else int(text)


def write_lora(path: Path, size: int) -> Path:
    """Write about `size` random bytes with the header of a LoRA with one layer."""
    rank, block = 4, os.urandom(16 * MIB)
    columns = size // (2 * rank)
    spans = {"lora_unet_x.lora_down.weight": [rank, columns], "lora_unet_x.lora_up.weight": [8, rank]}
    document, offset = {}, 0
    for name, shape in spans.items():
        end = offset + 2 * shape[0] * shape[1]
        document[name] = {"dtype": "F16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(document).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, offset, len(block)):
            file.write((start.to_bytes(8, "little") + block[8:])[: offset - start])
    return path


def compare(cloud: LocalCloud, file: Path, rounds: int) -> None:
    """Run both in turn and empty the bucket after each run."""
    aws, size = aws_command(), file.stat().st_size
    bucket, s3 = cloud.outputs["AssetsBucketName"], services_of(cloud).client("s3")
    copy = (
        *aws,
        "--endpoint-url",
        cloud.endpoint_url,
        "s3",
        "cp",
        "--no-progress",
        str(file),
        f"s3://{bucket}/benchmark",
    )
    sent, active, copied = [], [], []
    with GenerateOnCloud(cloud.api_url, cloud.admin_key) as service:
        for _ in range(rounds):
            began = time.perf_counter()
            sent.append(timed((*GOC, "--no-wait", str(file)), login_of(cloud)))
            asset = next(iter(service.assets.list(asset_type="lora")))
            if service.assets.finish(asset).status is not AssetStatus.ACTIVE:
                raise SystemExit(f"the asset is {asset.status}")
            active.append(time.perf_counter() - began)
            service.assets.delete(asset.asset_id)
            copied.append(timed(copy, aws_environment(cloud)))
            s3.delete_object(Bucket=bucket, Key="benchmark")
    for name, runs in (("goc assets upload --no-wait", sent), ("aws s3 cp", copied)):
        seconds = statistics.median(run.seconds for run in runs)
        processor = statistics.median(run.processor_seconds for run in runs)
        peak = max(run.peak_bytes for run in runs)
        each = ", ".join(f"{run.seconds:.1f}" for run in runs)
        print(f"  {name}: {seconds:.1f} s ({each}), {size / seconds / 1e6:.0f} MB/s,")
        print(f"    {processor:.1f} s of processor time, peak memory {peak / MIB:.0f} MiB")
    ratio = statistics.median(run.seconds for run in copied) / statistics.median(run.seconds for run in sent)
    print(f"  throughput of goc / of aws s3 cp: {ratio:.2f} (goal at least 0.9)")
    print(f"  goc until the asset is active (hashed and inspected by the service): {statistics.median(active):.1f} s")


def kill_and_resume(cloud: LocalCloud, file: Path) -> None:
    """Send `kill -9` when half of the parts are stored, then run the same command again."""
    command, environment = (*GOC, str(file)), login_of(cloud)
    bucket, s3 = cloud.outputs["AssetsBucketName"], services_of(cloud).client("s3")
    first = start(command, environment)
    while 2 * len(stored := parts_of(s3, bucket)) < count_of(file):
        if first.poll() is not None:
            raise SystemExit("the upload ended before it could be killed; give a larger --size")
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    time.sleep(1)  # parts that have arrived completely get stored
    stored, number = parts_of(s3, bucket), count_of(file)
    second, written_again = start(command, environment), set()
    while second.poll() is None:
        now = parts_of(s3, bucket)
        written_again |= {part for part in stored if part in now and now[part] != stored[part]}
        time.sleep(0.02)
    if second.returncode:
        raise SystemExit(f"the second run ended with {second.returncode}")
    print(f"kill -9 with {len(stored)} of {number} parts stored: the next run sent {number - len(stored)},")
    print(f"  {len(written_again)} of the stored ones again; at most {PARALLEL_PARTS} had been begun in vain")


def parts_of(s3: "S3Client", bucket: str) -> dict[int, tuple[object, object]]:
    """ETag and time of each part of the only upload; empty if there is no upload."""
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        try:
            listed = s3.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", [])
        except s3.exceptions.ClientError:
            return {}  # the upload has been completed meanwhile
        return {part["PartNumber"]: (part["ETag"], part["LastModified"]) for part in listed}
    return {}


def count_of(file: Path) -> int:
    """The number of parts of the file's upload."""
    return -(-file.stat().st_size // PART_SIZE)


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    began = time.perf_counter()
    process = start(command, environment)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)  # noqa: S603


def login_of(cloud: LocalCloud) -> dict[str, str]:
    return {"GOC_URL": cloud.api_url, "GOC_API_KEY": cloud.admin_key}


def aws_command() -> tuple[str, ...]:
    """The command of the AWS CLI, installed into its own environment on first use."""
    home = MADE / AWS_CLI.replace("==", "-")
    if not (home / "bin" / "aws").exists():
        print(f"installing {AWS_CLI} into {home}")
        venv.create(home, with_pip=True)
        pip = (str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", AWS_CLI)
        subprocess.run(pip, check=True)  # noqa: S603 - pip
    return (str(home / "bin" / "aws"),)


if __name__ == "__main__":
    main()
