"""Routes about the service itself, the only ones that work without a key."""

import hashlib
from functools import cache

from generate_on_cloud.contract import CONTRACT_VERSION
from generate_on_cloud.contract.bodies import Health
from generate_on_cloud.contract.capabilities import Capabilities, capabilities
from lambdas.api.routes import Call, Reply, Routes

ROUTES = Routes()


@ROUTES.add("GET", "/v1/health")
def get_health(call: Call) -> Health:
    """Check that the API answers, and get its versions."""
    return Health(status="ok", version=call.services.settings.SERVICE_VERSION, contract_version=CONTRACT_VERSION)


@ROUTES.add("GET", "/v1/capabilities", also=(304,))
def get_capabilities(call: Call) -> Reply[Capabilities]:
    """Get what this version can do: tasks, samplers, schedulers, upscalers, preprocessors, scripts, limits, codes."""
    settings = call.services.settings
    can = capabilities(settings.SERVICE_VERSION, deleted_models_days=settings.DELETED_MODELS_DAYS)
    tag = _tag(settings.SERVICE_VERSION, settings.DELETED_MODELS_DAYS)
    headers = {"ETag": tag, "Cache-Control": "public, max-age=300"}
    if tag in call.tags_known():
        return Reply(None, status=304, headers=headers)
    return Reply(can, headers=headers)


@cache
def _tag(version: str, days: int) -> str:
    can = capabilities(version, deleted_models_days=days)
    return f'"{hashlib.sha256(can.model_dump_json().encode()).hexdigest()[:32]}"'
