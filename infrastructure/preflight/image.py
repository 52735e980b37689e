"""The container's image: Docker with room to build it, or an existing image with a manifest that SageMaker accepts."""

import json
from typing import Any, Final

from botocore.exceptions import ClientError

from generate_on_cloud.standing import read_prices
from infrastructure.endpoint_image import ECR_IMAGE
from infrastructure.preflight.rows import Row, Subject, Verdict, error_code

GIGABYTES: Final = 30
"""The image needs ten, its layers during the build and the cache as much again, and a push needs some."""
TAKEN: Final = "application/vnd.docker.distribution.manifest.v2+json"
"""SageMaker's CreateModel answers "unsupported manifest media type" to OCI manifests and to lists of several images."""
_ASKED: Final = (
    TAKEN,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)


def docker(subject: Subject) -> Row:
    """The program that builds the image, unless an image is given."""
    if subject.config.image_uri:
        return Row("docker", Verdict.OK, "not needed: image_uri is given")
    version = subject.machine.docker_version()
    ready = 'start Docker, or give an image with CONTEXT="-c image_uri=…"'
    if version is None:
        if subject.kept is not None:
            text = "Docker is not running: fine if the container has not changed since the last deployment"
            return Row("docker", Verdict.LOOK, text, ready)
        return Row("docker", Verdict.STOP, "Docker is not running, and the image must be built", ready)
    free = subject.machine.free_gigabytes()
    if free < GIGABYTES:
        text = f"the image needs {GIGABYTES} GB to build; only {free:.0f} GB are free"
        return Row("docker", Verdict.STOP, text, "docker system prune")
    return Row("docker", Verdict.OK, f"version {version}, {free:.0f} GB free")


def manifest(subject: Subject) -> Row:
    """The manifest's media type of the given image, or of the newest one that the CDK has pushed."""
    uri = subject.config.image_uri
    return _pushed(subject) if uri is None else _given(subject, uri)


def _given(subject: Subject, uri: str) -> Row:
    found = ECR_IMAGE.match(uri)
    if found is None:
        text = f"received image_uri {uri!r}; allowed: an image in a private ECR repository"
        return Row("image", Verdict.STOP, text, 'CONTEXT="-c image_uri=ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG"')
    if found["region"] != subject.region:
        text = f"the image is in {found['region']} but the stage in {subject.region}"
        return Row("image", Verdict.STOP, text, "push it to a repository of that region")
    separator, name = uri[found.end() - 1], uri[found.end() :]
    wanted = {"imageDigest": name} if separator == "@" else {"imageTag": name}
    try:
        answer = subject.client("ecr").batch_get_image(
            registryId=found["account"],
            repositoryName=found["name"],
            imageIds=[wanted],
            acceptedMediaTypes=list(_ASKED),
        )
    except ClientError as error:
        if error_code(error) != "RepositoryNotFoundException":
            raise
        answer = {"images": []}
    if not answer["images"]:
        return Row("image", Verdict.STOP, f"the image {uri} does not exist", "docker push it, or leave image_uri out")
    kind = _media_type(answer["images"][0])
    if kind == TAKEN:
        return Row("image", Verdict.OK, f"{uri} has a Docker manifest")
    mend = (
        "docker buildx build --platform linux/amd64 --provenance=false "
        f"--output type=image,name={uri},oci-mediatypes=false,push=true -f inference_container/Dockerfile ."
    )
    return Row(
        "image", Verdict.STOP, f"its manifest is {kind}, but SageMaker only accepts {TAKEN}; push it again", mend
    )


def _pushed(subject: Subject) -> Row:
    repository = f"cdk-hnb659fds-container-assets-{subject.account}-{subject.region}"
    try:
        images = subject.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    except ClientError as error:
        if error_code(error) != "RepositoryNotFoundException":
            raise
        images = []
    if not images:
        return Row("image", Verdict.OK, "none pushed yet")
    newest = max(images, key=lambda image: image["imagePushedAt"])
    kind = newest.get("imageManifestMediaType", TAKEN)
    if kind == TAKEN:
        stored = sum(image.get("imageSizeInBytes", 0) for image in images) / 2**30
        dollars = stored * read_prices().ecr_gb_month
        text = f"{len(images)} pushed, {stored:.1f} GB for {dollars:.2f} USD a month; the newest has a Docker manifest"
        return Row("image", Verdict.OK, text)
    mend = f"aws ecr batch-delete-image --repository-name {repository} --image-ids imageDigest={newest['imageDigest']}"
    text = f"the newest pushed image has a manifest SageMaker refuses ({kind}); if this version uses it, remove it"
    return Row("image", Verdict.LOOK, text, mend)


def _media_type(image: dict[str, Any]) -> str:
    """From the manifest itself; ECR's answer repeats it."""
    said = json.loads(image.get("imageManifest") or "{}").get("mediaType")
    return str(said or image.get("imageManifestMediaType") or TAKEN)
