"""`goc doctor`: why nothing is drawn, and what mends it; needs no AWS credentials."""

from datetime import UTC, datetime

import typer

from generate_on_cloud.cli.doctor_checks import examine
from generate_on_cloud.cli.doctor_rows import Row, Verdict, print_rows, stops
from generate_on_cloud.cli.exit_codes import ExitCode
from generate_on_cloud.cli.output import AsTable, wants_json
from generate_on_cloud.cli.session import chosen
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.client.login import find_login


def doctor(as_json: AsTable = None) -> None:
    """Check the login, service, clock, key, endpoint, checkpoints, quotas and storage; exit code 1 if one stops you."""
    in_json = wants_json(as_json)
    rows = _rows()
    print_rows(rows, as_json=in_json)
    if stops(rows):
        raise typer.Exit(ExitCode.FAILED)


def _rows() -> list[Row]:
    session = chosen()
    try:
        login = find_login(profile=session.profile, url=session.url)
        with GenerateOnCloud(login.url, login.api_key) as cloud:
            return list(examine(cloud, login.url, now=_now))
    except CloudError as error:
        return [Row("login", Verdict.STOP, str(error), "goc auth login --url URL --api-key KEY")]


def _now() -> datetime:
    return datetime.now(UTC)
