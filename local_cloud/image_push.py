"""Pushes an assembly's images as Docker 29 would, without their layers: SageMaker reads their manifests."""

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

OCI: Final = "application/vnd.oci.image.manifest.v1+json"
"""What Docker's containerd image store pushes, unless the build is asked for Docker's type."""
DOCKER: Final = "application/vnd.docker.distribution.manifest.v2+json"


def push_images(ecr: Any, assets: Mapping[str, Any], *, filled: Callable[[str], str]) -> None:
    """Push what a CDK asset manifest lists; `filled` replaces the account and the region in its names."""
    for digest, asset in assets.get("dockerImages", {}).items():
        kind = DOCKER if "type=docker" in asset["source"].get("dockerOutputs", ()) else OCI
        for destination in asset["destinations"].values():
            repository = filled(destination["repositoryName"])
            with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
                ecr.create_repository(repositoryName=repository)
            ecr.put_image(
                repositoryName=repository,
                imageManifest=json.dumps({"schemaVersion": 2, "mediaType": kind, "asset": digest}),
                imageManifestMediaType=kind,
                imageTag=filled(destination["imageTag"]),
            )
