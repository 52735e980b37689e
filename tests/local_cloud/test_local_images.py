"""SageMaker takes only images with a manifest of Docker's type, and so does the local cloud."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_cloud.cloud import LocalCloud
from local_cloud.preflight import CannotStartError
from tests.local_cloud.tiny_stack import CONTAINER, template, write_assembly

REPOSITORY = "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}"


def assembly(folder: Path, *, outputs: list[str] | None, tag: str = "abc") -> Path:
    """The tiny stack with an image that the CDK builds with these `--output`s and tags `abc`."""
    stack = template()
    stack["Resources"]["Model"]["Properties"]["PrimaryContainer"]["Image"] = {
        "Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/" + f"{REPOSITORY}:{tag}"
    }
    write_assembly(folder, stack)
    assets = json.loads((folder / "Tiny.assets.json").read_text())
    source: dict[str, Any] = {"directory": "asset.image"} | ({} if outputs is None else {"dockerOutputs": outputs})
    destinations = {"here": {"repositoryName": REPOSITORY, "imageTag": "abc"}}
    assets["dockerImages"] = {"abc": {"source": source, "destinations": destinations}}
    (folder / "Tiny.assets.json").write_text(json.dumps(assets))
    return folder


@pytest.mark.parametrize(
    ("outputs", "tag", "refusal"),
    [
        (
            None,
            "abc",
            r"Unsupported manifest media type application/vnd\.oci\.image\.manifest\.v1\+json for image .*:abc",
        ),
        (["type=oci"], "abc", r"Unsupported manifest media type"),
        (["type=docker"], "never-pushed", r"Requested image .*:never-pushed not found"),
    ],
    ids=["Docker's default", "OCI", "an image that does not exist"],
)
def test_a_model_of_an_image_that_sagemaker_cannot_take_is_refused(
    tmp_path: Path, outputs: list[str] | None, tag: str, refusal: str
) -> None:
    folder = assembly(tmp_path / "assembly", outputs=outputs, tag=tag)
    cloud = LocalCloud(tmp_path / "state", assembly=folder, container_command=CONTAINER)

    with pytest.raises(CannotStartError, match=refusal):
        cloud.start()


def test_a_model_of_an_image_with_dockers_manifest_is_created(tmp_path: Path) -> None:
    folder = assembly(tmp_path / "assembly", outputs=["type=docker"])
    with LocalCloud(tmp_path / "state", assembly=folder, container_command=CONTAINER) as cloud:
        assert cloud.endpoint_name
