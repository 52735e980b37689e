"""Events as AWS delivers them: some twice, all tried again when the function fails or is throttled."""

import contextvars
import copy
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from local_cloud.ministack.patches import replace
from local_cloud.unkindness import Unkindness

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 300.0
"""Between two tries of an event for which there was no execution left."""
_SECOND = "local_cloud_second_delivery"


class SecondDeliveries:
    """Created once; it installs itself in ministack."""

    def __init__(self, unkindness: Unkindness) -> None:
        self._share = unkindness.doubled_events
        self._within = unkindness.doubled_within_seconds
        self._lot = random.Random(unkindness.seed)
        replace("services.lambda_svc.invoke_async_with_retry", lambda _: self._start)
        replace("services.eventbridge._dispatch_to_lambda", lambda _: _dispatch)
        replace("services.sqs._receive_messages_for_esm", self._doubling)

    def _start(self, function: dict[str, Any], event: dict[str, Any]) -> None:
        """Deliver an event to a function in threads; some events twice."""
        pauses = [0.0]
        if self._lot.random() < self._share:
            pauses.append(self._lot.uniform(0, self._within))
        for pause in pauses:
            arguments = (_deliver, function, copy.deepcopy(event), pause)
            threading.Thread(target=contextvars.copy_context().run, args=arguments, daemon=True).start()

    def _doubling(self, receive: Callable[[str, int], list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
        """`receive` of a queue, which some messages are received from once more, though they are deleted meanwhile."""
        from ministack.services import sqs

        def received(queue_url: str, most: int) -> list[dict[str, Any]]:
            messages = receive(queue_url, most)
            for message in messages:
                if not message.get(_SECOND) and self._lot.random() < self._share:
                    # Its own receipt: the deletion of the first leaves the second.
                    again = copy.deepcopy(message) | {_SECOND: True, "receipt_handle": None}
                    again["visible_at"] = time.time() + self._lot.uniform(0, self._within)
                    with sqs._queues_lock:  # noqa: SLF001
                        sqs._get_q(queue_url)["messages"].append(again)  # noqa: SLF001
            return messages

        return received


def _dispatch(arn: str, payload: str) -> None:
    """EventBridge starts a function; ministack would forget the event when the function fails."""
    from ministack.services import lambda_svc

    function, config, name = lambda_svc._get_func_record_for_ref(arn)  # noqa: SLF001
    if not function or not config:
        lambda_svc.logger.warning("a rule is to start the function %s, which does not exist", name)
        return
    execution = lambda_svc._execution_record_for_config(function, config)  # noqa: SLF001
    lambda_svc.invoke_async_with_retry(execution, json.loads(payload))


def _deliver(function: dict[str, Any], event: dict[str, Any], pause: float) -> None:
    """Run the function for an event, and again when it fails, as often as it is configured to; then a dead letter.

    A throttled event is no failure: it waits, for as long as an event may become old.
    """
    from ministack.services import lambda_svc

    time.sleep(pause)
    config = function.get("config") or function
    chosen = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    retries = chosen.get("MaximumRetryAttempts")
    ends = time.monotonic() + int(chosen.get("MaximumEventAgeInSeconds", 21_600))
    failures, throttles = 0, 0
    while True:
        result = lambda_svc._execute_function_with_config_scope(function, event)  # noqa: SLF001
        if not result.get("error") and not result.get("throttle"):
            return
        if result.get("throttle"):
            wait = min(_FIRST_WAIT_SECONDS * 2**throttles, _LONGEST_WAIT_SECONDS)
            throttles += 1
        else:
            first, longest = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS, lambda_svc._LAMBDA_ASYNC_RETRY_MAX_SECONDS  # noqa: SLF001
            wait = min(first * 2**failures, longest)
            failures += 1
        if failures > (2 if retries is None else int(retries)) or time.monotonic() + wait > ends:
            break
        time.sleep(wait)
    failed = (chosen.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
    target = failed or (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if target:
        lambda_svc._route_async_failure(target, config.get("FunctionName", "unknown"), event, result)  # noqa: SLF001
