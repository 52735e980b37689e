"""What commands print: tables and lines for people, or exactly one JSON document on standard output."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from generate_on_cloud.cli.tables import Column, console, print_table, size
from generate_on_cloud.cli.words import explained, in_commands
from generate_on_cloud.client.errors import CloudError, ProblemError
from generate_on_cloud.contract.asset_bodies import AssetView
from generate_on_cloud.contract.endpoints import EndpointView
from generate_on_cloud.contract.errors import Problem
from generate_on_cloud.contract.job_bodies import JobSummary

JSON_OPTION = "--json"
AsJson = Annotated[bool, typer.Option(JSON_OPTION, help="One JSON document on standard output.", show_default=False)]
"""For commands whose answer is a line, such as an id or a path."""
AsTable = Annotated[
    bool | None,
    typer.Option(
        f"{JSON_OPTION}/--no-json", help="JSON, or a table; default: a table at a terminal, else JSON.",
        show_default=False,
    ),
]  # fmt: skip
"""For commands whose answer is a table or a sheet."""
errors = Console(stderr=True, highlight=False)
"""Standard error: progress and everything else that is not the result."""


class _Answering:
    in_json = False


def begin_answer() -> None:
    """A call of `goc` begins: nothing has been asked for yet."""
    _Answering.in_json = JSON_OPTION in sys.argv


def wants_json(asked: bool | None) -> bool:
    """Whether a table's command answers in JSON: as asked, else where standard output is no terminal."""
    _Answering.in_json = not sys.stdout.isatty() if asked is None else asked
    return _Answering.in_json


def answers_in_json() -> bool:
    """Whether this call of `goc` answers in JSON, its failure too."""
    return _Answering.in_json


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


WITH_IDS = 110
"""Columns of a terminal that has room for the ids of assets, which their names replace."""
ASSET_COLUMNS = (
    Column("type"), Column("name", wide=True), Column("status"), Column("size", number=True),
    Column("for", wide=True), Column("id"),
)  # fmt: skip


NO_ASSETS = "There are no model files yet; `goc assets upload FILE` adds one."
NO_DELETED = "There are no deleted model files that can be restored."


def print_assets(assets: Sequence[AssetView], *, as_json: bool, for_whom: bool = False, empty: str = NO_ASSETS) -> None:
    """`{"assets": […]}`, or a table, which says for whom they are if asked or if one is not for everyone."""
    if as_json:
        print_document({"assets": list(assets)})
        return
    narrow = console().width < WITH_IDS
    everyone = "everyone" if for_whom or any(asset.users or asset.roles for asset in assets) else ""
    rows = (
        (
            asset.type,
            asset.name,
            asset.status,
            size(asset.size or 0),
            ", ".join([*asset.users, *(f"role {role}" for role in asset.roles)]) or everyone,
            "" if narrow else asset.asset_id,
        )
        for asset in assets
    )
    print_table(ASSET_COLUMNS, rows, empty=empty)


def print_job(job: JobSummary, *, as_json: bool, text: str | None = None) -> None:
    """The job as JSON, or `text` (by default its id and status)."""
    if as_json:
        print_document(job)
    else:
        typer.echo(f"{job.job_id} {job.status}" if text is None else text)


ENDPOINT_COLUMNS = (
    Column("name"), Column("status"), Column("instances", number=True), Column("of", number=True),
    Column("type"), Column("open jobs", number=True),
)  # fmt: skip


def print_endpoints(endpoints: Sequence[EndpointView], *, as_json: bool) -> None:
    """`{"endpoints": […]}`, or a table."""
    if as_json:
        print_document({"endpoints": list(endpoints)})
        return
    rows = (
        (one.name, one.status, str(one.instance_count), _number(one.max_instances), one.instance_type or "",
         _number(one.open_jobs))
        for one in endpoints
    )  # fmt: skip
    print_table(ENDPOINT_COLUMNS, rows, empty="There are no endpoints that you may use.")


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _message(error: Exception, problem: Problem | None) -> str:
    """One sentence, without the code and the fields, which the document has apart."""
    if problem is None or not isinstance(error, CloudError):
        return in_commands(str(error))
    return error.prefix + in_commands(problem.detail or problem.title)


def print_failure(error: Exception, *, url: str | None = None) -> None:
    """One line on standard error, or `{"error": {"code", "message", "request_id", "errors"}}` on standard output.

    Where JSON was not asked for but standard output is a file or pipe, it is both. `code` is the API's, or
    `client_error` if the error did not come from the API; `errors` are the API's, one for each field that it refused.
    """
    problem = error.problem if isinstance(error, ProblemError) else None
    if JSON_OPTION not in sys.argv:
        typer.echo(f"goc: {explained(error, url=url)}", err=True)
    if not answers_in_json():
        return
    told = {
        "code": problem.code if problem else "client_error",
        "message": _message(error, problem),
        "request_id": problem.request_id if problem else None,
        "errors": [{"pointer": one.pointer, "message": one.message} for one in problem.errors] if problem else [],
    }
    done = error.done if isinstance(error, CloudError) else {}
    print_document({**done, "error": told})
