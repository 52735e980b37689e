"""SageMaker's API calls that create and delete models, configurations and endpoints."""

from collections.abc import Callable
from functools import partial
from typing import Any

from local_cloud.sagemaker.quotas import OverQuotaError
from local_cloud.sagemaker.records import EndpointStatus, Kind, Resource
from local_cloud.sagemaker.refusals import RefusedError
from local_cloud.sagemaker.service import NAME_PROPERTIES, SageMaker
from local_cloud.sagemaker.specs import NotDeployableError

ARN_PROPERTIES = {Kind.MODEL: "ModelArn", Kind.ENDPOINT_CONFIG: "EndpointConfigArn", Kind.ENDPOINT: "EndpointArn"}
_WORDS = {Kind.MODEL: "Model", Kind.ENDPOINT_CONFIG: "EndpointConfig", Kind.ENDPOINT: "Endpoint"}


class ControlPlane:
    """`operations`: functions from request to answer, by the operation's name."""

    def __init__(self, sagemaker: SageMaker) -> None:
        self._sagemaker = sagemaker
        self.operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            f"{verb}{word}": partial(act, kind)
            for kind, word in _WORDS.items()
            for verb, act in (("Create", self._create), ("Delete", self._delete))
        }
        self.operations["UpdateEndpointWeightsAndCapacities"] = self._scale
        for kind in (Kind.MODEL, Kind.ENDPOINT_CONFIG):
            self.operations[f"List{_WORDS[kind]}s"] = partial(self._list, kind)

    def _scale(self, request: dict[str, Any]) -> dict[str, Any]:
        """Only to zero: one machine has one container, which the next invocation starts."""
        endpoint = required(self._sagemaker, Kind.ENDPOINT, str(request.get("EndpointName", "")))
        if endpoint.status is not EndpointStatus.IN_SERVICE:
            raise RefusedError(
                "ValidationException", f'Cannot update endpoint "{endpoint.arn}" in status {endpoint.status}.'
            )
        wanted = [int(each.get("DesiredInstanceCount", 1)) for each in request.get("DesiredWeightsAndCapacities", ())]
        if wanted == [0]:
            self._sagemaker.put_to_sleep(endpoint.name)
        return {"EndpointArn": endpoint.arn}

    def _list(self, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
        """All of them on one page."""
        part = str(request.get("NameContains", "")).lower()
        found = [resource for resource in self._sagemaker.store.list(kind) if part in resource.name.lower()]
        name, arn = NAME_PROPERTIES[kind], ARN_PROPERTIES[kind]
        return {f"{_WORDS[kind]}s": [{name: one.name, arn: one.arn, "CreationTime": one.created_at} for one in found]}

    def _create(self, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
        name = str(request.get(NAME_PROPERTIES[kind], ""))
        if self._sagemaker.store.get(kind, name) is not None:
            arn = self._sagemaker.arn(kind, name)
            raise RefusedError("ValidationException", f'Cannot create already existing {kind.value} "{arn}".')
        try:
            arn = self._sagemaker.put(kind, name, request)
        except NotDeployableError as error:
            code = "ResourceLimitExceeded" if isinstance(error, OverQuotaError) else "ValidationException"
            raise RefusedError(code, str(error)) from error
        return {ARN_PROPERTIES[kind]: arn}

    def _delete(self, kind: Kind, request: dict[str, Any]) -> dict[str, Any]:
        name = str(request.get(NAME_PROPERTIES[kind], ""))
        self._sagemaker.remove(kind, required(self._sagemaker, kind, name).name)
        return {}


def required(sagemaker: SageMaker, kind: Kind, name: str) -> Resource:
    """The resource that a request names.

    Raises:
        RefusedError: it does not exist.
    """
    resource = sagemaker.store.get(kind, name)
    if resource is None:
        arn = sagemaker.arn(kind, name)
        raise RefusedError("ValidationException", f'Could not find {kind.value.replace("-", " ")} "{arn}".')
    return resource
