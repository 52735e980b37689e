"""`goc usage`: finished jobs, GPU seconds and their cost, by day, user, endpoint or model."""

import csv
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from generate_on_cloud.cli.completion import user_names
from generate_on_cloud.cli.output import AsTable, print_document, wants_json
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.tables import Column, console, print_table, size
from generate_on_cloud.contract.accounts import UsageDay, UsageGroup


class By(StrEnum):
    DAY = "day"
    USER = "user"
    ENDPOINT = "endpoint"
    MODEL = "model"


COLUMNS = (
    Column("day (UTC)"), Column("user", wide=True), Column("jobs", number=True), Column("failed", number=True),
    Column("GPU seconds", number=True), Column("USD", number=True),
)  # fmt: skip


def usage(
    *,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Default: this month.")] = None,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Another user's; needs user:list.", autocompletion=user_names)
    ] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="All users'; needs user:list.")] = False,
    by: Annotated[By | None, typer.Option("--by", help="Sum the month up by this.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values for a spreadsheet.")] = False,
    as_json: AsTable = None,
) -> None:
    """Show finished jobs, GPU seconds and cost by day with their sum, or summed up `--by` user, endpoint or model."""
    in_json = wants_json(False if as_csv else as_json)
    if everyone and user:
        raise typer.BadParameter("received --everyone and --user; allowed: one of them")
    if by is not None:
        with open_cloud() as cloud:
            groups = cloud.usage.groups(by.value, month, user=user, everyone=everyone)
        _print_groups(groups, by, in_json=in_json, as_csv=as_csv)
        return
    with open_cloud() as cloud:
        page = cloud.usage.everyone(month) if everyone else cloud.usage.month(month, user=user)
    if in_json:
        print_document(page)
    elif as_csv:
        _print_csv(UsageDay, page.days)
    else:
        rows = [_row(day) for day in page.days]
        print_table(
            COLUMNS, [*rows, _sum(page.days)] if len(rows) > 1 else rows, empty="No job finished in this month."
        )
        if page.asset_bytes is not None:
            console().print(f"model files: {size(page.asset_bytes)}")
        if page.price_per_hour is None:
            console().print("The price is not known, so there is no cost.")


def _row(day: UsageDay) -> tuple[str, ...]:
    return (
        day.day.isoformat(), day.user, str(day.jobs), str(day.failed or ""), f"{day.gpu_seconds:.1f}", _usd(day.cost),
    )  # fmt: skip


def _sum(days: Sequence[UsageDay]) -> tuple[str, ...]:
    costs = [day.cost for day in days if day.cost is not None]
    return (
        "all", "", str(sum(day.jobs for day in days)), str(sum(day.failed for day in days) or ""),
        f"{sum(day.gpu_seconds for day in days):.1f}", _usd(sum(costs) if costs else None),
    )  # fmt: skip


def _usd(cost: float | None) -> str:
    return "" if cost is None else f"{cost:.4f}"


def _print_groups(groups: Sequence[UsageGroup], by: By, *, in_json: bool, as_csv: bool) -> None:
    if in_json:
        print_document({"groups": list(groups)})
        return
    if as_csv:
        _print_csv(UsageGroup, groups)
        return
    columns = (Column(by.value, wide=True), *COLUMNS[2:3], *COLUMNS[4:])
    rows = [(one.key or "none", str(one.jobs), f"{one.gpu_seconds:.1f}", _usd(one.cost)) for one in groups]
    print_table(columns, rows, empty="No job finished in this month.")


def _print_csv(kind: type[UsageDay | UsageGroup], rows: Sequence[UsageDay | UsageGroup]) -> None:
    out = csv.DictWriter(sys.stdout, list(kind.model_fields), lineterminator="\n")
    out.writeheader()
    out.writerows(row.model_dump(mode="json") for row in rows)
