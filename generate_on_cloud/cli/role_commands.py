"""`goc roles`: sets of permissions, with quotas."""

from typing import Annotated

import typer

from generate_on_cloud.cli.answers import change_one, show_all, show_one
from generate_on_cloud.cli.completion import permission_names, role_names
from generate_on_cloud.cli.option_groups import with_options
from generate_on_cloud.cli.output import AsJson, AsTable
from generate_on_cloud.cli.quota_options import QuotaOptions, quota_words
from generate_on_cloud.cli.tables import Column, print_sheet
from generate_on_cloud.cli.times import told
from generate_on_cloud.cli.words import valid
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.accounts import CreateRole, PutRole, RoleView

app = typer.Typer(help="What users may do.", no_args_is_help=True)
RoleName = Annotated[str, typer.Argument(metavar="ROLE", autocompletion=role_names, show_default=False)]
Permissions = Annotated[
    list[str] | None,
    typer.Option(
        "--permission", metavar="NAME", help="Such as inference:create; may be repeated.",
        autocompletion=permission_names,
    ),
]  # fmt: skip
COLUMNS = (Column("role"), Column("permissions", wide=True), Column("quotas", wide=True), Column("made by"))


@app.command("list")
def list_roles(as_json: AsTable = None) -> None:
    """List the roles."""
    show_all("roles", lambda cloud: cloud.roles.list(), COLUMNS, _row, as_json=as_json)


@app.command()
def show(role: RoleName, as_json: AsTable = None) -> None:
    """Show a role."""
    show_one(lambda cloud: cloud.roles.get(role), _print_role, as_json=as_json)


@app.command()
@with_options(quotas=QuotaOptions)
def create(
    role: Annotated[str, typer.Argument(metavar="ROLE", show_default=False)],
    *,
    permissions: Permissions = None,
    quotas: QuotaOptions,
    as_json: AsJson = False,
) -> None:
    """Create a role, for example `goc roles create trainee --permission inference:create --jobs-per-day 20`."""
    wanted = valid(CreateRole, {"name": role, "permissions": permissions or [], "quotas": quotas.changes()})
    change_one(lambda cloud: cloud.roles.create(wanted), _print_role, as_json=as_json)


@app.command()
@with_options(quotas=QuotaOptions)
def update(role: RoleName, *, permissions: Permissions = None, quotas: QuotaOptions, as_json: AsJson = False) -> None:
    """Replace the permissions or change single quotas of a role; everything else stays as it is."""
    if not permissions and not quotas.changes():
        raise typer.BadParameter("nothing to change: give --permission or a quota")

    def change(cloud: GenerateOnCloud) -> RoleView:
        before = cloud.roles.get(role)
        fields = {"permissions": permissions or before.permissions, "quotas": quotas.over(before.quotas)}
        return cloud.roles.replace(role, valid(PutRole, fields))

    change_one(change, _print_role, as_json=as_json)


@app.command()
def rm(role: RoleName, as_json: AsJson = False) -> None:
    """Delete a role that no user has; the name is never used again."""
    change_one(
        lambda cloud: cloud.roles.delete(role), lambda gone: typer.echo(f"{gone.name} is deleted"), as_json=as_json
    )


def _row(role: RoleView) -> tuple[str, ...]:
    return role.name, ", ".join(role.permissions), quota_words(role.quotas), role.created_by or "built in"


def _print_role(role: RoleView) -> None:
    print_sheet(
        {
            "role": role.name,
            "permissions": "\n".join(role.permissions) or "none",
            "quotas": quota_words(role.quotas),
            "created": "built in" if role.built_in else f"{told(role.created_at)} by {role.created_by}",
        }
    )
