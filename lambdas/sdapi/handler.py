"""Lambda: WebUI's API (`/sdapi/v1` and what belongs to it) behind the same REST API, for bots and phones.

The routes are those of `goc serve`. The gateway ends a request after 29 seconds and passes 6 MB, so a request whose job
takes longer is answered with 504 and finds its job again, and pictures that are too large stay in the job.
"""

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import boto3
import httpx
from botocore.config import Config
from mangum import Mangum
from starlette.requests import Request

from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.faces.sdapi.refusals import RefusalError
from generate_on_cloud.serve.app import make_app
from generate_on_cloud.serve.finishing import JOB
from generate_on_cloud.serve.gate import Gate, Rules
from generate_on_cloud.serve.key_callers import key_of
from generate_on_cloud.serve.report import JobReport
from generate_on_cloud.serve.short_calls import ShortCalls
from lambdas.sdapi.inner_api import URL, FunctionsClient, InnerApi
from lambdas.settings import SdapiSettings

PATIENCE_SECONDS: Final = 20.0
"""Of a request for its job: a cold start and the pictures must fit into API Gateway's 29 seconds, too."""
MAX_ANSWER: Final = 6 * 1024**2 - 1024
"""Bytes that Lambda passes on, a little less for what it adds itself."""
_TOO_LARGE: Final = 413
_CONFIG: Final = Config(connect_timeout=3, read_timeout=30, retries={"total_max_attempts": 1})
_LOG = logging.getLogger(__name__)
# It logs whole addresses, and those of pictures let whoever reads them download the pictures for a while.
logging.getLogger("httpx").setLevel(logging.WARNING)


def answer_to(
    event: Mapping[str, Any], context: object, *, functions: FunctionsClient, api_function: str, patience: float
) -> dict[str, Any]:
    """API Gateway's answer to one event."""

    def open_cloud(request: Request) -> GenerateOnCloud:
        inside = InnerApi(functions, api_function, request.scope["aws.event"]["requestContext"])
        http = httpx.Client(mounts={URL: inside}, timeout=30)
        return GenerateOnCloud(URL, key_of(request), http=http)

    callers = ShortCalls(open_cloud, JobReport(_LOG.info, price_per_hour=None), patience=patience)
    app = Gate(make_app(callers.caller_of), Rules(own_keys=True, any_host=True))
    # A new one for each event: it takes the event loop that is current when it is made.
    answer: dict[str, Any] = Mangum(app, lifespan="off")(dict(event), context)  # type: ignore[arg-type]
    size = len(json.dumps(answer))
    return answer if size <= MAX_ANSWER else _too_large(answer, size)


def _too_large(answer: Mapping[str, Any], size: int) -> dict[str, Any]:
    job = answer["headers"].get(JOB, "")
    detail = (f"The answer has {size / 1e6:.1f} MB; allowed here: {MAX_ANSWER / 1e6:.1f} MB. The pictures are kept: "
              f"goc jobs save {job}. Ask for fewer or smaller ones, or use goc serve, which has no limit.")  # fmt: skip
    return {
        "statusCode": _TOO_LARGE,
        "headers": {"content-type": "application/json", JOB: job},
        "multiValueHeaders": {},
        "body": json.dumps(RefusalError(_TOO_LARGE, detail).document()),
        "isBase64Encoded": False,
    }


@cache
def _functions() -> FunctionsClient:
    client: FunctionsClient = boto3.client("lambda", config=_CONFIG)
    return client


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Entry point."""
    function = SdapiSettings.from_environment().API_FUNCTION
    return answer_to(event, context, functions=_functions(), api_function=function, patience=PATIENCE_SECONDS)
