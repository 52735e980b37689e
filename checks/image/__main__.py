"""`make image-test`: builds the container's image without Docker on a substitute base, starts it and inspects it.

Needs root, `buildah` and `debootstrap` (Debian's packages of those names); prints why it is skipped where they are
missing. The substitute has no CUDA, so this checks the Dockerfile's steps, a start as SageMaker starts containers (as
root, with a /tmp that only root may write), the user the server then runs as, and what it says without a usable cache.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from inference_container.start import SERVER
from local_cloud.preflight import free_port

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/goc-base:bookworm"
IMAGE = "localhost/goc-container:test"
NEEDED = ("buildah", "debootstrap")
START_SECONDS = 120.0
UID = 1001
"""The id of the user that the Dockerfile makes."""
_SHOWN = 3000
"""Maximum characters shown of a failed call's output."""
_CERTIFICATES = "/run/build-certificates"
SETTINGS = {
    "JOBS_BUCKET": "jobs",
    "ASSETS_BUCKET": "assets",
    "JOBS_TABLE": "jobs",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "CACHE_DIR": "/tmp/generate-on-cloud",
}


class ImageError(Exception):
    """The image is not as it should be."""


class Buildah:
    """buildah with its own store and chroot isolation, the only one that needs no cgroups."""

    def __init__(self, store: Path) -> None:
        self._store = ["--root", str(store / "root"), "--runroot", str(store / "run"), "--storage-driver", "vfs"]

    def command(self, *arguments: str) -> list[str]:
        """The command line of a call."""
        return ["buildah", *self._store, *arguments]

    def run(self, *arguments: str) -> str:
        """Run buildah; returns its output.

        Raises:
            subprocess.CalledProcessError: it failed; the reason is in `stderr`.
        """
        return subprocess.run(self.command(*arguments), check=True, capture_output=True, text=True).stdout.strip()


def make_base(buildah: Buildah, folder: Path) -> None:
    """Make a Debian 12 image as a substitute for the base image."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(folder / "rootfs")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    container = buildah.run("from", "scratch")
    buildah.run("add", "--quiet", container, str(folder / "rootfs"), "/")
    buildah.run("commit", "--quiet", container, BASE)
    buildah.run("rm", container)
    shutil.rmtree(folder / "rootfs")


def build(buildah: Buildah) -> None:
    """Build the Dockerfile; pip gets wheels and certificates from the same place as this machine's pip."""
    extra: list[str] = []
    certificates, wheels = os.environ.get("PIP_CERT"), os.environ.get("PIP_FIND_LINKS", "")
    if certificates:
        # Not mounted over the image's own certificates, which its package manager writes.
        file = Path(certificates).resolve()
        extra += ["-v", f"{file.parent}:{_CERTIFICATES}:ro", "--build-arg", f"PIP_CERT={_CERTIFICATES}/{file.name}"]
    if Path(wheels).is_dir() and wheels:
        extra += ["-v", f"{wheels}:{wheels}:ro", "--build-arg", f"PIP_FIND_LINKS={wheels}"]
    buildah.run(
        *("build", "--isolation", "chroot", "--layers=false", "--format", "docker", "--tag", IMAGE),
        *("--build-arg", f"BASE_IMAGE={BASE}", *extra, "--file", "inference_container/Dockerfile", str(ROOT)),
    )


@contextmanager
def started(
    buildah: Buildah, port: int, *, scratch: Path, more: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the image's own command as SageMaker does: as root, with root's folder `scratch` mounted on /tmp."""
    scratch.mkdir(mode=0o755)
    container = buildah.run("from", IMAGE)
    environment = [
        part for name, value in {**SETTINGS, **(more or {})}.items() for part in ("--env", f"{name}={value}")
    ]
    config = json.loads(buildah.run("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    command: Sequence[str] = [*config["Entrypoint"], *config["Cmd"]]
    process = subprocess.Popen(
        buildah.command(
            *("run", "--isolation", "chroot", "-v", f"{scratch}:/tmp:rw", *environment),
            *("--env", f"PORT={port}", container, "--", *command),
        ),
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        buildah.run("rm", container)


def await_ping(process: subprocess.Popen[str], port: int, *, wanted: str = "ready") -> float:
    """Wait until /ping's status contains `wanted`; returns the seconds.

    Raises:
        ImageError: the container exited or did not answer in time.
    """
    began, said = time.monotonic(), "nothing"
    while time.monotonic() - began < START_SECONDS:
        if process.poll() is not None:
            raise ImageError(f"the container ended with {process.returncode} before /ping said {wanted!r}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as answer:
                said = json.load(answer)["status"]
        except urllib.error.HTTPError as error:
            said = json.load(error)["status"]
        except (urllib.error.URLError, OSError):
            pass
        if wanted in said:
            return time.monotonic() - began
        time.sleep(0.2)
    raise ImageError(f"/ping did not say {wanted!r} after {START_SECONDS:.0f} s, but {said!r}")


def user_of_server(process: subprocess.Popen[str]) -> int:
    """The user that the started server runs as."""
    children = psutil.Process(process.pid).children(recursive=True)
    (server,) = [child for child in children if SERVER in child.cmdline()]
    return int(server.uids().effective)


def look_inside(buildah: Buildah) -> dict[str, str]:
    """Check the image's user, permissions and byte code; returns the findings.

    Raises:
        ImageError: a check failed.
    """
    container = buildah.run("from", IMAGE)
    facts = {
        "torch": ("python", "-c", "import torch; print(torch.__version__)"),
        "byte code": ("sh", "-c", "ls inference_container/__pycache__ | head -1"),
        "may write its code": ("sh", "-c", "touch inference_container/x 2>/dev/null && echo yes || echo no"),
    }
    found = {
        name: buildah.run("run", "--isolation", "chroot", "--user", str(UID), container, "--", *command)
        for name, command in facts.items()
    }
    buildah.run("rm", container)
    if found["may write its code"] != "no" or not found["byte code"]:
        raise ImageError(f"the image is not as it should be: {found}")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 if the image was built, started and checked, or if the test was skipped; 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m checks.image", description=__doc__.splitlines()[0])
    parser.add_argument("--required", action="store_true", help="fail instead of skipping")
    chosen = parser.parse_args(arguments)
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        print(f"image test: skipped, this machine has no {', '.join(missing)}")
        return int(chosen.required)
    with tempfile.TemporaryDirectory(prefix="goc-image-") as folder:
        buildah = Buildah(Path(folder) / "store")
        try:
            began = time.monotonic()
            make_base(buildah, Path(folder))
            based = time.monotonic()
            build(buildah)
            built = time.monotonic()
            facts = look_inside(buildah)
            port = free_port()
            with started(buildah, port, scratch=Path(folder) / "disk") as process:
                seconds = await_ping(process, port)
                if (user := user_of_server(process)) != UID:
                    raise ImageError(f"the server runs as {user}, not as {UID}")
            port, broken = free_port(), {"CACHE_DIR": "/proc/nowhere"}
            with started(buildah, port, scratch=Path(folder) / "other-disk", more=broken) as process:
                await_ping(process, port, wanted="the cache folder /proc/nowhere (CACHE_DIR) cannot be written")
        except ImageError as error:
            print(f"image test: failed: {error}", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            print(f"{(error.stderr or '')[-_SHOWN:]}\nimage test: failed: {error}", file=sys.stderr)
            return 1
        finally:
            subprocess.run(buildah.command("rm", "--all"), check=False, capture_output=True)
    print(
        f"image test: base {based - began:.0f} s, built in {built - based:.0f} s, started as root and served as {UID}, "
        f"/ping green after {seconds:.1f} s, without a cache it says why; "
        + ", ".join(f"{name} {value}" for name, value in facts.items())
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
