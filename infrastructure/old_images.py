"""Images of earlier deployments: each costs half a dollar a month in ECR until somebody deletes it.

The CDK pushes the image of every version into one repository of the account and deletes none; other programs' images
are there too. So a parameter notes which ones a stage has run, and only those are ever deleted.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from infrastructure.config import StageConfig
from infrastructure.deployed import ClientOf
from infrastructure.endpoint_changes import described
from infrastructure.endpoint_image import ECR_IMAGE

KEPT: Final = 2
"""The one that runs, and the one before it for the way back."""
OF_THE_CDK: Final = "-container-assets-"
"""In the name of the repository into which the CDK pushes; images elsewhere are their owner's."""


def images_parameter(stack_name: str) -> str:
    """Name of the SSM parameter: a JSON list of images, newest first."""
    return f"/{stack_name}/images"


def delete_old_images(client: ClientOf, config: StageConfig, *, say: Callable[[str], None] = print) -> None:
    """After a deployment: note its image, and delete those of earlier deployments except the last one's.

    An image that any model of the account uses stays.

    Raises:
        ClientError: AWS refused.
    """
    running = _running(client, config)
    if running is None:
        return
    noted = [running, *(image for image in _noted(client, config) if image != running)]
    left = _delete(client, noted[KEPT:], say=say)
    parameter = images_parameter(config.stack_name)
    client("ssm").put_parameter(Name=parameter, Value=json.dumps([*noted[:KEPT], *left]), Type="String", Overwrite=True)


def delete_all_images(client: ClientOf, config: StageConfig, *, say: Callable[[str], None] = print) -> None:
    """Delete every image that only this stage has run, once its stacks no longer exist.

    Raises:
        ClientError: AWS refused.
    """
    if noted := _noted(client, config):
        _delete(client, noted, say=say)
        client("ssm").delete_parameter(Name=images_parameter(config.stack_name))


def _running(client: ClientOf, config: StageConfig) -> str | None:
    """The image of the stage's endpoint; None if there is none, or if it is not the CDK's."""
    endpoint = described(client, config.default_endpoint)
    if not endpoint.get("EndpointConfigName"):
        return None
    sagemaker = client("sagemaker")
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    image = _image_of(sagemaker, variants["ProductionVariants"][0]["ModelName"])
    named = ECR_IMAGE.match(image)
    return image if named and OF_THE_CDK in named["name"] else None


def _noted(client: ClientOf, config: StageConfig) -> list[str]:
    try:
        found = client("ssm").get_parameter(Name=images_parameter(config.stack_name))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ParameterNotFound":
            raise
        return []
    return [str(image) for image in json.loads(found["Parameter"]["Value"])]


def _delete(client: ClientOf, images: Sequence[str], *, say: Callable[[str], None]) -> list[str]:
    """Delete those that no model uses; returns the others."""
    used = _used(client) if images else set()
    for image in [image for image in images if image not in used]:
        named = ECR_IMAGE.match(image)
        if named is None:
            continue
        say(f"image {image[named.end() :]} of an earlier deployment")
        _delete_one(client, named["name"], image[named.end() :])
    return [image for image in images if image in used]


def _delete_one(client: ClientOf, repository: str, tag: str) -> None:
    """ECR answers with success for an image that is not there."""
    try:
        client("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "RepositoryNotFoundException":
            raise


def _used(client: ClientOf) -> set[str]:
    """The images of all models: also endpoints created through the API and other stages start from them."""
    sagemaker = client("sagemaker")
    pages = sagemaker.get_paginator("list_models").paginate()
    return {_image_of(sagemaker, model["ModelName"]) for page in pages for model in page["Models"]}


def _image_of(sagemaker: Any, model: str) -> str:
    return str(sagemaker.describe_model(ModelName=model).get("PrimaryContainer", {}).get("Image", ""))
