"""What API Gateway answers when Lambda has no execution left for a request: its own answer, not Lambda's 429."""

from collections.abc import Callable
from typing import Any

from local_cloud.ministack.patches import replace


class _ThrottledError(Exception):
    """Lambda did not run the function."""


def answer_throttles_as_failed_integrations() -> None:
    """The answer for `INTEGRATION_FAILURE`, which an API may configure; ministack passes Lambda's refusal on."""
    replace("services.apigateway_v1._lambda_proxy_response", _raising)
    replace("services.apigateway_v1._invoke_lambda_proxy_v1", _answering)


def _raising(shape: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    def shaped(result: dict[str, Any]) -> Any:
        if result.get("throttle"):
            raise _ThrottledError
        return shape(result)

    return shaped


def _answering(invoke: Callable[..., Any]) -> Callable[..., Any]:
    from ministack.services import apigateway_v1

    async def invoked(*arguments: Any, **named: Any) -> Any:
        try:
            return await invoke(*arguments, **named)
        except _ThrottledError:
            return apigateway_v1._gw_error("INTEGRATION_FAILURE", "Internal server error")  # noqa: SLF001

    return invoked
