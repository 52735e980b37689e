"""Lambda bundles: our sources and their dependencies, built without Docker. Nearly all functions share one.

A bundle is a plain folder under `build/`, made before the stack is synthesised. Two caches keep later syntheses fast:

`build/dependencies/{platform}-{hash}`  a dependency group, by hash of its names, constraints.txt and platform
`build/lambda/{platform}-{hash}`        that plus our sources, by hash of both; this hash is also the asset's

Where the dependencies come from:

AWS    wheels for Lambda's arm64 python3.13, downloaded by pip on any machine.
local  wheels for this interpreter, because the emulator runs Lambda code in it. If the running environment has the
       pinned versions of the whole closure, they are copied without a network; otherwise pip installs them.

Byte code is included because `/var/task` is read-only and could never store any. It is of the unchecked-hash kind:
asset zips reset the time stamps by which Python would otherwise consider it stale. If no interpreter of the bundle's
version is found, the bundle has no byte code (which only makes its start slower) and another hash.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Contents:
    """What a bundle is made of."""

    group: str
    """The dependency group of pyproject.toml."""
    sources: tuple[str, ...]
    """Patterns, relative to the repository."""
    without: tuple[str, ...] = ()
    """Beginnings of the paths among them that belong to another bundle or to none."""
    suffix: str = ""
    """What its name has behind the platform's."""

    def files(self, root: Path) -> list[Path]:
        """The sources, in order."""
        found = (path for pattern in self.sources for path in root.glob(pattern))
        return sorted(path for path in found if not path.relative_to(root).as_posix().startswith(self.without))


def _whole(*folders: str) -> tuple[str, ...]:
    """Everything in these folders; they bring the `__init__.py` of their parents with them."""
    return ("generate_on_cloud/__init__.py", *(f"{folder}/**/*.py" for folder in folders))


SHARED: Final = Contents(
    "lambdas",
    _whole(
        "lambdas",
        "generate_on_cloud/contract",
        "generate_on_cloud/fetching",
        "generate_on_cloud/model_files",
        "generate_on_cloud/webui",
    ),
    without=("lambdas/sdapi/",),
)
"""Of all functions but those below; the client and its command are not in it."""
SDAPI: Final = Contents(
    "sdapi",
    (
        "lambdas/__init__.py",
        "lambdas/settings.py",
        *_whole(
            "lambdas/sdapi",
            "generate_on_cloud/client",
            "generate_on_cloud/contract",
            "generate_on_cloud/faces",
            "generate_on_cloud/model_files",
            "generate_on_cloud/serve",
            "generate_on_cloud/webui",
        ),
    ),
    without=("generate_on_cloud/serve/server.py",),
    suffix="-sdapi",
)
"""Of the function that answers WebUI's API; API Gateway is its server."""
_RECIPE: Final = "1"
"""Increase this when the steps below change a bundle's content."""


class BundleError(RuntimeError):
    """The bundle could not be built; the message has the output of pip or the compiler."""


@dataclass(frozen=True)
class Platform:
    """The machine that a bundle's wheels are for."""

    name: str
    python: tuple[int, int]
    wheel_tags: tuple[str, ...] = ()
    """Platform tags that pip may use; empty for the running machine."""


AWS: Final = Platform(name="aws", python=(3, 13), wheel_tags=("manylinux2014_aarch64", "manylinux_2_28_aarch64"))
"""The Lambda runtime python3.13 on arm64: Amazon Linux 2023 has glibc 2.34, so both generations of wheels run."""
LOCAL: Final = Platform(name="local", python=(sys.version_info.major, sys.version_info.minor))


@dataclass(frozen=True)
class Bundle:
    """A finished bundle."""

    path: Path
    hash: str
    """The same for the same sources, dependencies and platform."""


def build_bundle(contents: Contents = SHARED, *, platform: Platform, root: Path = ROOT) -> Bundle:
    """Build the bundle, or return the existing one.

    Args:
        contents: what it is made of.
        platform: `AWS` or `LOCAL`.
        root: the repository; sources, pyproject.toml and constraints.txt are read there, `build/` is written there.

    Raises:
        BundleError: a dependency is not available in its pinned version for the platform.
    """
    interpreter = find_interpreter(platform.python)
    dependencies = _install_dependencies(contents.group, platform=platform, interpreter=interpreter, root=root)
    sources = contents.files(root)
    digest = hashlib.sha256(dependencies.name.encode())
    for source in sources:
        digest.update(f"\0{source.relative_to(root).as_posix()}\0".encode() + source.read_bytes())
    key = digest.hexdigest()

    def fill(folder: Path) -> None:
        # Hard links: a bundle's files are never written again, so a new bundle only costs what changed.
        shutil.copytree(dependencies, folder, copy_function=os.link, dirs_exist_ok=True)
        for source in sources:
            target = folder / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        if interpreter:
            _compile(folder, [top for top in ("lambdas", "generate_on_cloud") if (folder / top).is_dir()], interpreter)

    path = build_once(root / "build" / "lambda" / f"{platform.name}{contents.suffix}-{key[:16]}", fill)
    return Bundle(path=path, hash=key)


def find_interpreter(version: tuple[int, int]) -> str | None:
    """A CPython of this minor version for compiling: the running one, else from PATH or pyenv; None if absent."""
    if sys.version_info[:2] == version and sys.implementation.name == "cpython":
        return sys.executable
    name = f"python{version[0]}.{version[1]}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(name), *sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}"))]
    for candidate in (str(path) for path in found if path):
        report = "import sys; print(sys.implementation.name, *sys.version_info[:2])"
        run = subprocess.run([candidate, "-I", "-c", report], capture_output=True, text=True, check=False)  # noqa: S603
        # A pyenv shim is on PATH even if its version is not active, and then fails.
        if run.returncode == 0 and run.stdout.split() == ["cpython", str(version[0]), str(version[1])]:
            return candidate
    return None


def _install_dependencies(group: str, *, platform: Platform, interpreter: str | None, root: Path) -> Path:
    names = tuple(sorted(read_group(root=root, group=group)))
    constraints = root / "constraints.txt"
    pins = "\n".join(sorted(line.strip() for line in constraints.read_text().splitlines() if line.strip()))
    facts = [_RECIPE, names, pins, platform.name, platform.python, platform.wheel_tags, bool(interpreter)]
    if not platform.wheel_tags:
        facts += [sysconfig.get_platform()]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def fill(folder: Path) -> None:
        if platform.wheel_tags or not _copy_installed(names, constraints=constraints, folder=folder):
            _pip_install(group, names, constraints=constraints, platform=platform, folder=folder)
        _remove_traces(folder)
        if interpreter:
            _compile(folder, sorted(path.name for path in folder.iterdir() if path.suffix != ".dist-info"), interpreter)

    return build_once(root / "build" / "dependencies" / f"{platform.name}-{key}", fill)


def read_group(*, root: Path = ROOT, group: str = SHARED.group) -> list[str]:
    """The requirements of a dependency group of pyproject.toml."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    return [entry for entry in groups[group] if isinstance(entry, str)]


def read_requirements(group: str, *, root: Path = ROOT) -> list[str]:
    """All requirements of a dependency group, including those of the groups it includes."""
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    found: list[str] = []
    for entry in groups[group]:
        found += [entry] if isinstance(entry, str) else read_requirements(entry["include-group"], root=root)
    return found


def _pip_install(group: str, names: tuple[str, ...], *, constraints: Path, platform: Platform, folder: Path) -> None:
    target = [f"--platform={tag}" for tag in platform.wheel_tags]
    if target:
        target += ["--implementation=cp", f"--python-version={platform.python[0]}.{platform.python[1]}"]
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile",
        "--only-binary=:all:", f"--target={folder}", f"--constraint={constraints}", *target, *names,
    ]  # fmt: skip
    _run(command, doing=f"installing the {group} group for {platform.name}")


def _copy_installed(names: tuple[str, ...], *, constraints: Path, folder: Path) -> bool:
    """Copy the closure of `names` from the running environment; False if a part is missing or of another version."""
    pins = _read_pins(constraints)
    try:
        closure = list(walk_closure(names))
    except PackageNotFoundError:
        return False
    if any(pins.get(canonicalize_name(found.name)) != found.version for found in closure):
        return False
    copies: list[tuple[Path, Path]] = []
    for found in closure:
        # Scripts are outside site-packages (`../../../bin`); a Lambda does not need them.
        kept = [file for file in found.files or [] if ".." not in file.parts and file.suffix != ".pyc"]
        copies.extend((Path(str(found.locate_file(file))), folder / file) for file in kept)
    if not copies or not all(source.is_file() for source, _ in copies):
        return False
    for source, target in copies:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return True


def walk_closure(names: tuple[str, ...]) -> Iterator[Distribution]:
    """The distributions that `names` need here, each once.

    Raises:
        PackageNotFoundError: one is not installed.
    """
    environment = {key: str(value) for key, value in default_environment().items()}
    waiting, seen = [Requirement(name) for name in names], set[str]()
    while waiting:
        requirement = waiting.pop()
        if (name := canonicalize_name(requirement.name)) in seen:
            continue
        seen.add(name)
        found = distribution(name)
        yield found
        extras = requirement.extras or {""}
        for line in found.requires or []:
            needed = Requirement(line)
            if not needed.marker or any(needed.marker.evaluate({**environment, "extra": extra}) for extra in extras):
                waiting.append(needed)


def _read_pins(constraints: Path) -> dict[str, str]:
    pairs = (line.split("==", 1) for line in constraints.read_text().splitlines() if "==" in line)
    return {canonicalize_name(name.strip()): version.strip() for name, version in pairs}


def _remove_traces(folder: Path) -> None:
    """Remove the traces of how and where a wheel was installed, and files that no Lambda reads."""
    for cache in sorted(folder.rglob("__pycache__")):
        shutil.rmtree(cache)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for info in folder.glob("*.dist-info"):
        for name in ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json"):
            (info / name).unlink(missing_ok=True)


def _compile(folder: Path, tops: list[str], interpreter: str) -> None:
    command = [
        interpreter, "-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
        "-s", str(folder), "-p", "/var/task", *(str(folder / top) for top in tops),
    ]  # fmt: skip
    _run(command, doing=f"compiling {folder.name} with {interpreter}")


def _run(command: list[str], *, doing: str) -> None:
    # A fixed hash seed and no colour: the same input gives the same bytes and readable messages.
    environment = os.environ | {"PYTHONHASHSEED": "0", "NO_COLOR": "1"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if run.returncode:
        said = re.sub(r"\n{2,}", "\n", (run.stderr or run.stdout).strip())
        message = f"{doing} failed:\n{said}"
        raise BundleError(message)


def build_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """Fill `target` through a folder next to it that is renamed when complete, so that no partial one is ever seen."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        fill(folder)
        try:
            folder.rename(target)
        except OSError:
            # Another process finished first, with the same content.
            if not target.is_dir():
                raise
    return target
