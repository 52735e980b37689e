"""`goc endpoints`: list, create, change, put to sleep and delete endpoints, and choose your default."""

from typing import Annotated

import typer
from pydantic import ValidationError

from generate_on_cloud.cli.asset_options import AllowedRoles, AllowedUsers
from generate_on_cloud.cli.completion import endpoint_names
from generate_on_cloud.cli.help_pages import Commands
from generate_on_cloud.cli.output import AsJson, AsTable, errors, print_document, print_endpoints, wants_json
from generate_on_cloud.cli.session import open_cloud
from generate_on_cloud.cli.words import faults_in
from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.endpoints import CreateEndpoint, EndpointStatus, PatchEndpoint

app = Commands(help="The endpoints that run jobs.")

EndpointName = Annotated[
    str, typer.Argument(metavar="NAME", help="With or without the stage's prefix.", autocompletion=endpoint_names)
]
Least = Annotated[int | None, typer.Option("--min", metavar="N", help="Instances that always run.")]
Most = Annotated[int | None, typer.Option("--max", metavar="N", help="Maximum number of instances.")]
Idle = Annotated[
    int | None, typer.Option("--idle-minutes", metavar="N", help="Minutes without a job before instances stop.")
]
Backlog = Annotated[
    float | None, typer.Option("--backlog", metavar="X", help="Jobs per instance above which another instance starts.")
]


@app.callback(invoke_without_command=True)
def endpoints(context: typer.Context, as_json: AsTable = None) -> None:
    """List endpoints and their status."""
    if context.invoked_subcommand is None:
        show_list(as_json=as_json)


@app.command("list")
def show_list(as_json: AsTable = None) -> None:
    """List endpoints and their status."""
    in_json = wants_json(as_json)
    with open_cloud() as cloud:
        print_endpoints(cloud.endpoints.list(), as_json=in_json)


@app.command()
def create(  # noqa: PLR0917 - typer takes them by their options
    name: Annotated[str, typer.Argument(metavar="NAME", help="Without the stage's prefix.")],
    instance_type: Annotated[str, typer.Option("--instance-type", metavar="TYPE", help="ml.g5.xlarge, …")],
    least: Least = None,
    most: Most = None,
    idle_minutes: Idle = None,
    backlog: Backlog = None,
    image: Annotated[
        str | None, typer.Option(metavar="URI", help="Image in ECR; by default that of the template's endpoint.")
    ] = None,
    users: AllowedUsers = None,
    roles: AllowedRoles = None,
    as_json: AsJson = False,
) -> None:
    """Create an endpoint; it takes jobs after a few minutes."""
    scaling = _given(least, most, idle_minutes, backlog, users, roles)
    try:
        wanted = CreateEndpoint.model_validate(
            {"name": name, "instance_type": instance_type, **scaling, **({"image": image} if image else {})}
        )
    except ValidationError as error:
        raise _refused(error) from error
    with open_cloud() as cloud:
        print_endpoints([cloud.endpoints.create(wanted)], as_json=as_json)


@app.command()
def update(  # noqa: PLR0917 - typer takes them by their options
    name: EndpointName,
    least: Least = None,
    most: Most = None,
    idle_minutes: Idle = None,
    backlog: Backlog = None,
    users: AllowedUsers = None,
    roles: AllowedRoles = None,
    as_json: AsJson = False,
) -> None:
    """Change the scaling or who may use it; everything else stays as it is."""
    try:
        changes = PatchEndpoint.model_validate(_given(least, most, idle_minutes, backlog, users, roles))
    except ValidationError as error:
        raise _refused(error) from error
    with open_cloud() as cloud:
        print_endpoints([cloud.endpoints.change(name, changes)], as_json=as_json)


@app.command()
def rm(
    name: EndpointName,
    force: Annotated[bool, typer.Option("--force", help="Cancel its open jobs first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete an endpoint and everything that belongs to it."""
    with open_cloud() as cloud:
        print_endpoints([cloud.endpoints.delete(name, force=force)], as_json=as_json)


@app.command()
def sleep(name: EndpointName, as_json: AsJson = False) -> None:
    """Put an endpoint to sleep now, without waiting for its idle minutes; the next job wakes it."""
    with open_cloud() as cloud:
        found = cloud.endpoints.sleep(name)
    print_endpoints([found], as_json=as_json)
    if found.min_instances:
        errors.print(f"{found.name} goes back to its minimum of {found.min_instances} instances")
    elif found.status is not EndpointStatus.SCALED_TO_ZERO:
        errors.print(
            f"{found.name} goes to sleep; `goc endpoints list` says ScaledToZero when its instances have stopped"
        )


@app.command()
def default(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=endpoint_names,
            help="Omit it to send your jobs to the least loaded endpoint.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose the endpoint for jobs that name none."""
    with open_cloud() as cloud:
        me = cloud.endpoints.choose_default(name)
    if as_json:
        print_document(me)
    else:
        typer.echo(me.default_endpoint or "the least loaded endpoint")


def _given(  # noqa: PLR0917 - the options both commands share
    least: int | None,
    most: int | None,
    idle_minutes: int | None,
    backlog: float | None,
    users: list[str] | None,
    roles: list[str] | None,
) -> dict[str, object]:
    named = {
        "min_instances": least,
        "max_instances": most,
        "idle_minutes": idle_minutes,
        "backlog_per_instance": backlog,
        "users": users,
        "roles": roles,
    }
    return {name: value for name, value in named.items() if value not in (None, [])}


def _refused(error: ValidationError) -> CloudError:
    return CloudError(faults_in(error))
