"""Makes SNS start functions as AWS does: with Lambda's retries, and a dead letter after the last one."""

import json
from collections.abc import Callable
from typing import Any

from local_cloud.ministack.patches import replace


def retry_what_topics_start() -> None:
    """ministack invokes a subscribed function once, and forgets the message when it fails."""
    from ministack.services import lambda_svc

    def wrap(_deliver_once: Callable[..., None]) -> Callable[..., None]:
        def deliver(endpoint: str, envelope: str, _topic_arn: str, subscription_arn: str, *_: Any) -> None:
            function, config, name = lambda_svc._get_func_record_for_ref(endpoint)  # noqa: SLF001
            if not function or not config:
                lambda_svc.logger.warning("a topic is to start the function %s, which does not exist", name)
                return
            record = {
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription_arn,
                "EventSource": "aws:sns",
                "Sns": json.loads(envelope),
            }
            execution = lambda_svc._execution_record_for_config(function, config)  # noqa: SLF001
            lambda_svc.invoke_async_with_retry(execution, {"Records": [record]})

        return deliver

    replace("services.sns._deliver_to_lambda", wrap)
