"""SageMaker's notification about a finished asynchronous invocation, as its SNS topics carry it."""

import json
from datetime import UTC, datetime

from local_cloud.sagemaker.records import NewInvocation


def notification(
    invocation: NewInvocation,
    *,
    status: str,
    region: str,
    content_type: str | None = None,
    failure_reason: str | None = None,
) -> str:
    """The JSON text of the message.

    Args:
        status: `Completed`, `Failed` or `Expired`.
        content_type: content type of the output object, if completed.
        failure_reason: the reason in words, otherwise.
    """
    message: dict[str, object] = {
        "awsRegion": region,
        "eventTime": _time(datetime.now(tz=UTC)),
        "receivedTime": _time(datetime.fromtimestamp(invocation.received_at, tz=UTC)),
        "invocationStatus": status,
        "requestParameters": {
            "endpointName": invocation.endpoint,
            "inputLocation": invocation.input_location,
            "accept": invocation.accept,
        },
        "inferenceId": invocation.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    if failure_reason is None:
        message["responseParameters"] = {
            "contentType": content_type,
            "outputLocation": invocation.output_location,
        }
    else:
        message["failureReason"] = failure_reason
        if invocation.failure_location is not None:
            message["responseParameters"] = {"failureLocation": invocation.failure_location}
    return json.dumps(message)


def topic_test(endpoint: str) -> str:
    """The test that SageMaker sends to a topic; AWS documents that it comes and can be ignored, not its words."""
    return json.dumps(
        {
            "eventTime": _time(datetime.now(tz=UTC)),
            "eventSource": "aws:sagemaker",
            "eventName": "TestNotification",
            "requestParameters": {"endpointName": endpoint},
        }
    )


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
