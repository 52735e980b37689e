"""`goc config`: the defaults that commands use where options are omitted."""

from typing import Annotated

import typer

from generate_on_cloud.cli.defaults import defaults_file, set_default
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsTable, print_document, wants_json
from generate_on_cloud.cli.session import defaults
from generate_on_cloud.cli.tables import print_sheet

app = Commands(help="Defaults for your commands.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def config(context: typer.Context, as_json: AsTable = None) -> None:
    """Show the defaults and the file they are in."""
    if context.invoked_subcommand is None:
        show(as_json=as_json)


@app.command("list")
def show(as_json: AsTable = None) -> None:
    """Show the defaults and the file they are in."""
    in_json = wants_json(as_json)
    values = defaults().model_dump(mode="json")
    if in_json:
        print_document({"file": str(defaults_file()), **values})
        return
    params = values.pop("params")
    print_sheet({"file": str(defaults_file()), **values, **{f"params.{name}": one for name, one in params.items()}})


@app.command("set")
def set_value(
    name: Annotated[str, typer.Argument(help="checkpoint, endpoint, out, name, or params.FIELD (params.width).")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
) -> None:
    """Set a default, for example `goc config set checkpoint dreams`."""
    set_default(defaults_file(), name, value)
    defaults()
    typer.echo(f"{name} = {value}")


@app.command()
def unset(name: Annotated[str, typer.Argument(help="As for `set`.")]) -> None:
    """Remove a default."""
    set_default(defaults_file(), name, None)
    typer.echo(f"{name} is not set")
