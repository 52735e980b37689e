"""`goc auth`: log in to deployments, each a profile, and show or forget them."""

import os
from typing import Annotated

import typer

from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsJson, AsTable, print_document, wants_json
from generate_on_cloud.cli.session import chosen
from generate_on_cloud.cli.tables import Column, print_table
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.client.login import (
    DEFAULT_PROFILE,
    Login,
    Logins,
    find_login,
    keep_login,
    keep_logins,
    login_file,
    read_logins,
)

app = Commands(help="Log in and out, and switch between deployments.", no_args_is_help=True)
ProfileName = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The profile's name.")]


@app.command()
def login(
    *,
    url: Annotated[str, typer.Option(prompt=True, metavar="URL", help="URL of the API, including its stage.")],
    api_key: Annotated[str, typer.Option(prompt=True, hide_input=True, metavar="KEY", help="Your key, goc_…")],
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Check the URL and your key and save them as a profile, which other commands then use."""
    with GenerateOnCloud(url, api_key) as cloud:
        me = cloud.me.get()  # a wrong key fails now; a key needs no permission for this
    path = login_file()
    name = profile or chosen().profile or DEFAULT_PROFILE
    keep_login(Login(url=url, api_key=api_key), path, profile=name)
    if as_json:
        print_document({"url": url, "login_file": str(path), "profile": name, "user": me.user})
    else:
        typer.echo(f"logged in to {url} as {me.user} ({me.role})" + (f"; profile {name}" if profile else ""))


@app.command()
def status(as_json: AsTable = None) -> None:
    """Show which service this call would use and who you are there, and the saved profiles."""
    in_json = wants_json(as_json)
    session, logins = chosen(), read_logins(login_file())
    used = find_login(profile=session.profile, url=session.url)
    with GenerateOnCloud(used.url, used.api_key) as cloud:
        me = cloud.me.get()
    profiles = [
        {"profile": name, "url": saved.url, "in_use": saved == used} for name, saved in sorted(logins.profiles.items())
    ]
    if in_json:
        print_document({"url": used.url, "user": me.user, "role": me.role, "profiles": profiles})
        return
    source = "" if any(one["in_use"] for one in profiles) else " (from the environment)"
    typer.echo(f"{me.user} ({me.role}) at {used.url}{source}")
    rows = [("*" if one["in_use"] else " ", str(one["profile"]), str(one["url"])) for one in profiles]
    print_table(
        (Column(""), Column("profile"), Column("url", wide=True)), rows, empty="No profile is saved; `goc auth login`."
    )


@app.command()
def switch(profile: Annotated[str, typer.Argument(help="A saved profile.")], as_json: AsJson = False) -> None:
    """Make a saved profile the one that commands use."""
    path = login_file()
    logins = read_logins(path)
    chosen_login = logins.named(profile)
    keep_logins(Logins(current=profile, profiles=logins.profiles), path)
    if as_json:
        print_document({"profile": profile, "url": chosen_login.url})
    else:
        typer.echo(f"{profile}: {chosen_login.url}")


@app.command()
def logout(
    *,
    profile: ProfileName = None,
    everything: Annotated[bool, typer.Option("--all", help="Forget every profile.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget a saved key; the key itself stays valid until it is revoked (`goc keys rm`)."""
    path = login_file()
    logins = read_logins(path)
    name = profile or chosen().profile or logins.current
    gone = sorted(logins.profiles) if everything else [name]
    if not everything:
        logins.named(name)
    left = {other: saved for other, saved in logins.profiles.items() if other not in gone}
    current = logins.current if logins.current in left else next(iter(left), DEFAULT_PROFILE)
    keep_logins(Logins(current=current, profiles=left), path)
    if as_json:
        print_document({"forgotten": gone, "current": current if left else None})
        return
    typer.echo(f"forgotten: {', '.join(gone) or 'nothing'}" + (f"; now in use: {current}" if left else ""))
    if os.environ.get("GOC_API_KEY"):
        typer.echo("GOC_API_KEY is still set and goes first", err=True)
