"""The table of everything we change inside ministack, and the only way to change it.

ministack has no plug-in interface, so its modules are patched by name. The names are those of `VERSION`; check the
table again when the pin in constraints.txt changes.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

VERSION: Final = "1.5.33"

PATCHES: Final[Mapping[str, str]] = {
    "app.PERSIST_STATE": "Only `durability` saves the state: ministack loads it but does not save it at the end.",
    "app.SERVICE_HANDLERS": "`durability` sees each successful request before its answer is sent; and S3 answers "
    "403 instead of 404 to callers who may not list the bucket.",
    "app.pin_request_origin": "Loopback counts as TLS, so bucket policies that demand it work unchanged.",
    "core.iam_actions.dynamodb_service_context": "Policies may name the rows and attributes that a request touches.",
    "core.iam_actions.extract_resource_arn": "Calls on `AlarmNames` are about an alarm, not about `*`.",
    "core.iam_evaluator.enforce": "Each check is recorded, and a transaction is checked item by item.",
    "core.iam_evaluator.is_root_access_key": "Only this run's random key is root, not any account's number or `test`; "
    "without a key only the API's routes are reached.",
    "core.lambda_runtime._LOCAL_MAX_WORKERS": "A function has a bounded number of processes.",
    "core.lambda_runtime.acquire_worker": "A warm worker whose credentials end soon is started again with new ones.",
    "core.lambda_runtime.execution_credentials": "The credentials of functions end, as on AWS, and nobody can compute "
    "them; and functions log as in AWS's runtime.",
    "services.apigateway_v1._build_lambda_event_v1": "A body that is not UTF-8 reaches the function as it was sent.",
    "services.apigateway_v1._invoke_lambda_proxy_v1": "A throttled function is a failed integration, as on AWS.",
    "services.apigateway_v1._lambda_proxy_response": "As `services.apigateway_v1._invoke_lambda_proxy_v1`.",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS": "CloudFormation creates SageMaker's and scaling's "
    "resources, which we implement.",
    "services.dynamodb._emit_stream_event": "Every write is noted, so that indices show it later than their table.",
    "services.dynamodb._query": "A global secondary index shows a write after its table.",
    "services.dynamodb._scan": "As `services.dynamodb._query`.",
    "services.eventbridge._dispatch_to_lambda": "A function that a rule starts is tried again; some events come twice.",
    "services.lambda_svc._emit_lambda_logs": "A function that may not write logs loses its lines, as on AWS; "
    "functions' logs are also files; and failures of functions reach the local cloud's own log.",
    "services.lambda_svc.acquire_worker": "As `core.lambda_runtime.acquire_worker`, which it has imported; and "
    "requests wait for a worker instead of being throttled.",
    "services.lambda_svc.invoke_async_with_retry": "Some events come twice, and a throttled one is not a failed one.",
    "services.lambda_svc.release_worker": "The next request in the queue gets the worker.",
    "services.s3._complete_multipart_upload": "The parts of an upload are joined from disk, and each has its checksum.",
    "services.s3._get_object": "Tells `_read_body` when a range is requested.",
    "services.s3._persist_object": "A joined object is written part by part and is never in memory whole.",
    "services.s3._read_body": "Only the range is read from the file, instead of cutting it from the whole object.",
    "services.s3._upload_part": "Parts wait on disk, and one without its checksum is refused, as S3 does.",
    "services.sns._deliver_to_lambda": "A function that a topic starts is tried again, and ends as a dead letter.",
    "services.sqs._HANDLERS": "SQS supports message move tasks, which return dead letters to their queue.",
    "services.sqs._receive_messages_for_esm": "Lambda reads a queue with the permissions of the function it reads for, "
    "and some messages come twice.",
}
"""Name below `ministack` → why we change it."""


def replace(name: str, wrap: Callable[[Any], Any]) -> None:
    """Replace x, the current value of `name`, by `wrap(x)`.

    Raises:
        KeyError: the table does not have the name.
    """
    module, attribute = _place(name)
    setattr(module, attribute, wrap(getattr(module, attribute)))


def extend(name: str, entries: Mapping[str, Any]) -> None:
    """Add `entries` to the dictionary called `name`, replacing those with the same keys.

    Raises:
        KeyError: the table does not have the name.
    """
    module, attribute = _place(name)
    getattr(module, attribute).update(entries)


def _place(name: str) -> tuple[Any, str]:
    if name not in PATCHES:
        raise KeyError(f"{name} is not in the table of patches; add it there, with the reason")
    module, _, attribute = name.rpartition(".")
    return import_module(f"ministack.{module}"), attribute
