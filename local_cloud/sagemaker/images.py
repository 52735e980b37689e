"""SageMaker looks at an image's manifest when a model is created, and takes Docker's type only."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from infrastructure.endpoint_image import ECR_IMAGE
from local_cloud.settings import ACCOUNT

TAKEN: Final = "application/vnd.docker.distribution.manifest.v2+json"


class Images(Protocol):
    """The images in the account's repositories."""

    def manifest_type(self, repository: str, reference: str) -> str | None:
        """Media type of the manifest of the image with this tag or digest; None if it does not exist."""


def why_image_is_refused(images: Images, model: Mapping[str, Any]) -> str | None:
    """Why no model can be created from the image; None if nothing prevents it.

    Images that are in no repository of this account are not looked at: the container runs from the sources.
    """
    uri = str((model.get("PrimaryContainer") or {}).get("Image", ""))
    named = ECR_IMAGE.match(uri)
    if named is None or named["account"] != ACCOUNT:
        return None
    kind = images.manifest_type(named["name"], uri[named.end() :])
    if kind is None:
        return f"Requested image {uri} not found."
    if kind != TAKEN:
        return (
            f"Unsupported manifest media type {kind} for image {uri}. "
            "Ensure that valid manifest media type is used for specified image."
        )
    return None
