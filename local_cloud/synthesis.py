"""Synthesises the stacks in a subprocess, only if one of their sources has changed."""

import asyncio
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from local_cloud.settings import REPOSITORY, LocalSettings

logger = logging.getLogger("local_cloud.synthesis")

SOURCES = (
    "app.py",
    "build/console/site",
    "cdk.json",
    "constraints.txt",
    "pyproject.toml",
    "infrastructure",
    "lambdas",
    "generate_on_cloud/__init__.py",
    "generate_on_cloud/client",
    "generate_on_cloud/contract",
    "generate_on_cloud/faces",
    "generate_on_cloud/fetching",
    "generate_on_cloud/model_files",
    "generate_on_cloud/serve",
    "generate_on_cloud/webui",
    "inference_container/settings.py",
)
"""Everything that goes into the assembly, relative to the repository."""

_IGNORED_FOLDERS = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache"})


class SynthesisError(Exception):
    """The stacks could not be synthesised; the text ends with the command's output."""


def source_hash(root: Path, *, command: tuple[str, ...] = ()) -> str:
    """SHA-256 over names and contents of `SOURCES` below `root`, and the command."""
    digest = hashlib.sha256(json.dumps(command).encode())
    for path in _source_files(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _source_files(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        source = root / name
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file() and not _IGNORED_FOLDERS.intersection(path.parts):
                yield path


async def synthesise(settings: LocalSettings, *, root: Path = REPOSITORY) -> Path:
    """A folder with an assembly of the sources below `root`.

    Raises:
        SynthesisError: the command failed.
    """
    wanted = source_hash(root, command=(*settings.synthesis_command, *map("=".join, settings.context)))
    assembly = settings.state_dir / "assembly"
    stamp = assembly / "sources.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        return assembly
    fresh = settings.state_dir / "assembly.new"
    shutil.rmtree(fresh, ignore_errors=True)
    logger.info("synthesising the stacks (sources are new or have changed)")
    process = await asyncio.create_subprocess_exec(
        *settings.synthesis_command,
        cwd=root,
        env={
            **os.environ,
            "CDK_OUTDIR": str(fresh),
            "CDK_CONTEXT_JSON": json.dumps({**dict(settings.context), "local": "true"}),
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        said = output.decode(errors="replace").strip()[-4000:]
        raise SynthesisError(f"{' '.join(settings.synthesis_command)} exited with {process.returncode}:\n{said}")
    (fresh / "sources.sha256").write_text(wanted)
    shutil.rmtree(assembly, ignore_errors=True)
    fresh.rename(assembly)
    return assembly
