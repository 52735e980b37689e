"""`goc console`: a link that opens the web console signed in, for you or for somebody you invite."""

import webbrowser
from typing import Annotated

import typer

from generate_on_cloud.cli.output import AsJson, errors, print_document
from generate_on_cloud.cli.session import open_cloud, service_url
from generate_on_cloud.contract.sessions import MAX_CODE_MINUTES


def sign_in_link(code: str) -> str:
    """The console's address with a one-time code; browsers send what follows `#` to nobody, so no log has the code."""
    return f"{(service_url() or '').rstrip('/')}/#code={code}"


def console(
    *,
    invite: Annotated[
        str | None, typer.Option("--invite", metavar="USER", help="For this user instead, within 15 minutes.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, or only print the link.")] = True,
    as_json: AsJson = False,
) -> None:
    """Open the web console signed in, by a link that works once: within a minute, a printed one within 15 minutes."""
    with open_cloud() as cloud:
        made = cloud.sessions.create_code(invite, minutes=None if browser else MAX_CODE_MINUTES)
    link = sign_in_link(made.code)
    if as_json:
        print_document({"url": link, "user": made.user, "expires_at": made.expires_at.isoformat()})
    elif invite is not None or not browser:
        typer.echo(link)
    if browser and invite is None and not webbrowser.open(link):
        errors.print(f"no browser opened; open this link within a minute: {link}", soft_wrap=True)
