"""Adds SQS's message move tasks to ministack: dead letters return to the queue where they are processed."""

import base64
import json
import time
from typing import Any

from local_cloud.ministack.patches import extend


def teach_message_moves() -> None:
    """Add StartMessageMoveTask and ListMessageMoveTasks; visible messages have moved when the task is answered."""
    from ministack.services import sqs

    started: list[dict[str, Any]] = []

    def start(data: dict[str, Any], _url: str) -> dict[str, Any]:
        source_arn, destination_arn = data.get("SourceArn", ""), data.get("DestinationArn")
        source = _queue(sqs, source_arn, "SourceArn", "sqs:StartMessageMoveTask")
        if not _is_dead_letter_queue(sqs, source_arn):
            raise sqs._Err(  # noqa: SLF001
                "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
            )
        if destination_arn is not None:
            _queue(sqs, destination_arn, "DestinationArn", "sqs:SendMessage")
        with sqs._queues_lock:  # noqa: SLF001
            moved, left = _move(sqs, source, destination_arn)
        handle = {"taskId": sqs.new_uuid(), "sourceArn": source_arn}
        started.append(
            {
                "Status": "FAILED" if left else "COMPLETED",
                "SourceArn": source_arn,
                **({"DestinationArn": destination_arn} if destination_arn else {}),
                **({"FailureReason": "CouldNotDetermineMessageSource"} if left else {}),
                "ApproximateNumberOfMessagesMoved": moved,
                "ApproximateNumberOfMessagesToMove": moved + left,
                "StartedTimestamp": int(time.time() * 1000),
            }
        )
        return {"TaskHandle": base64.b64encode(json.dumps(handle).encode()).decode()}

    def list_(data: dict[str, Any], _url: str) -> dict[str, Any]:
        source_arn = data.get("SourceArn", "")
        _queue(sqs, source_arn, "SourceArn", "sqs:ListMessageMoveTasks")
        newest = [task for task in reversed(started) if task["SourceArn"] == source_arn]
        return {"Results": newest[: int(data.get("MaxResults") or 1)]}

    extend("services.sqs._HANDLERS", {"StartMessageMoveTask": start, "ListMessageMoveTasks": list_})


def _queue(sqs: Any, arn: str, parameter: str, action: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)  # noqa: SLF001
    if queue is None:
        raise sqs._Err(  # noqa: SLF001
            "ResourceNotFoundException", f"The resource that you specified for the {parameter} parameter doesn't exist."
        )
    sqs._enforce_queue_policy(queue, action)  # noqa: SLF001
    return queue


def _is_dead_letter_queue(sqs: Any, arn: str) -> bool:
    policies = (queue["attributes"].get("RedrivePolicy") for queue in sqs._queues.values())  # noqa: SLF001
    return any(policy and json.loads(policy)["deadLetterTargetArn"] == arn for policy in policies)


def _move(sqs: Any, source: dict[str, Any], destination_arn: str | None) -> tuple[int, int]:
    """How many messages were moved, and how many have no queue to go to; messages being read are left alone."""
    now, kept, moved, left = time.time(), [], 0, 0
    for message in source["messages"]:
        came_from = message.get("sys", {}).get("DeadLetterQueueSourceArn")
        destination = sqs._queue_by_arn(destination_arn or came_from or "")  # noqa: SLF001
        if message["visible_at"] > now or destination is None:
            kept.append(message)
            left += message["visible_at"] <= now
            continue
        # To AWS it is a new message, with its own id and retention, and not received yet.
        told = {name: value for name, value in message.get("sys", {}).items() if name != "DeadLetterQueueSourceArn"}
        fresh = {"id": sqs.new_uuid(), "receipt_handle": None, "receive_count": 0, "first_receive_at": None}
        destination["messages"].append({**message, **fresh, "sent_at": now, "visible_at": now, "sys": told})
        moved += 1
    source["messages"] = kept
    if moved:
        sqs.esm_wake.set()
    return moved, left
