"""What commands print: lines for people, or with `--json` exactly one document on standard output."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from generate_on_cloud.client.errors import CloudError, ProblemError
from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.endpoints import EndpointView
from generate_on_cloud.contract.job_bodies import JobSummary

JSON_OPTION = "--json"
AsJson = Annotated[bool, typer.Option(JSON_OPTION, help="One JSON document on standard output.")]
errors = Console(stderr=True, highlight=False)
"""Standard error: progress and everything else that is not the result."""


def print_document(document: BaseModel | dict[str, Any]) -> None:
    """One JSON document on one line. Models keep all their fields except presigned uploads."""
    typer.echo(json.dumps(plain(document), ensure_ascii=False))


def plain(document: Any) -> Any:
    """Convert models, also inside lists and dictionaries, to JSON's own types."""
    if isinstance(document, BaseModel):
        return document.model_dump(mode="json", exclude={"upload"})
    if isinstance(document, dict):
        return {name: plain(value) for name, value in document.items()}
    return [plain(value) for value in document] if isinstance(document, list) else document


def print_assets(assets: Sequence[AssetView], *, as_json: bool) -> None:
    """`{"assets": […]}`, or one line per asset."""
    if as_json:
        print_document({"assets": list(assets)})
        return
    for asset in assets:
        typer.echo(f"{asset.asset_id}  {asset.type:13} {asset.status:10} {asset.size:>12}  {asset.name}")


def print_job(job: JobSummary, *, as_json: bool, text: str | None = None) -> None:
    """The job as JSON, or `text` (by default its label)."""
    if as_json:
        print_document(job)
    else:
        typer.echo(job.label if text is None else text)


def print_endpoints(endpoints: Sequence[EndpointView], *, as_json: bool) -> None:
    """`{"endpoints": […]}`, or one line per endpoint."""
    if as_json:
        print_document({"endpoints": list(endpoints)})
        return
    for endpoint in endpoints:
        typer.echo(f"{endpoint.name}  {endpoint.status}  {endpoint.instance_count} instances")


def print_failure(error: Exception, *, as_json: bool) -> None:
    """One line on standard error; with `--json` also `{"error": {"code", "message", "request_id"}}` on standard output.

    `code` is the API's, or `client_error` if the error did not come from the API.
    """
    typer.echo(f"goc: {error}", err=True)
    if not as_json:
        return
    problem = error.problem if isinstance(error, ProblemError) else None
    told = {
        "code": problem.code if problem else "client_error",
        "message": str(error),
        "request_id": problem.request_id if problem else None,
    }
    done = error.done if isinstance(error, CloudError) else {}
    print_document({**done, "error": told})
