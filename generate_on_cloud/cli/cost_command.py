"""`goc cost`: estimates what a deployment costs, offline."""

from dataclasses import asdict
from typing import Annotated

import typer

from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsTable, print_document, wants_json
from generate_on_cloud.cli.tables import Column, console, print_table
from generate_on_cloud.cost import Usage, estimate
from generate_on_cloud.standing import read_prices

app = Commands(help="Estimate costs.", no_args_is_help=True)
DEFAULTS = Usage(instance_type="ml.g5.xlarge", images=1000, seconds_per_image=5.0, wake_ups=20)


@app.callback()
def about() -> None:
    """Estimate costs."""


@app.command("estimate")
def estimate_month(
    *,
    images: Annotated[int, typer.Option(min=0, metavar="N", help="Pictures a month.")] = DEFAULTS.images,
    instance_type: Annotated[
        str, typer.Option(metavar="TYPE", help="SageMaker instance type.")
    ] = DEFAULTS.instance_type,
    seconds_per_image: Annotated[
        float, typer.Option(min=0, metavar="X", help="Seconds per picture on that instance type; see `goc jobs show`.")
    ] = DEFAULTS.seconds_per_image,
    wake_ups: Annotated[
        int, typer.Option(min=0, metavar="N", help="How often a month the endpoint starts from zero.")
    ] = DEFAULTS.wake_ups,
    idle_minutes: Annotated[float, typer.Option(min=0, metavar="N", help="As deployed.")] = DEFAULTS.idle_minutes,
    models_gb: Annotated[
        float, typer.Option(min=0, metavar="GB", help="Model files you keep in the cloud.")
    ] = DEFAULTS.models_gb,
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
    rows = [(name, f"{dollars:.2f}") for name, dollars in result.lines.items()]
    columns = (Column("item"), Column("USD a month", number=True))
    print_table(columns, [*rows, ("all", f"{result.total:.2f}")], empty="")
    console().print(f"{prices.region}, {prices.as_of}. {prices.note}", markup=False)
