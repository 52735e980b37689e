"""`goc users`: who may use the service, with which role and quotas."""

from collections.abc import Mapping
from typing import Annotated

import typer

from generate_on_cloud.cli.answers import change_one, show_all, show_one
from generate_on_cloud.cli.completion import endpoint_names, role_names, user_names
from generate_on_cloud.cli.console_command import sign_in_link
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.option_groups import with_options
from generate_on_cloud.cli.output import AsJson, AsTable, print_document
from generate_on_cloud.cli.quota_options import QuotaOptions, quota_words
from generate_on_cloud.cli.session import open_cloud, service_url
from generate_on_cloud.cli.tables import Column, print_sheet
from generate_on_cloud.cli.times import told
from generate_on_cloud.cli.words import valid
from generate_on_cloud.contract.accounts import CreateKey, CreateUser, PatchUser, UserView

app = Commands(help="People who may use the service.", no_args_is_help=True)
UserName = Annotated[str, typer.Argument(metavar="USER", autocompletion=user_names, show_default=False)]
NewName = Annotated[str, typer.Argument(metavar="USER", show_default=False)]
COLUMNS = (
    Column("user", wide=True), Column("role"), Column("keys", number=True), Column("quotas", wide=True),
    Column("state"),
)  # fmt: skip


@app.command("list")
def list_users(as_json: AsTable = None) -> None:
    """List the users."""
    show_all("users", lambda cloud: cloud.users.list(), COLUMNS, _row, as_json=as_json)


@app.command()
def show(user: UserName, as_json: AsTable = None) -> None:
    """Show a user."""
    show_one(lambda cloud: cloud.users.get(user), _print_user, as_json=as_json)


@app.command()
@with_options(quotas=QuotaOptions)
def create(
    user: NewName,
    *,
    role: Annotated[str, typer.Option(metavar="ROLE", help="What they may do.", autocompletion=role_names)] = "artist",
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where their jobs go by default.", autocompletion=endpoint_names)
    ] = None,
    key: Annotated[bool, typer.Option("--key", help="Also make a key for them and print it, once.")] = False,
    quotas: QuotaOptions,
    as_json: AsJson = False,
) -> None:
    """Create a user, for example `goc users create ada --role artist --jobs-per-day 50 --key`."""
    fields = {"name": user, "role": role, "quotas": quotas.changes()}
    wanted = valid(CreateUser, fields | ({"default_endpoint": endpoint} if endpoint else {}))
    with open_cloud() as cloud:
        made = cloud.users.create(wanted)
        secret = cloud.keys.create(CreateKey(user=user)).key if key else None
    if as_json:
        print_document({**made.model_dump(mode="json"), **({"key": secret} if secret else {})})
        return
    typer.echo(f"{made.name} ({made.role})" + (f", {quota_words(made.quotas)}" if quota_words(made.quotas) else ""))
    if secret:
        typer.echo(f"export GOC_URL={service_url()} GOC_API_KEY={secret}")


@app.command()
@with_options(quotas=QuotaOptions)
def update(
    user: UserName,
    *,
    role: Annotated[str | None, typer.Option(metavar="ROLE", help="A new role.", autocompletion=role_names)] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where their jobs go by default.", autocompletion=endpoint_names)
    ] = None,
    quotas: QuotaOptions,
    as_json: AsJson = False,
) -> None:
    """Change the role, default endpoint or single quotas of a user; everything else stays as it is."""
    if role is None and endpoint is None and not quotas.changes():
        raise typer.BadParameter("nothing to change: give --role, --endpoint or a quota")
    given = {"role": role, "default_endpoint": endpoint, "quotas": quotas.changes()}
    _change(user, {name: value for name, value in given.items() if value}, as_json=as_json)


@app.command()
def disable(user: UserName, as_json: AsJson = False) -> None:
    """Lock a user out: all their keys are refused within a minute, and nothing is lost."""
    _change(user, {"disabled": True}, as_json=as_json)


@app.command()
def enable(user: UserName, as_json: AsJson = False) -> None:
    """Let a disabled user in again."""
    _change(user, {"disabled": False}, as_json=as_json)


@app.command()
def rm(
    user: UserName,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a user and their keys for good; jobs and model files stay, the name is never used again."""
    if not yes and not as_json:
        typer.confirm(f"Delete {user}? The name can never be used again", abort=True)
    change_one(
        lambda cloud: cloud.users.delete(user), lambda gone: typer.echo(f"{gone.name} is deleted"), as_json=as_json
    )


@app.command()
def invite(user: UserName, as_json: AsJson = False) -> None:
    """Make a link by which a user signs in to the console, once and within 15 minutes."""
    with open_cloud() as cloud:
        code = cloud.sessions.create_code(user)
    link = sign_in_link(code.code)
    if as_json:
        print_document({**code.model_dump(mode="json"), "url": link})
    else:
        typer.echo(link)
        typer.echo(f"for {code.user}, until {told(code.expires_at)}; the sign-in page takes {code.code} too", err=True)


def _change(user: str, fields: Mapping[str, object], *, as_json: bool) -> None:
    change_one(lambda cloud: cloud.users.change(user, valid(PatchUser, fields)), _print_user, as_json=as_json)


def _row(user: UserView) -> tuple[str, ...]:
    return user.name, user.role, str(user.keys), quota_words(user.quotas), _state(user)


def _state(user: UserView) -> str:
    return "disabled" if user.disabled else ""


def _print_user(user: UserView) -> None:
    print_sheet(
        {
            "user": user.name,
            "state": _state(user),
            "role": user.role,
            "quotas": quota_words(user.quotas),
            "default endpoint": user.default_endpoint,
            "keys": user.keys,
            "created": f"{told(user.created_at)} by {user.created_by}",
        }
    )
