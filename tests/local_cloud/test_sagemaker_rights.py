"""Which right on which resource a request to the local SageMaker asks for."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from local_cloud.sagemaker.wire import SageMakerWire


@pytest.mark.parametrize(
    ("operation", "request_body", "resource"),
    [
        ("DescribeEndpoint", {"EndpointName": "e"}, "endpoint/e"),
        ("DescribeEndpointConfig", {"EndpointConfigName": "c"}, "endpoint-config/c"),
        ("DeleteModel", {"ModelName": "m"}, "model/m"),
        ("UpdateEndpointWeightsAndCapacities", {"EndpointName": "e", "DesiredWeightsAndCapacities": []}, "endpoint/e"),
        ("ListEndpoints", {}, "*"),
    ],
)
def test_a_request_asks_for_the_right_to_what_it_names(
    operation: str, request_body: dict[str, object], resource: str
) -> None:
    wire: Any = object.__new__(SageMakerWire)
    wire._sagemaker = SimpleNamespace(arn=lambda kind, name: f"{kind.value}/{name}")
    headers = {"x-amz-target": f"SageMaker.{operation}"}

    ((action, asked),) = wire._asked(None, headers, json.dumps(request_body).encode())

    assert action == f"sagemaker:{operation}"
    assert asked.lower().replace("endpointconfig", "endpoint-config").endswith(resource)
