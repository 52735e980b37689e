"""`goc roles`: sets of permissions, with quotas."""

from typing import Annotated

import typer

from generate_on_cloud.cli.answers import change_one, show_all, show_one
from generate_on_cloud.cli.completion import asset_names, permission_names, role_names
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.option_groups import with_options
from generate_on_cloud.cli.output import AsJson, AsTable
from generate_on_cloud.cli.quota_options import QuotaOptions, quota_words
from generate_on_cloud.cli.tables import Column, print_sheet
from generate_on_cloud.cli.times import told
from generate_on_cloud.cli.words import valid
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.accounts import CreateRole, PutRole, RoleView

app = Commands(help="What users may do.", no_args_is_help=True)
RoleName = Annotated[str, typer.Argument(metavar="ROLE", autocompletion=role_names, show_default=False)]
Permissions = Annotated[
    list[str] | None,
    typer.Option(
        "--permission", metavar="NAME", help="Such as inference:create; may be repeated.",
        autocompletion=permission_names,
    ),
]  # fmt: skip
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--asset", metavar="FILE", autocompletion=asset_names,
        help="A model file they may use: id, name, tag:NAME or type:TYPE; may be repeated. Default: all.",
    ),
]  # fmt: skip
COLUMNS = (
    Column("role"),
    Column("permissions", wide=True),
    Column("quotas", wide=True),
    Column("model files", wide=True),
    Column("made by"),
)


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
    assets: Files = None,
    quotas: QuotaOptions,
    as_json: AsJson = False,
) -> None:
    """Create a role, for example `goc roles create trainee --permission inference:create --jobs-per-day 20`."""
    fields = {"name": role, "permissions": permissions or [], "quotas": quotas.changes()}
    wanted = valid(CreateRole, fields if assets is None else {**fields, "assets": assets})
    change_one(lambda cloud: cloud.roles.create(wanted), _print_role, as_json=as_json)


@app.command()
@with_options(quotas=QuotaOptions)
def update(
    role: RoleName,
    *,
    permissions: Permissions = None,
    assets: Files = None,
    all_assets: Annotated[bool, typer.Option("--all-assets", help="Let them use every model file again.")] = False,
    quotas: QuotaOptions,
    as_json: AsJson = False,
) -> None:
    """Replace the permissions or the model files of a role, or change single quotas; everything else stays as it is."""
    if not (permissions or assets or all_assets or quotas.changes()):
        raise typer.BadParameter("nothing to change: give --permission, --asset, --all-assets or a quota")
    if assets and all_assets:
        raise typer.BadParameter("received --asset and --all-assets; allowed: one of them")

    def change(cloud: GenerateOnCloud) -> RoleView:
        before = cloud.roles.get(role)
        fields: dict[str, object] = {
            "permissions": permissions or before.permissions,
            "quotas": quotas.over(before.quotas),
        }
        if assets or all_assets:
            fields["assets"] = assets or None
        return cloud.roles.replace(role, valid(PutRole, fields))

    change_one(change, _print_role, as_json=as_json)


@app.command()
def rm(role: RoleName, as_json: AsJson = False) -> None:
    """Delete a role that no user has; the name is never used again."""
    change_one(
        lambda cloud: cloud.roles.delete(role), lambda gone: typer.echo(f"{gone.name} is deleted"), as_json=as_json
    )


def _row(role: RoleView) -> tuple[str, ...]:
    made_by = role.created_by or "built in"
    files = "" if role.assets is None else _files(role, ", ")
    return role.name, ", ".join(role.permissions), quota_words(role.quotas), files, made_by


def _files(role: RoleView, between: str) -> str:
    return "all" if role.assets is None else between.join(role.assets) or "none"


def _print_role(role: RoleView) -> None:
    print_sheet(
        {
            "role": role.name,
            "permissions": "\n".join(role.permissions) or "none",
            "quotas": quota_words(role.quotas),
            "model files": _files(role, "\n"),
            "created": "built in" if role.built_in else f"{told(role.created_at)} by {role.created_by}",
        }
    )
