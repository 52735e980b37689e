"""`goc keys`: your keys, and those of users you may change."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from generate_on_cloud.cli.completion import key_ids, permission_names, user_names
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsJson, AsTable, print_document, wants_json
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.tables import Column, print_table
from generate_on_cloud.cli.times import read_time, short, told, zone
from generate_on_cloud.cli.words import valid
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.errors import NotFoundError
from generate_on_cloud.contract.accounts import CreateKey

app = Commands(help="Keys for devices, programs and people.", no_args_is_help=True)
SHORT = 12
"""Characters of a key's id in the table; commands take the beginning of an id."""
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="Another user.", autocompletion=user_names)
]
COLUMNS = (
    Column("id"), Column("label", wide=True), Column(f"created ({zone()})"), Column("expires"),
    Column("permissions", wide=True),
)  # fmt: skip


def read_end(text: str) -> datetime:
    """When a key ends: `30d`, `12h`, or a date or time."""
    span = re.fullmatch(r"(\d+)([dh])", text)
    if span:
        return datetime.now(UTC) + timedelta(**{"d": {"days": int(span[1])}, "h": {"hours": int(span[1])}}[span[2]])
    try:
        return datetime.fromisoformat(read_time(text))
    except ValueError:
        raise typer.BadParameter(f"received {text!r}; allowed: 30d, 12h, 2026-12-31 or 2026-12-31T12:00") from None


@app.command("list")
def list_keys(*, user: UserOption = None, as_json: AsTable = None) -> None:
    """List your keys, or another user's."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        keys = cloud.keys.list(user)
        mine = cloud.me.get().key_id
    if in_json:
        print_document({"keys": keys})
        return
    rows = [
        (
            key.key_id[:SHORT],
            key.label + (" (this one)" if key.key_id == mine else ""),
            short(key.created_at),
            short(key.expires_at) or "never",
            "as the role" if key.permissions is None else ", ".join(key.permissions),
        )
        for key in keys
    ]
    print_table(COLUMNS, rows, empty="There are no keys.")


@app.command()
def create(
    *,
    user: UserOption = None,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    permissions: Annotated[
        list[str] | None,
        typer.Option(
            "--permission", metavar="NAME", help="Allow only this; may be repeated.", autocompletion=permission_names
        ),
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=read_end, help="30d, 12h, or a date; default: never.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a key and print it; it is shown only this once."""
    wanted = valid(CreateKey, {"user": user, "label": label, "permissions": permissions, "expires_at": expires})
    with open_cloud() as cloud:
        made = cloud.keys.create(wanted)
    if as_json:
        print_document(made)
        return
    typer.echo(made.key)
    typer.echo(
        f"for {made.user}, {'until ' + told(made.expires_at) if made.expires_at else 'without an end'}", err=True
    )


@app.command()
def rm(
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY...", help="Ids or their beginnings.", autocompletion=key_ids)
    ],
    *,
    user: UserOption = None,
    as_json: AsJson = False,
) -> None:
    """Revoke keys."""
    with open_cloud() as cloud:
        gone = [cloud.keys.revoke(_whole(cloud, key, user)) for key in keys]
    if as_json:
        print_document({"revoked": gone})
        return
    for one in gone:
        typer.echo(f"{one.key_id[:SHORT]} stops within {one.effective_within_seconds} s")


def _whole(cloud: GenerateOnCloud, beginning: str, user: str | None) -> str:
    if len(beginning) == 64:
        return beginning
    found = [key.key_id for key in cloud.keys.list(user) if key.key_id.startswith(beginning)]
    if len(found) != 1:
        raise NotFoundError(f"{len(found)} keys have an id that begins with {beginning!r}; `goc keys list` shows them")
    return found[0]
