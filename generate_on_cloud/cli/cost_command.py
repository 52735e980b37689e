"""`goc cost`: estimates what a deployment costs, offline."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from generate_on_cloud.cli.output import AsTable, print_document, wants_json
from generate_on_cloud.cost import Usage, estimate
from generate_on_cloud.standing import read_prices

app = typer.Typer(help="Estimate costs.", no_args_is_help=True)
DEFAULTS = Usage(instance_type="ml.g5.xlarge", images=1000, seconds_per_image=5.0, wake_ups=20)


@app.callback()
def about() -> None:
    """Estimate costs."""


@app.command("estimate")
def estimate_month(
    *,
    images: Annotated[int, typer.Option(min=0, help="Pictures a month.")] = DEFAULTS.images,
    instance_type: Annotated[str, typer.Option(help="SageMaker instance type.")] = DEFAULTS.instance_type,
    seconds_per_image: Annotated[
        float, typer.Option(min=0, help="Seconds per picture on that instance type; see `goc jobs show`.")
    ] = DEFAULTS.seconds_per_image,
    wake_ups: Annotated[
        int, typer.Option(min=0, help="How often a month the endpoint starts from zero.")
    ] = DEFAULTS.wake_ups,
    idle_minutes: Annotated[float, typer.Option(min=0, help="As deployed.")] = DEFAULTS.idle_minutes,
    models_gb: Annotated[float, typer.Option(min=0, help="Model files you keep in the cloud.")] = DEFAULTS.models_gb,
    firewall: Annotated[bool, typer.Option(help="Include the firewall (waf=true).")] = False,
    as_json: AsTable = None,
) -> None:
    """Estimate the monthly cost in USD."""
    in_json = wants_json(as_json)
    prices = read_prices()
    usage = Usage(
        instance_type=instance_type,
        images=images,
        seconds_per_image=seconds_per_image,
        wake_ups=wake_ups,
        idle_minutes=idle_minutes,
        models_gb=models_gb,
        firewall=firewall,
    )
    try:
        result = estimate(usage, prices)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--instance-type") from error
    if in_json:
        document = {"usage": asdict(usage), "usd": result.lines, "total": result.total, "as_of": prices.as_of}
        print_document(document)
        return
    table = Table("item", "USD a month", caption=f"{prices.region}, {prices.as_of}. {prices.note}")
    table.columns[1].justify = "right"
    for name, dollars in result.lines.items():
        table.add_row(name, f"{dollars:.2f}")
    table.add_section()
    table.add_row("all", f"{result.total:.2f}")
    Console(highlight=False).print(table)
