"""The import function's handler in scenarios: it accepts sites on this machine, and its first run has no time left.

It replaces the deployed function's handler while scenarios run, with the function's own role, settings and bundle.
"""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checks.grants.deployed import client, function_named
from generate_on_cloud.fetching.safe_fetch import SafeFetch
from lambdas.assets.work import ImportOrder
from lambdas.functions.asset_import import _import_run
from local_cloud.cloud import LocalCloud
from local_cloud.settings import REPOSITORY
from tests.fetch.local_sites import HERE, allow_only_here

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CERTIFICATE = "LOCAL_SITE_CERTIFICATE"
"""Variable with the path of the sites' certificate, read in each run because sites may be opened later."""


def handler(event: Mapping[str, Any], context: "LambdaContext") -> None:
    """Like `asset_import.handler`, but the first run of each import hands over before it starts."""
    order = ImportOrder.model_validate(event)
    certificate = Path(os.environ[CERTIFICATE])
    trusting = ssl.create_default_context(cafile=certificate if certificate.exists() else None)
    fetch = SafeFetch(resolve=lambda _host, _port: [HERE], policy=allow_only_here, tls=trusting)
    run = replace(_import_run(context.function_name), fetch=fetch)
    seconds = 0.0 if order.before is None else 600.0
    if run.run(order, worker=context.aws_request_id, time_left=lambda: seconds):
        run.work.fetch_on(order, before=context.aws_request_id)


def site_folder(cloud: LocalCloud) -> Path:
    """The folder of the sites' certificate."""
    return cloud.settings.state_dir / "site"


@contextmanager
def importing_from_here(cloud: LocalCloud) -> Iterator[None]:
    """Let the deployed import function download from sites on this machine."""
    functions = client(cloud, "lambda")
    name = function_named(cloud, "AssetImport")
    before = functions.get_function_configuration(FunctionName=name)
    variables = before["Environment"]["Variables"]
    site_folder(cloud).mkdir(exist_ok=True)
    added = {"PYTHONPATH": str(REPOSITORY), CERTIFICATE: str(site_folder(cloud) / "chain.pem")}
    functions.update_function_configuration(
        FunctionName=name, Handler=f"{__name__}.handler", Environment={"Variables": variables | added}
    )
    try:
        yield
    finally:
        functions.update_function_configuration(
            FunctionName=name, Handler=before["Handler"], Environment={"Variables": variables}
        )
