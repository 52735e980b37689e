"""The table of what is changed inside ministack, and the only way to change it.

ministack has no plug-in interface, so its modules are patched by name. The names are those of `VERSION`: read the table
again when the pin in constraints.txt moves.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

VERSION: Final = "1.5.33"

PATCHES: Final[Mapping[str, str]] = {
    "app.PERSIST_STATE": "`durability` alone saves the state: ministack loads it, and does not save it at the end.",
    "app.SERVICE_HANDLERS": "`durability` sees each request that succeeded before its answer goes out; and S3 answers "
    "403 in place of 404 to who may not list the bucket.",
    "app.pin_request_origin": "Loopback stands in for TLS: bucket policies that demand it hold as they are.",
    "core.iam_actions.dynamodb_service_context": "Policies may name the rows and attributes that a request touches.",
    "core.iam_actions.extract_resource_arn": "Calls on `AlarmNames` are about an alarm, not about `*`.",
    "core.iam_evaluator.enforce": "Each check is recorded, and a transaction is checked item by item.",
    "services.cloudformation.provisioners._RESOURCE_HANDLERS": "CloudFormation makes SageMaker's and scaling's "
    "resources, which are ours.",
    "services.lambda_svc._emit_lambda_logs": "A function that may not write logs loses its lines, as on AWS; and "
    "failures of functions reach the local cloud's own log.",
    "services.s3._complete_multipart_upload": "The parts of an upload are joined from disk, and each has its checksum.",
    "services.s3._get_object": "Tells `_read_body` when a range is asked for.",
    "services.s3._persist_object": "A joined object is written part by part and is never in memory whole.",
    "services.s3._read_body": "A range is read from the file alone, not cut from the whole object in memory.",
    "services.s3._upload_part": "Parts wait on disk, and one without its checksum is refused, as S3 does.",
    "services.sqs._HANDLERS": "SQS knows message move tasks: dead letters go back to where they came from.",
    "services.sqs._receive_messages_for_esm": "Lambda reads a queue with the rights of the function it reads for.",
}
"""Name below `ministack` → why it is not left as it is."""


def replace(name: str, wrap: Callable[[Any], Any]) -> None:
    """Put `wrap(x)` in place of x, what stands under `name` now.

    Raises:
        KeyError: the table has no such name.
    """
    module, attribute = _place(name)
    setattr(module, attribute, wrap(getattr(module, attribute)))


def extend(name: str, entries: Mapping[str, Any]) -> None:
    """Add `entries` to the dictionary under `name`, in place of those it has under the same keys.

    Raises:
        KeyError: the table has no such name.
    """
    module, attribute = _place(name)
    getattr(module, attribute).update(entries)


def _place(name: str) -> tuple[Any, str]:
    if name not in PATCHES:
        raise KeyError(f"{name} is not in the table of patches; add it there, with the reason")
    module, _, attribute = name.rpartition(".")
    return import_module(f"ministack.{module}"), attribute
