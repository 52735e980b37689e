"""The SageMaker endpoint of the local cloud, spoken to with boto3, with a real container process behind it."""

import json
import signal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from conftest import Tiny  # type: ignore[import-not-found]


def test_an_invocation_gives_an_output_object_and_a_success_message(shared: Tiny) -> None:
    locations = shared.submit("success", {"text": "a cat"})

    message = shared.message("success")

    assert json.loads(shared.object(locations["output"])) == {"text": "A CAT", "greeting": "hello"}
    assert message["invocationStatus"] == "Completed"
    assert message["responseParameters"]["outputLocation"] == locations["output"]
