"""`goc webhooks`: the secret that signs them, and what was delivered."""

from typing import Annotated

import typer

from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.job_commands import deliveries
from generate_on_cloud.cli.job_names import JobId, job_id_of
from generate_on_cloud.cli.output import AsJson, print_document
from generate_on_cloud.cli.session import open_cloud

app = Commands(help="Requests to your server when jobs finish.", no_args_is_help=True)
app.command("deliveries")(deliveries)


@app.command()
def redeliver(job_id: JobId, as_json: AsJson = False) -> None:
    """Send a finished job's webhook once more, also after the last attempt."""
    with open_cloud() as cloud:
        whole = job_id_of(cloud, job_id)
        found = cloud.webhooks.redeliver(whole)
    if as_json:
        print_document(found)
    else:
        typer.echo(f"queued; `goc webhooks deliveries {whole}` shows what became of it")


@app.command()
def secret(
    *,
    replace: Annotated[bool, typer.Option("--replace", help="The old secret stops at once.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create the secret that signs your webhooks and print it; it is shown only this once."""
    with open_cloud() as cloud:
        made = cloud.webhooks.new_secret(keep_previous=not replace)
    if as_json:
        print_document(made)
        return
    typer.echo(made.secret)
    if made.previous_valid:
        typer.echo("webhooks are also signed with the one before, until the next `goc webhooks secret`", err=True)
