"""The web console's function: it serves files, has no rights, and comes in a small bundle without dependencies."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

from aws_cdk import Duration, Fn
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from infrastructure.bundling import ROOT, Bundle, build_once
from infrastructure.function_maker import FunctionMaker
from infrastructure.storage import Storage
from lambdas.settings import ConsoleSettings

SITE: Final = Path("build/console/site")
"""The built files, relative to the repository; `make console` writes them."""
_SOURCES: Final = ("lambdas/__init__.py", "lambdas/console/*.py")


def build_console_bundle(*, root: Path = ROOT) -> Bundle:
    """The function's sources and the built console, which is absent if it has not been built."""
    files = {path.relative_to(root).as_posix(): path for pattern in _SOURCES for path in root.glob(pattern)}
    site = root / SITE
    built = (path for path in site.rglob("*") if path.is_file())
    files |= {f"lambdas/console/site/{path.relative_to(site).as_posix()}": path for path in built}
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    key = digest.hexdigest()

    def fill(folder: Path) -> None:
        for name, path in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)

    return Bundle(path=build_once(root / "build" / "lambda" / f"console-{key[:16]}", fill), hash=key)


def add_console(maker: FunctionMaker, *, code: lambda_.Code, storage: Storage) -> lambda_.Function:
    """The function; API Gateway sends it the page's own paths."""
    origins = [_origin(bucket) for bucket in (storage.jobs_bucket, storage.assets_bucket)]
    return maker.make(
        "Console",
        handler="lambdas.console.handler.handler",
        memory_megabytes=256,
        timeout=Duration.seconds(10),
        settings=ConsoleSettings(STORAGE_ORIGINS=Fn.join(" ", origins)),
        grants=[],
        code=code,
    )


def _origin(bucket: s3.Bucket) -> str:
    """Of presigned URLs, which name the bucket in the host."""
    return f"https://{bucket.bucket_regional_domain_name}"
