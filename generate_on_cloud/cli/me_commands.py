"""`goc me`: whose key this is, what it may do, what is left of its quotas."""

from typing import Annotated

import typer

from generate_on_cloud.cli.completion import endpoint_names, user_names
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsJson, AsTable, print_document, wants_json
from generate_on_cloud.cli.quota_options import quota_words
from generate_on_cloud.cli.session import open_cloud, service_url
from generate_on_cloud.cli.tables import print_sheet, size
from generate_on_cloud.cli.times import told
from generate_on_cloud.contract.accounts import MeView, QuotaUseView

app = Commands(help="Who you are, what you may do, what is left of your quotas.")


@app.callback(invoke_without_command=True)
def me(context: typer.Context, as_json: AsTable = None) -> None:
    """Show whose key this is, what it may do, and its quotas."""
    if context.invoked_subcommand is not None:
        return
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        found = cloud.me.get()
    if in_json:
        print_document(found)
    else:
        _print_me(found)


@app.command()
def update(
    *,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Where your jobs go by default; `none`: the least loaded.",
            autocompletion=endpoint_names,
        ),
    ] = None,
    trusted: Annotated[
        list[str] | None,
        typer.Option(
            "--trust", metavar="USER", help="Whose files may act without being named; replaces the list.",
            autocompletion=user_names,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change where your jobs go by default, and whose embeddings and styles act on them."""
    if endpoint is None and trusted is None:
        raise typer.BadParameter("nothing to change: give --endpoint or --trust")
    with open_cloud() as cloud:
        if trusted is not None:
            changed = cloud.me.trust(trusted)
        if endpoint is not None:
            changed = cloud.endpoints.choose_default(None if endpoint == "none" else endpoint)
    if as_json:
        print_document(changed)
    else:
        _print_me(changed)


def _left(use: QuotaUseView) -> str:
    """`47 of 50 jobs per day left, until 2026-12-01 01:00:00 CET`"""
    in_bytes = use.quota == "asset_bytes"
    left, limit = (size(int(use.left)), size(use.limit)) if in_bytes else (f"{use.left:g}", str(use.limit))
    name = "of model files" if in_bytes else use.quota.replace("_", " ")
    again = f", full again {told(use.resets_at)}" if use.resets_at and use.used else ""
    return f"{left} of {limit} {name} left{again}"


def _print_me(me: MeView) -> None:
    print_sheet(
        {
            "user": me.user,
            "role": me.role,
            "service": service_url(),
            "key expires": told(me.key_expires_at) or "never",
            "may": "\n".join(me.permissions) or "nothing",
            "quotas": "\n".join(map(_left, me.quota_use)) or quota_words(me.quotas) or "no limits",
            "model files": None if me.assets is None else "\n".join(["your own", *me.assets]),
            "default endpoint": me.default_endpoint or "the least loaded",
            "trusts": me.trusted,
        }
    )
