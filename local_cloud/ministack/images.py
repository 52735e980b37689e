"""ECR's images, as SageMaker reads them."""


def manifest_type(repository: str, reference: str, *, account: str, region: str) -> str | None:
    """Media type of the manifest of the image with this tag or digest; None if it does not exist."""
    from ministack.core.responses import request_scope
    from ministack.services import ecr

    wanted = {"imageDigest": reference} if reference.startswith("sha256:") else {"imageTag": reference}
    with request_scope(account, region):
        if repository not in ecr._repositories:  # noqa: SLF001
            return None
        image = ecr._find_image(repository, wanted)  # noqa: SLF001
    return None if image is None else str(image["imageManifestMediaType"])
